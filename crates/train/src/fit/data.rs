use burn::tensor::backend::{AutodiffBackend, Backend};
use kiln_data::{Batches, Dataset, StreamedRows, Targets};
use kiln_model::{LossConfig, Mlp, Task};

use crate::{
    config::TrainConfig,
    error::TrainError,
    evaluation::{actual, exact_match, mean_loss},
    metrics::ConfusionMatrix,
    objective::Objective,
    predict::Rows,
};

/// The rows to train on.
#[derive(Debug, Clone)]
pub enum TrainData {
    /// All of them are there.
    Memory(Dataset),
    /// They are read anew in every epoch.
    Streamed(StreamedRows),
}

impl From<Dataset> for TrainData {
    fn from(data: Dataset) -> Self {
        Self::Memory(data)
    }
}

impl From<StreamedRows> for TrainData {
    fn from(rows: StreamedRows) -> Self {
        Self::Streamed(rows)
    }
}

impl TrainData {
    /// Rows in an epoch, at least 1.
    pub fn rows(&self) -> usize {
        match self {
            Self::Memory(data) => data.rows(),
            Self::Streamed(rows) => rows.rows(),
        }
    }

    /// Features per row, at least 1.
    pub fn d_input(&self) -> usize {
        match self {
            Self::Memory(data) => data.d_input(),
            Self::Streamed(rows) => rows.d_input(),
        }
    }

    /// Calls `read` with the targets: of streamed rows, those of no rows.
    pub(super) fn with_targets<T>(&self, read: impl FnOnce(&Targets) -> T) -> T {
        match self {
            Self::Memory(data) => read(data.targets()),
            Self::Streamed(rows) => read(&rows.targets()),
        }
    }
}

/// The training rows, where they are trained on.
pub(super) enum TrainRows<B: Backend> {
    Host(TrainData),
    Device(DeviceRows<B>, Objective<B>),
}

/// Rows that go to the device.
pub(crate) enum DeviceRows<B: Backend> {
    /// All of them are there.
    All(Batches<B>),
    /// They go there a few batches at a time.
    Streamed(StreamedRows),
}

impl<B: AutodiffBackend> TrainRows<B> {
    pub(super) fn new(
        host: bool,
        task: Task,
        config: &TrainConfig,
        data: TrainData,
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        if host {
            return Ok(Self::Host(data));
        }
        let objective = data.with_targets(|of| Objective::new(task, &config.loss, of, device))?;
        let rows = match data {
            TrainData::Memory(data) => {
                let batch_size = config.batch_size.rows_of(data.rows());
                DeviceRows::All(Batches::new(data, batch_size, device)?)
            }
            TrainData::Streamed(rows) => DeviceRows::Streamed(rows),
        };
        Ok(Self::Device(rows, objective))
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
