use kiln_data::Dataset;
use kiln_model::{LossConfig, Mlp, Task};

use crate::{backend::TrainLoop, error::TrainError, predictions::Predictions};

/// Runs all rows of `dataset` through the network.
///
/// # Errors
///
/// If network, task and data do not fit together, or `loss` is out of range.
pub fn predict<B: TrainLoop>(
    model: &Mlp<B>,
    task: Task,
    loss: &LossConfig,
    dataset: &Dataset,
    device: &B::Device,
) -> Result<Predictions, TrainError> {
    B::predict(model, task, loss, dataset, device)
}
