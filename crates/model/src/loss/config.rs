use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::{ModelError, Task};

/// What the three losses share.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `label_smoothing` | 0 | moves each target this fraction of the way to the uniform one | [0, 1] |
/// | `class_weights` | none | factor of all that a class, or label, adds to the loss | finite, ≥ 0, not all 0 |
/// | `pos_weight` | none | factor of what a positive label adds; binary and multi-label only | finite, > 0 |
///
/// Weights multiply terms of the loss and divide nothing: the mean over a batch is divided by its
/// row weights ([`crate::weighted_mean`]), not by its class weights. So the size of a class
/// weight counts as well as its ratio to the others.
///
/// For one binary output the classes are *negative* and *positive*, in this order, and
/// `pos_weight = [w]` says the same as `class_weights = [1, w]`. For multi-label, each label has
/// one class weight and one `pos_weight`. A softmax knows no negative terms, so there
/// `class_weights` says all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// Fraction in [0, 1].
    pub label_smoothing: f64,
    /// One per class (binary: negative, positive), or per label.
    pub class_weights: Option<Vec<f64>>,
    /// One per label (binary: one).
    pub pos_weight: Option<Vec<f64>>,
}

impl LossConfig {
    /// Sets the label smoothing, a fraction in [0, 1].
    pub fn with_label_smoothing(mut self, label_smoothing: f64) -> Self {
        self.label_smoothing = label_smoothing;
        self
    }

    /// Sets one weight per class (binary: negative, positive) or per label.
    pub fn with_class_weights(mut self, class_weights: Vec<f64>) -> Self {
        self.class_weights = Some(class_weights);
        self
    }

    /// Sets one weight of the positive term per label (binary: one).
    pub fn with_pos_weight(mut self, pos_weight: Vec<f64>) -> Self {
        self.pos_weight = Some(pos_weight);
        self
    }

    /// Checks every field for the loss of a task.
    ///
    /// # Errors
    ///
    /// [`ModelError::Field`] names the field that is out of its range or has the wrong length.
    pub fn validate_for(&self, task: Task) -> Result<(), ModelError> {
        match task {
            Task::Binary => self.validate_binary(1),
            Task::MultiLabel { num_labels } => self.validate_binary(num_labels),
            Task::Multiclass { num_classes } => self.validate_softmax(num_classes),
        }
    }

    /// What multiplies the negative and the positive term of each of `num_labels` labels, or of one binary
    /// target: `class_weights` and `pos_weight` in one.
    ///
    /// The config is one that [`LossConfig::validate_for`] has passed.
    pub fn binary_weights(&self, num_labels: usize) -> [Vec<f64>; 2] {
        let (negative, mut positive) = match self.class_weights.as_deref() {
            Some([negative, positive]) if num_labels == 1 => (vec![*negative], vec![*positive]),
            Some(weights) => (weights.to_vec(), weights.to_vec()),
            None => (vec![1.0; num_labels], vec![1.0; num_labels]),
        };
        for (weight, factor) in positive.iter_mut().zip(self.pos_weight.iter().flatten()) {
            *weight *= factor;
        }
        [negative, positive]
    }

    pub(super) fn validate_binary(&self, num_labels: usize) -> Result<(), ModelError> {
        let num_weights = if num_labels == 1 { 2 } else { num_labels };
        self.validate(num_weights)?;
        if let Some(weights) = &self.pos_weight {
            check_weights("pos_weight", weights, num_labels)?;
            if let Some(label) = weights.iter().position(|weight| *weight == 0.0) {
                let field = format!("pos_weight[{label}]");
                return Err(ModelError::field(field, 0, "a finite number above 0"));
            }
        }
        Ok(())
    }

    pub(super) fn validate_softmax(&self, num_classes: usize) -> Result<(), ModelError> {
        self.validate(num_classes)?;
        match &self.pos_weight {
            Some(weights) => Err(ModelError::field(
                "pos_weight",
                format!("{weights:?}"),
                "none for a multiclass target; `class_weights` says it there",
            )),
            None => Ok(()),
        }
    }

    fn validate(&self, num_weights: usize) -> Result<(), ModelError> {
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            let found = self.label_smoothing;
            return Err(ModelError::field("label_smoothing", found, "a fraction in [0, 1]"));
        }
        match &self.class_weights {
            Some(weights) => check_weights("class_weights", weights, num_weights),
            None => Ok(()),
        }
    }
}

fn check_weights(field: &str, weights: &[f64], len: usize) -> Result<(), ModelError> {
    if weights.len() != len {
        let found = format!("a list of {}", weights.len());
        return Err(ModelError::field(field, found, format!("a list of {len}")));
    }
    if let Some(i) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
        let field = format!("{field}[{i}]");
        return Err(ModelError::field(field, weights[i], "a finite number, at least 0"));
    }
    if weights.iter().all(|weight| *weight == 0.0) {
        return Err(ModelError::field(field, "all zero", "at least one above 0"));
    }
    Ok(())
}

/// # Shapes
///
/// `[weights.len()]`
pub(super) fn weights_tensor<B: Backend>(weights: &[f64], device: &B::Device) -> Tensor<B, 1> {
    Tensor::from_data(weights, device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_flex::Flex;

    #[test]
    fn wrong_weights_name_the_field_and_what_it_takes() {
        let config = LossConfig::default;
        let device = Default::default();
        for (error, message) in [
            (
                config().with_label_smoothing(1.5).init_sparse::<Flex>(3, &device).err(),
                "`label_smoothing` is 1.5, expected a fraction in [0, 1]",
            ),
            (
                config().with_class_weights(vec![1.0]).init_sparse::<Flex>(3, &device).err(),
                "`class_weights` is a list of 1, expected a list of 3",
            ),
            (
                config()
                    .with_class_weights(vec![1.0, -2.0])
                    .init_categorical::<Flex>(2, &device)
                    .err(),
                "`class_weights[1]` is -2, expected a finite number, at least 0",
            ),
            (
                config().with_class_weights(vec![0.0, 0.0]).init_binary::<Flex>(1, &device).err(),
                "`class_weights` is all zero, expected at least one above 0",
            ),
            (
                config().with_pos_weight(vec![1.0, 0.0]).init_binary::<Flex>(2, &device).err(),
                "`pos_weight[1]` is 0, expected a finite number above 0",
            ),
            (
                config().with_pos_weight(vec![2.0]).init_sparse::<Flex>(2, &device).err(),
                "`pos_weight` is [2.0], expected none for a multiclass target; \
                 `class_weights` says it there",
            ),
        ] {
            assert_eq!(error.expect(message).to_string(), message);
        }
    }
}
