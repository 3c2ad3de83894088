use burn::tensor::TensorData;

use crate::tensors::{Tensors, take};

/// The losses of an epoch's batches, on the host.
#[derive(Debug, Default)]
pub(super) struct BatchLosses {
    pub(super) losses: Vec<f64>,
    /// What each of them stands for: rows, or the sum of their weights.
    pub(super) weights: Vec<f64>,
    /// How many rows of each batch were decided right.
    pub(super) right: Vec<f64>,
}

impl BatchLosses {
    /// All of them, the mean, and the rows that were decided right.
    pub(super) fn take(&mut self) -> (Vec<f64>, f64, f64) {
        let Self { losses, weights, right } = std::mem::take(self);
        let sum: f64 = losses.iter().zip(&weights).map(|(loss, weight)| loss * weight).sum();
        let mean = sum / weights.iter().sum::<f64>();
        (losses, mean, right.iter().sum())
    }

    pub(super) fn save(&self, tensors: &mut Tensors) {
        let Self { losses, weights, right } = self;
        let named = [("epoch.losses", losses), ("epoch.weights", weights), ("epoch.right", right)];
        for (name, values) in named {
            tensors.insert(name.to_owned(), TensorData::new(values.clone(), [values.len()]));
        }
    }

    pub(super) fn load(batches: usize, tensors: &mut Tensors) -> Result<Self, String> {
        let mut values = |name| take::<f64>(tensors, name, batches);
        Ok(Self {
            losses: values("epoch.losses")?,
            weights: values("epoch.weights")?,
            right: values("epoch.right")?,
        })
    }
}
