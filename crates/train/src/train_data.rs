use std::sync::Arc;

use burn::tensor::backend::{AutodiffBackend, Backend};
use kiln_data::{Batches, Dataset, RowStream, Targets};
use kiln_model::Task;

use crate::{config::TrainConfig, error::TrainError, objective::Objective};

/// The rows to train on.
#[derive(Debug, Clone)]
pub enum TrainData {
    /// All of them are there.
    Memory(Dataset),
    /// They are read anew in every epoch.
    Streamed(Arc<dyn RowStream>),
}

impl From<Dataset> for TrainData {
    fn from(data: Dataset) -> Self {
        Self::Memory(data)
    }
}

impl TrainData {
    /// Rows that are read anew in every epoch.
    pub fn streamed(rows: impl RowStream + 'static) -> Self {
        Self::Streamed(Arc::new(rows))
    }

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
    pub(crate) fn with_targets<T>(&self, read: impl FnOnce(&Targets) -> T) -> T {
        match self {
            Self::Memory(data) => read(data.targets()),
            Self::Streamed(rows) => read(&rows.targets()),
        }
    }
}

/// The training rows, where they are trained on.
pub(crate) enum TrainRows<B: Backend> {
    Host(TrainData),
    Device(DeviceRows<B>, Objective<B>),
}

/// Rows that go to the device.
pub(crate) enum DeviceRows<B: Backend> {
    /// All of them are there.
    All(Batches<B>),
    /// They go there a few batches at a time.
    Streamed(Arc<dyn RowStream>),
}

impl<B: AutodiffBackend> TrainRows<B> {
    pub(crate) fn new(
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
