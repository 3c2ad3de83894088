use burn::tensor::backend::{AutodiffBackend, Backend};
use kiln_data::{Batches, Dataset};
use kiln_model::{LossConfig, Mlp, Task};

use crate::{
    config::TrainConfig,
    error::TrainError,
    evaluation::{actual, exact_match, mean_loss},
    metrics::ConfusionMatrix,
    objective::Objective,
    predict::Rows,
};

/// The training rows.
pub(super) enum TrainRows<B: Backend> {
    Host(Dataset),
    Device(Batches<B>, Objective<B>),
}

impl<B: AutodiffBackend> TrainRows<B> {
    pub(super) fn new(
        host: bool,
        task: Task,
        config: &TrainConfig,
        dataset: Dataset,
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        if host {
            return Ok(Self::Host(dataset));
        }
        let objective = Objective::new(task, &config.loss, dataset.targets(), device)?;
        let batch_size = config.batch_size.rows_of(dataset.rows());
        Ok(Self::Device(Batches::new(dataset, batch_size, device)?, objective))
    }
}

/// The validation rows: to be predicted, and to be compared with.
pub(super) struct Validation<B: Backend> {
    rows: Rows<B>,
    actual: Vec<u32>,
    weights: Option<Vec<f32>>,
}

impl<B: Backend> Validation<B> {
    pub(super) fn new(
        host: bool,
        task: Task,
        loss: &LossConfig,
        dataset: Dataset,
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            actual: actual(task, dataset.targets()),
            weights: dataset.weights().map(<[f32]>::to_vec),
            rows: Rows::new(host, task, loss, dataset, device)?,
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.rows()
    }

    /// Loss, accuracy, and the decisions.
    pub(super) fn score(&self, model: &Mlp<B>, task: Task) -> (f64, f64, Vec<u32>) {
        let predictions = self.rows.predict(model, task);
        // A decision for each row, or one for each label.
        let width = self.actual.len() / self.rows.rows();
        (
            mean_loss(&predictions, self.weights.as_deref()),
            exact_match(&self.actual, &predictions.decisions, width),
            predictions.decisions,
        )
    }

    /// What was decided for which class; of a multi-label task, over all labels.
    pub(super) fn confusion(&self, task: Task, decisions: &[u32]) -> ConfusionMatrix {
        let classes = match task {
            Task::Multiclass { num_classes } => num_classes,
            Task::Binary | Task::MultiLabel { .. } => 2,
        };
        ConfusionMatrix::from_classes(&self.actual, decisions, classes)
    }
}
