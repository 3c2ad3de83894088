use burn::tensor::{Int, Tensor, backend::Backend};

use super::config::{LossConfig, weights_tensor};
use crate::{ModelError, stable::log_softmax};

/// Cross-entropy of targets that are class indices, 0 … K − 1. The same number as
/// [`crate::CategoricalCrossEntropy`] on the one-hot rows, without making them.
///
/// For logits z and class y, in nats:
///
/// l = −w_y·ln softmax(z)_y, where softmax(z)_c = e^z_c / Σ_k e^z_k
///
/// w_c is 1 without class weights ([`LossConfig`]). With label smoothing `a` it is
/// −(1 − a)·w_y·ln softmax(z)_y − a/K·Σ_c w_c·ln softmax(z)_c.
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
/// use kiln_model::LossConfig;
///
/// let device = Default::default();
/// let loss = LossConfig::default().init_sparse::<Flex>(3, &device)?;
/// let logits = Tensor::from_floats([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]], &device);
/// // The class with the highest logit, then the one with the lowest.
/// let targets = Tensor::from_ints([2, 0], &device);
/// let losses: Vec<f32> = loss.forward(logits, targets).into_data().to_vec().unwrap();
/// assert!((losses[0] - 0.16985).abs() < 1e-5 && (losses[1] - 3.16985).abs() < 1e-5);
/// # Ok::<(), kiln_model::ModelError>(())
/// ```
///
/// Source: as `torch.nn.functional.cross_entropy` with `reduction="none"`.
#[derive(Debug, Clone)]
pub struct SparseCategoricalCrossEntropy<B: Backend> {
    label_smoothing: f64,
    /// `[num_classes]`
    class_weights: Option<Tensor<B, 1>>,
}

impl LossConfig {
    /// The loss of targets that are indices of `num_classes` classes.
    ///
    /// # Errors
    ///
    /// [`ModelError::Field`] names the field that is out of its range or has the wrong length.
    pub fn init_sparse<B: Backend>(
        &self,
        num_classes: usize,
        device: &B::Device,
    ) -> Result<SparseCategoricalCrossEntropy<B>, ModelError> {
        self.validate_softmax(num_classes)?;
        Ok(SparseCategoricalCrossEntropy::new(self, device))
    }
}

impl<B: Backend> SparseCategoricalCrossEntropy<B> {
    fn new(config: &LossConfig, device: &B::Device) -> Self {
        Self {
            label_smoothing: config.label_smoothing,
            class_weights: config.class_weights.as_ref().map(|w| weights_tensor(w, device)),
        }
    }

    /// One loss per row.
    ///
    /// # Shapes
    ///
    /// logits: `[batch_size, num_classes]`, targets: `[batch_size]`, result: `[batch_size]`
    ///
    /// # Panics
    ///
    /// On CPU backends if a target is not below `num_classes`; GPU backends do not check.
    pub fn forward(&self, logits: Tensor<B, 2>, targets: Tensor<B, 1, Int>) -> Tensor<B, 1> {
        let [_, num_classes] = logits.dims();
        let log_probabilities = log_softmax(logits);
        let mut of_target =
            log_probabilities.clone().gather(1, targets.clone().unsqueeze_dim(1)).squeeze_dim(1);
        if let Some(weights) = &self.class_weights {
            of_target = of_target * weights.clone().select(0, targets);
        }
        if self.label_smoothing == 0.0 {
            return of_target.neg();
        }
        let of_all = match &self.class_weights {
            Some(weights) => log_probabilities * weights.clone().unsqueeze(),
            None => log_probabilities,
        };
        let of_all =
            of_all.sum_dim(1).squeeze_dim(1).mul_scalar(self.label_smoothing / num_classes as f64);
        (of_target.mul_scalar(1.0 - self.label_smoothing) + of_all).neg()
    }
}
