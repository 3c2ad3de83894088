use burn::nn::{BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig};
use burn::{
    module::Module,
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use serde::{Deserialize, Serialize};

/// What is done to a hidden layer's outputs before the activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Normalization {
    /// Nothing.
    #[default]
    None,
    /// Each unit is standardised over the rows of the batch in training, and with the running
    /// mean and variance elsewhere (Ioffe & Szegedy 2015, arXiv:1502.03167).
    Batch,
    /// Each row is standardised over its units (Ba et al. 2016, arXiv:1607.06450).
    Layer,
}

impl Normalization {
    /// What is added to a variance: Burn's default for both, whose own field is private in layer
    /// normalization.
    pub const EPSILON: f64 = 1e-5;

    pub(crate) fn init<B: Backend>(&self, width: usize, device: &B::Device) -> Norm<B> {
        match self {
            Self::None => Norm { batch: None, layer: None },
            Self::Batch => {
                Norm { batch: Some(BatchNormConfig::new(width).init(device)), layer: None }
            }
            Self::Layer => {
                Norm { batch: None, layer: Some(LayerNormConfig::new(width).init(device)) }
            }
        }
    }
}

/// At most one of the two is there. Two options rather than an enum, because a module that is an
/// enum puts its variant's name into the path of every parameter.
#[derive(Module, Debug)]
pub(crate) struct Norm<B: Backend> {
    pub(crate) batch: Option<BatchNorm<B>>,
    pub(crate) layer: Option<LayerNorm<B>>,
}

// Burn's layers hold the parameters, but the formulas stand here: its `BatchNorm::forward` would, on a
// backend that tracks gradients, use and update the running statistics whatever the caller wants,
// and both divide, whose gradient is inexact on ndarray (see `stable.rs`).
impl<B: Backend> Norm<B> {
    /// Whether anything is done.
    pub(crate) fn is_some(&self) -> bool {
        self.batch.is_some() || self.layer.is_some()
    }

    /// With the running statistics of batch normalization.
    pub(crate) fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        if let Some(norm) = &self.batch {
            let mean = norm.running_mean.value_sync().unsqueeze();
            let variance = norm.running_var.value_sync().unsqueeze();
            let x = standardise(x - mean, variance, norm.epsilon);
            return x * norm.gamma.val().unsqueeze() + norm.beta.val().unsqueeze();
        }
        let Some(norm) = &self.layer else { return x };
        let x = x.clone() - x.mean_dim(1);
        let variance = (x.clone() * x.clone()).mean_dim(1);
        let x = standardise(x, variance, Normalization::EPSILON) * norm.gamma.val().unsqueeze();
        match &norm.beta {
            Some(beta) => x + beta.val().unsqueeze(),
            None => x,
        }
    }
}

/// (x − mean) / √(variance + ε), for an x that is centred already.
fn standardise<B: Backend>(x: Tensor<B, 2>, variance: Tensor<B, 2>, epsilon: f64) -> Tensor<B, 2> {
    x * variance.add_scalar(epsilon).powf_scalar(-0.5)
}

impl<B: AutodiffBackend> Norm<B> {
    /// With the statistics of the batch, which also move the running ones.
    pub(crate) fn forward_train(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let norm = match &self.batch {
            // One row has no variance: standardised by itself it would be all zeros.
            Some(norm) if x.dims()[0] > 1 => norm,
            _ => return self.forward(x),
        };
        let mean = x.clone().mean_dim(0);
        let x = x - mean.clone();
        let variance = (x.clone() * x.clone()).mean_dim(0);
        for (running, of_batch) in
            [(&norm.running_mean, mean), (&norm.running_var, variance.clone())]
        {
            let old = running.value_sync().mul_scalar(1.0 - norm.momentum);
            let new = of_batch.detach().squeeze_dim::<1>(0).mul_scalar(norm.momentum);
            running.update((old + new).detach());
            // Until then the new value is not among what visitors of the network see.
            running.value_sync();
        }
        let x = standardise(x, variance, norm.epsilon);
        x * norm.gamma.val().unsqueeze() + norm.beta.val().unsqueeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Autodiff;
    use burn::module::AutodiffModule;
    use burn_flex::Flex;

    type B = Autodiff<Flex>;

    fn rows(values: [[f32; 2]; 3]) -> Tensor<B, 2> {
        Tensor::from_floats(values, &Default::default())
    }

    #[test]
    fn batch_norm_standardises_in_training_and_learns_running_statistics() {
        let norm = Normalization::Batch.init::<B>(2, &Default::default());
        let x = rows([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]);
        let y: Vec<f32> = norm.forward_train(x.clone()).into_data().to_vec().unwrap();
        for (y, expected) in y.iter().zip([-1.2247, -1.2247, 0.0, 0.0, 1.2247, 1.2247]) {
            assert!((y - expected).abs() < 1e-3, "{y} {expected}");
        }
        for _ in 0..200 {
            norm.forward_train(x.clone());
        }
        // The running statistics have come to those of the batch: both passes agree, on the
        // training backend as on the plain one.
        let expected = norm.forward_train(x.clone()).into_data();
        let tolerance = burn::tensor::Tolerance::<f32>::absolute(1e-4);
        norm.forward(x.clone()).into_data().assert_approx_eq(&expected, tolerance);
        norm.valid().forward(x.inner()).into_data().assert_approx_eq(&expected, tolerance);
    }

    #[test]
    fn batch_norm_of_one_row_uses_the_running_statistics() {
        let norm = Normalization::Batch.init::<B>(2, &Default::default());
        let x = Tensor::<B, 2>::from_floats([[3.0, -4.0]], &Default::default());
        let y: Vec<f32> = norm.forward_train(x).into_data().to_vec().unwrap();
        assert!((y[0] - 3.0).abs() < 1e-4 && (y[1] + 4.0).abs() < 1e-4, "{y:?}");
    }

    #[test]
    fn layer_norm_standardises_each_row() {
        let norm = Normalization::Layer.init::<B>(2, &Default::default());
        let y: Vec<f32> = norm
            .forward(rows([[1.0, 3.0], [20.0, 10.0], [5.0, 5.0]]))
            .into_data()
            .to_vec()
            .unwrap();
        for (y, expected) in y.iter().zip([-1.0, 1.0, 1.0, -1.0, 0.0, 0.0]) {
            assert!((y - expected).abs() < 1e-4, "{y} {expected}");
        }
    }
}
