//! The gradients of Burn's operations, added up over processes.

use std::marker::PhantomData;

use burn::optim::GradientsParams;
use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Tensor, TensorData, backend::AutodiffBackend},
};
use kiln_model::Mlp;

use crate::ranks::Group;

/// What a rank has made of its rows of a batch.
pub(super) struct Own<B: AutodiffBackend> {
    /// Slopes of the sum over its rows, divided by the rows of the whole batch.
    pub(super) gradients: GradientsParams,
    /// That sum, the weight of the rows, and how many are decided right, `[3]`.
    pub(super) numbers: Tensor<B::InnerBackend, 1>,
    pub(super) rows: usize,
}

/// What all ranks have made of a batch.
pub(super) struct OfAll<B: AutodiffBackend> {
    /// With running statistics that are the mean over all rows.
    pub(super) model: Mlp<B>,
    pub(super) gradients: GradientsParams,
    pub(super) loss: f64,
    pub(super) weight: f64,
    pub(super) right: f64,
}

/// Adds up what all ranks have made of a batch of `batch_rows`; `own` is `None` where this one has no row.
///
/// The order is that of the parameters in the network: their ids, under which Burn files gradients, are drawn
/// anew in each process. Numbers that are no parameters are statistics of batch normalization, which counts
/// each rank's by its rows.
pub(super) fn all_reduce<B: AutodiffBackend>(
    group: &Group<'_>,
    model: Mlp<B>,
    own: Option<Own<B>>,
    batch_rows: usize,
) -> OfAll<B> {
    let mut numbers: Vec<f32> = match &own {
        Some(own) => {
            let mut flat = Flat { own, parts: Vec::new() };
            model.visit(&mut flat);
            flat.parts.push(own.numbers.clone());
            Tensor::cat(flat.parts, 0).into_data().iter().collect()
        }
        None => {
            let mut count = Count(3);
            model.visit(&mut count);
            vec![0.0; count.0]
        }
    };
    group.sum(&mut numbers);
    let (numbers, last) = numbers.split_at(numbers.len() - 3);
    let batch_rows = batch_rows as f32;
    let weight = last[1];
    // The gradients are made for rows that weigh 1.
    let scale = batch_rows / weight.max(f32::MIN_POSITIVE);
    let gradients = GradientsParams::new();
    let mut back = Back::<B> { numbers, scale, batch_rows, gradients, backend: PhantomData };
    let model = model.map(&mut back);
    OfAll {
        model,
        gradients: back.gradients,
        loss: f64::from(last[0] * scale),
        weight: f64::from(weight),
        right: f64::from(last[2]),
    }
}

/// Collects the gradient of each parameter, and each statistic.
struct Flat<'a, B: AutodiffBackend> {
    own: &'a Own<B>,
    parts: Vec<Tensor<B::InnerBackend, 1>>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Flat<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let value = param.val();
        let numbers = if param.is_require_grad() {
            let gradient = self.own.gradients.get::<B::InnerBackend, D>(param.id);
            gradient.unwrap_or_else(|| value.inner().zeros_like())
        } else {
            value.inner().mul_scalar(self.own.rows as f32)
        };
        self.parts.push(numbers.flatten(0, D - 1));
    }
}

struct Count(usize);

impl<B: AutodiffBackend> ModuleVisitor<B> for Count {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.0 += param.val().shape().num_elements();
    }
}

/// Takes apart what [`Flat`] has collected.
struct Back<'a, B> {
    numbers: &'a [f32],
    scale: f32,
    batch_rows: f32,
    gradients: GradientsParams,
    backend: PhantomData<B>,
}

impl<B: AutodiffBackend> ModuleMapper<B> for Back<'_, B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let value = param.val();
        let (shape, device) = (value.shape(), value.device());
        let numbers = self.numbers.split_off(..shape.num_elements()).expect("as many as before");
        let is_parameter = param.is_require_grad();
        let factor = if is_parameter { self.scale } else { 1.0 / self.batch_rows };
        let numbers: Vec<f32> = numbers.iter().map(|number| number * factor).collect();
        let numbers = Tensor::from_data(TensorData::new(numbers, shape), &device);
        if is_parameter {
            self.gradients.register::<B::InnerBackend, D>(param.id, numbers);
            param
        } else {
            Param::initialized(param.id, Tensor::from_inner(numbers))
        }
    }
}
