use std::marker::PhantomData;

use burn::optim::GradientsParams;
use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Tensor, backend::AutodiffBackend},
};
use kiln_model::Mlp;
use serde::{Deserialize, Serialize};

use crate::error::{TrainError, check};

/// A bound on the gradient, applied before each update.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GradientClipping {
    /// Scales the whole gradient down so that its Euclidean norm, over all parameters together, is
    /// at most this; above 0 (Pascanu et al. 2013, arXiv:1211.5063). As PyTorch's
    /// `clip_grad_norm_`; Burn's own clips each tensor by itself, which turns the gradient.
    Norm(f64),
    /// Limits each element to between minus this and this; above 0.
    Value(f64),
}

impl GradientClipping {
    pub(crate) fn validate(&self) -> Result<(), TrainError> {
        let (field, value) = match *self {
            Self::Norm(value) => ("clipping.norm", value),
            Self::Value(value) => ("clipping.value", value),
        };
        check(field, value, value > 0.0 && value.is_finite(), "a finite number above 0")
    }

    /// All on the device: the norm is never read by the host.
    pub(crate) fn apply<B: AutodiffBackend>(
        &self,
        model: &Mlp<B>,
        gradients: GradientsParams,
    ) -> GradientsParams {
        match *self {
            Self::Value(limit) => {
                let limit = Limit::Value(limit);
                rewrite(model, gradients, limit)
            }
            Self::Norm(norm) => {
                let mut squares = Squares::<B> { gradients: &gradients, sum: None };
                model.visit(&mut squares);
                let Some(sum) = squares.sum else {
                    return gradients;
                };
                // An infinite norm gives the factor 0, and 0·∞ is NaN: the run then stops with a
                // diverged loss, as it should.
                let limit = sum.ones_like().mul_scalar(norm);
                let factor = limit / (sum.sqrt() + f32::MIN_POSITIVE);
                rewrite(model, gradients, Limit::Factor(factor.clamp_max(1.0)))
            }
        }
    }
}

struct Squares<'a, B: AutodiffBackend> {
    gradients: &'a GradientsParams,
    /// `[1]`
    sum: Option<Tensor<B::InnerBackend, 1>>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Squares<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(param.id) {
            let square = gradient.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + square,
                None => square,
            });
        }
    }
}

enum Limit<B: AutodiffBackend> {
    Value(f64),
    /// `[1]`
    Factor(Tensor<B::InnerBackend, 1>),
}

struct Rewrite<B: AutodiffBackend> {
    gradients: GradientsParams,
    limit: Limit<B>,
    backend: PhantomData<B>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Rewrite<B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(param.id) {
            let gradient = match &self.limit {
                Limit::Value(limit) => gradient.clamp(-limit, *limit),
                Limit::Factor(factor) => gradient * factor.clone().unsqueeze(),
            };
            self.gradients.register::<B::InnerBackend, D>(param.id, gradient);
        }
    }
}

fn rewrite<B: AutodiffBackend>(
    model: &Mlp<B>,
    gradients: GradientsParams,
    limit: Limit<B>,
) -> GradientsParams {
    let mut visitor = Rewrite { gradients, limit, backend: PhantomData };
    model.visit(&mut visitor);
    visitor.gradients
}
