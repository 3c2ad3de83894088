use burn::tensor::{Tensor, backend::Backend};

use super::config::{LossConfig, weights_tensor};
use crate::{ModelError, stable::softplus};

/// Cross-entropy of independent yes-or-no targets: one output for a binary task, one per label for
/// a multi-label task.
///
/// For logit z and target t ∈ [0, 1], in nats, averaged over the labels of a row:
///
/// l = −w⁺·t·ln σ(z) − w⁻·(1 − t)·ln σ(−z), where σ(z) = 1 / (1 + e⁻ᶻ)
///
/// w⁺ and w⁻ are 1 without class weights or `pos_weight` ([`LossConfig`]). Label smoothing `a`
/// first moves t to (1 − a)·t + a/2.
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
/// use kiln_model::LossConfig;
///
/// let device = Default::default();
/// let loss = LossConfig::default().init_binary::<Flex>(1, &device)?;
/// // Three rows whose target is 1: sure and wrong, undecided (ln 2), sure and right.
/// let logits = Tensor::from_floats([[-4.0], [0.0], [4.0]], &device);
/// let targets = Tensor::ones([3, 1], &device);
/// let losses: Vec<f32> = loss.forward(logits, targets).into_data().to_vec().unwrap();
/// for (loss, expected) in losses.iter().zip([4.01815, 0.69315, 0.01815]) {
///     assert!((loss - expected).abs() < 1e-5);
/// }
/// # Ok::<(), kiln_model::ModelError>(())
/// ```
///
/// Source: as `torch.nn.functional.binary_cross_entropy_with_logits`, averaged over the labels.
#[derive(Debug, Clone)]
pub struct BinaryCrossEntropy<B: Backend> {
    label_smoothing: f64,
    /// `[num_labels]`, each.
    positive_weights: Option<Tensor<B, 1>>,
    negative_weights: Option<Tensor<B, 1>>,
}

impl LossConfig {
    /// The loss of `num_labels` independent labels, or of one binary target (`num_labels` = 1).
    ///
    /// # Errors
    ///
    /// [`ModelError::Field`] names the field that is out of its range or has the wrong length.
    pub fn init_binary<B: Backend>(
        &self,
        num_labels: usize,
        device: &B::Device,
    ) -> Result<BinaryCrossEntropy<B>, ModelError> {
        self.validate_binary(num_labels)?;
        Ok(BinaryCrossEntropy::new(self, num_labels, device))
    }
}

impl<B: Backend> BinaryCrossEntropy<B> {
    fn new(config: &LossConfig, num_labels: usize, device: &B::Device) -> Self {
        let [negative, positive] = config.binary_weights(num_labels);
        let tensor = |weights: Vec<f64>| {
            weights.iter().any(|w| *w != 1.0).then(|| weights_tensor(&weights, device))
        };
        Self {
            label_smoothing: config.label_smoothing,
            positive_weights: tensor(positive),
            negative_weights: tensor(negative),
        }
    }

    /// One loss per row.
    ///
    /// # Shapes
    ///
    /// logits, targets: `[batch_size, num_labels]`, result: `[batch_size]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward(&self, logits: Tensor<B, 2>, targets: Tensor<B, 2>) -> Tensor<B, 1> {
        let targets = match self.label_smoothing {
            0.0 => targets,
            a => targets.mul_scalar(1.0 - a).add_scalar(a / 2.0),
        };
        let positive = softplus(logits.clone().neg()); // −ln σ(z)
        let negative = softplus(logits); // −ln σ(−z)
        let positive = weighted(positive * targets.clone(), &self.positive_weights);
        let negative = weighted(negative * (targets.neg() + 1.0), &self.negative_weights);
        (positive + negative).mean_dim(1).squeeze_dim(1)
    }
}

fn weighted<B: Backend>(terms: Tensor<B, 2>, weights: &Option<Tensor<B, 1>>) -> Tensor<B, 2> {
    match weights {
        Some(weights) => terms * weights.clone().unsqueeze(),
        None => terms,
    }
}
