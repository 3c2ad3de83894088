//! The gradient of every kind of network, from the loss back to each parameter, against central
//! differences in f64.

use burn::backend::Autodiff;
use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{
        Int, Tensor, TensorData,
        backend::{AutodiffBackend, Backend},
    },
};
use burn_ndarray::NdArray;
use kiln_model::{Activation, LossConfig, Mlp, MlpConfig, Normalization, weighted_mean};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

type B = Autodiff<NdArray<f64>>;

/// Adds `step` to the one parameter element whose number is `at`, counted through the module.
struct Nudge {
    at: usize,
    step: f64,
}

impl ModuleMapper<B> for Nudge {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let len = param.shape().num_elements();
        let at = self.at;
        self.at = self.at.wrapping_sub(len);
        if at >= len {
            return param;
        }
        param.map(|tensor| {
            let mut values: Vec<f64> = tensor.to_data().iter().collect();
            values[at] += self.step;
            let data = TensorData::new(values, tensor.shape());
            Tensor::from_data(data, &tensor.device()).require_grad()
        })
    }
}

struct Gradients<'a> {
    of: &'a <B as AutodiffBackend>::Gradients,
    values: Vec<Option<f64>>,
}

impl ModuleVisitor<B> for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        match param.val().grad(self.of) {
            Some(gradient) => self.values.extend(gradient.into_data().iter::<f64>().map(Some)),
            // Running statistics are visited, but not trained.
            None => self.values.extend(vec![None; param.shape().num_elements()]),
        }
    }
}

fn features<A: Backend>() -> Tensor<A, 2> {
    let values: Vec<f64> = (0..6 * 3).map(|i| (f64::from(i) * 1.7).sin()).collect();
    Tensor::from_data(TensorData::new(values, [6, 3]), &Default::default())
}

fn loss(model: &Mlp<B>) -> Tensor<B, 1> {
    let logits = model.forward_train(features(), &mut ChaCha8Rng::seed_from_u64(5));
    let targets = Tensor::<B, 1, Int>::from_ints([0, 1, 2, 3, 0, 1], &Default::default());
    let loss = LossConfig::default().with_label_smoothing(0.1);
    let losses = loss.init_sparse(4, &Default::default()).unwrap().forward(logits, targets);
    let weights = Tensor::from_floats([1.0, 2.0, 0.5, 1.0, 1.0, 3.0], &Default::default());
    weighted_mean(losses, Some(weights))
}

fn assert_gradient(config: &MlpConfig) {
    // Burn takes every sigmoid in f32, also on an f64 backend: a wider step, a coarser bar.
    let (h, tolerance) = match config.activation {
        Activation::Sigmoid | Activation::Silu => (1e-2, 1e-4),
        _ => (1e-5, 1e-8),
    };
    let model = config.init::<B>(&Default::default()).unwrap();
    let gradients = loss(&model).backward();
    let mut visitor = Gradients { of: &gradients, values: Vec::new() };
    model.visit(&mut visitor);
    assert_eq!(visitor.values.iter().flatten().count(), config.num_parameters());
    for (at, slope) in visitor.values.iter().enumerate() {
        let Some(slope) = slope else { continue };
        let loss_at = |step: f64| -> f64 {
            // A fresh model each time: clones of a batch norm share their running statistics.
            let model = config.init::<B>(&Default::default()).unwrap();
            loss(&model.map(&mut Nudge { at, step })).into_data().iter().next().unwrap()
        };
        let difference = (loss_at(h) - loss_at(-h)) / (2.0 * h);
        assert!(
            (slope - difference).abs() < tolerance,
            "{config:?}, parameter {at}: {slope} against {difference}"
        );
    }
}

#[test]
fn gradient_through_every_activation() {
    for activation in [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu { negative_slope: 0.1 },
        Activation::Gelu,
        Activation::Silu,
        Activation::Elu { alpha: 0.8 },
        Activation::Selu,
        Activation::Mish,
        Activation::Softplus,
        Activation::Tanh,
        Activation::Sigmoid,
    ] {
        assert_gradient(&MlpConfig::new(3, 4).with_hidden(vec![5, 3]).with_activation(activation));
    }
}

#[test]
fn gradient_through_normalization_and_dropout() {
    for normalization in [Normalization::None, Normalization::Batch, Normalization::Layer] {
        for dropout in [0.0, 0.4] {
            assert_gradient(
                &MlpConfig::new(3, 4)
                    .with_hidden(vec![5, 3])
                    .with_activation(Activation::Tanh)
                    .with_normalization(normalization)
                    .with_dropout(dropout),
            );
        }
    }
}

/// The gradients of all parameters of a network wide enough for SIMD.
fn wide_gradients<A: AutodiffBackend>(config: &MlpConfig) -> Vec<f64> {
    struct All<'a, A: AutodiffBackend> {
        of: &'a A::Gradients,
        values: Vec<f64>,
    }
    impl<A: AutodiffBackend> ModuleVisitor<A> for All<'_, A> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<A, D>>) {
            if let Some(gradient) = param.val().grad(self.of) {
                self.values.extend(gradient.into_data().iter::<f64>());
            }
        }
    }
    let model = config.init::<A>(&Default::default()).unwrap();
    let x: Vec<f32> = (0..150 * 20).map(|i| (i as f32 * 1.7).sin()).collect();
    let x = Tensor::from_data(TensorData::new(x, [150, 20]), &Default::default());
    let logits = model.forward_train(x, &mut ChaCha8Rng::seed_from_u64(5));
    let classes: Vec<i64> = (0..150).map(|row| row % 10).collect();
    let classes = Tensor::<A, 1, Int>::from_data(classes.as_slice(), &Default::default());
    let loss = LossConfig::default().init_sparse(10, &Default::default()).unwrap();
    let gradients = loss.forward(logits, classes).sum().backward();
    let mut all = All { of: &gradients, values: Vec::new() };
    model.visit(&mut all);
    all.values
}

#[test]
fn gradients_in_f32_are_those_in_f64_and_the_same_twice() {
    let config = MlpConfig::new(20, 10).with_hidden(vec![37, 24]);
    for activation in [
        Activation::Relu,
        Activation::Gelu,
        Activation::Silu,
        Activation::Selu,
        Activation::Mish,
        Activation::Softplus,
        Activation::Tanh,
        Activation::Sigmoid,
    ] {
        for normalization in [Normalization::None, Normalization::Batch, Normalization::Layer] {
            let config =
                config.clone().with_activation(activation).with_normalization(normalization);
            let exact = wide_gradients::<B>(&config);
            let found = wide_gradients::<Autodiff<NdArray>>(&config);
            assert_eq!(found, wide_gradients::<Autodiff<NdArray>>(&config), "{config:?}");
            let scale = exact.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
            for (found, exact) in found.iter().zip(&exact) {
                assert!((found - exact).abs() < 5e-6 * scale, "{config:?}: {found} {exact}");
            }
        }
    }
}
