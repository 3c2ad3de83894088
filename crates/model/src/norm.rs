use burn::{
    module::Module,
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use burn_nn::{BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig};
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
    batch: Option<BatchNorm<B>>,
    layer: Option<LayerNorm<B>>,
}

impl<B: Backend> Norm<B> {
    /// With the running statistics, on every backend. Burn's `BatchNorm::forward` would use the
    /// batch's own on a backend that tracks gradients, and update the running ones.
    pub(crate) fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        if let Some(norm) = &self.batch {
            let mean = norm.running_mean.value_sync().unsqueeze();
            let std = norm.running_var.value_sync().add_scalar(norm.epsilon).sqrt().unsqueeze();
            return (x - mean) / std * norm.gamma.val().unsqueeze() + norm.beta.val().unsqueeze();
        }
        match &self.layer {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }
}

impl<B: AutodiffBackend> Norm<B> {
    /// With the statistics of the batch, which also move the running ones.
    pub(crate) fn forward_train(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.batch {
            // One row has no variance: standardised by itself it would be all zeros.
            Some(norm) if x.dims()[0] > 1 => norm.forward(x),
            _ => self.forward(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::AutodiffModule;
    use burn_autodiff::Autodiff;
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
