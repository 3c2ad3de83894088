use burn::tensor::backend::{AutodiffBackend, Backend};
use kiln_data::{Batches, Dataset, Share, StreamedRows, Targets};
use kiln_model::{LossConfig, Mlp, Task};

use crate::{
    config::TrainConfig,
    error::TrainError,
    evaluation::{actual, exact_match, mean_loss},
    metrics::ConfusionMatrix,
    objective::Objective,
    predict::{Predictions, Rows},
    ranks::Group,
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
pub(super) struct Validation<'a, B: Backend> {
    /// Those that this process predicts, if there are any.
    rows: Option<Rows<B>>,
    /// The first of them, among all.
    first: usize,
    /// Of all.
    actual: Vec<u32>,
    /// Of all.
    weights: Option<Vec<f32>>,
    num_rows: usize,
    group: Option<&'a Group<'a>>,
}

impl<'a, B: Backend> Validation<'a, B> {
    pub(super) fn new(
        host: bool,
        task: Task,
        loss: &LossConfig,
        dataset: Dataset,
        device: &B::Device,
        group: Option<&'a Group<'a>>,
    ) -> Result<Self, TrainError> {
        let num_rows = dataset.rows();
        let Share { rank, ranks } = group.map_or(Share::WHOLE, Group::share);
        let own = num_rows * rank / ranks..num_rows * (rank + 1) / ranks;
        let (first, actual) = (own.start, actual(task, dataset.targets()));
        let weights = dataset.weights().map(<[f32]>::to_vec);
        let own = match own.len() {
            0 => None,
            rows if rows == num_rows => Some(dataset),
            // Weights count when all losses are there; a part may have none above 0.
            _ => {
                let d_input = dataset.d_input();
                let (features, targets, _) = dataset.into_parts();
                let rows: Vec<usize> = own.collect();
                Some(Dataset::new(features, d_input, targets)?.select(&rows)?)
            }
        };
        let rows = own.map(|own| Rows::new(host, task, loss, own, device)).transpose()?;
        Ok(Self { rows, first, actual, weights, num_rows, group })
    }

    pub(super) fn rows(&self) -> usize {
        self.num_rows
    }

    /// Loss, accuracy, and the decisions.
    pub(super) fn score(&self, model: &Mlp<B>, task: Task) -> (f64, f64, Vec<u32>) {
        let own = self.rows.as_ref().map(|rows| rows.predict(model, task));
        // A decision for each row, or one for each label.
        let width = self.actual.len() / self.num_rows;
        let (losses, decisions) = match (self.group, own) {
            (None, own) => own.map(|own| (own.losses, own.decisions)).expect("there are rows"),
            (Some(group), own) => self.of_all(group, own, width),
        };
        (
            mean_loss(&losses, self.weights.as_deref()),
            exact_match(&self.actual, &decisions, width),
            decisions,
        )
    }

    /// The losses and the decisions of all ranks' rows.
    fn of_all(
        &self,
        group: &Group<'_>,
        own: Option<Predictions>,
        width: usize,
    ) -> (Vec<f32>, Vec<u32>) {
        // All but the own ones are 0: the sums are exact.
        let mut numbers = vec![0.0; self.num_rows * (1 + width)];
        if let Some(own) = own {
            numbers[self.first..][..own.losses.len()].copy_from_slice(&own.losses);
            let decisions = &mut numbers[self.num_rows + self.first * width..];
            decisions.iter_mut().zip(own.decisions).for_each(|(to, from)| *to = from as f32);
        }
        group.sum(&mut numbers);
        let decisions = numbers.split_off(self.num_rows);
        (numbers, decisions.into_iter().map(|decision| decision as u32).collect())
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
