use burn::tensor::{Tensor, backend::Backend};

use super::config::{LossConfig, weights_tensor};
use crate::{ModelError, stable::log_softmax};

/// Cross-entropy of targets that are distributions over the classes. One-hot rows, `001`, `010`,
/// `100`, are the usual case; soft targets are fine.
///
/// For logits z and target t, in nats:
///
/// l = −Σ_c w_c·t_c·ln softmax(z)_c, where softmax(z)_c = e^z_c / Σ_k e^z_k
///
/// w_c is 1 without class weights ([`LossConfig`]). Label smoothing `a` first moves t to
/// (1 − a)·t + a/K for K classes.
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
/// use kiln_model::LossConfig;
///
/// let device = Default::default();
/// let loss = LossConfig::default().init_categorical::<Flex>(3, &device)?;
/// let logits = Tensor::from_floats([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]], &device);
/// // The class with the highest logit, then the one with the lowest.
/// let targets = Tensor::from_floats([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], &device);
/// let losses: Vec<f32> = loss.forward(logits, targets).into_data().to_vec().unwrap();
/// assert!((losses[0] - 0.16985).abs() < 1e-5 && (losses[1] - 3.16985).abs() < 1e-5);
/// # Ok::<(), kiln_model::ModelError>(())
/// ```
///
/// Source: as `torch.nn.functional.cross_entropy` with `reduction="none"`.
#[derive(Debug, Clone)]
pub struct CategoricalCrossEntropy<B: Backend> {
    label_smoothing: f64,
    /// `[num_classes]`
    class_weights: Option<Tensor<B, 1>>,
}

impl LossConfig {
    /// The loss of targets that are distributions over `num_classes` classes.
    ///
    /// # Errors
    ///
    /// [`ModelError::Field`] names the field that is out of its range or has the wrong length.
    pub fn init_categorical<B: Backend>(
        &self,
        num_classes: usize,
        device: &B::Device,
    ) -> Result<CategoricalCrossEntropy<B>, ModelError> {
        self.validate_softmax(num_classes)?;
        Ok(CategoricalCrossEntropy::new(self, device))
    }
}

impl<B: Backend> CategoricalCrossEntropy<B> {
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
    /// logits, targets: `[batch_size, num_classes]`, result: `[batch_size]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward(&self, logits: Tensor<B, 2>, targets: Tensor<B, 2>) -> Tensor<B, 1> {
        let [_, num_classes] = logits.dims();
        let targets = match self.label_smoothing {
            0.0 => targets,
            a => targets.mul_scalar(1.0 - a).add_scalar(a / num_classes as f64),
        };
        let targets = match &self.class_weights {
            Some(weights) => targets * weights.clone().unsqueeze(),
            None => targets,
        };
        (log_softmax(logits) * targets).sum_dim(1).squeeze_dim(1).neg()
    }
}
