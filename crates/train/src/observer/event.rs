use std::{io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{error::TrainError, metrics::ConfusionMatrix};

/// Something that listens to a run, which may go on in another thread than it was started in.
pub trait Observer: Send {
    /// Called at every event, on the thread that trains: what it does delays the next step.
    ///
    /// # Errors
    ///
    /// Stop the run.
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError>;
}

/// One that may not be there.
impl<O: Observer> Observer for Option<O> {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        match self {
            Some(observer) => observer.observe(event),
            None => Ok(()),
        }
    }
}

/// What happens in a run, in this order: `Run`, then for each epoch its `Iteration`s, `Losses`,
/// `Validation` (with validation rows), `Epoch` and `Network`, perhaps `Planned`, at last `Stop`. Restarts each begin with a
/// `Run`. A run that goes on from a checkpoint tells so right after the first `Run`; `Checkpoint` comes
/// after any `Iteration` or `Epoch`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A run begins.
    Run(RunInfo),
    /// The run goes on from a checkpoint.
    Resume {
        /// Done so far by this restart, counted from 1.
        iteration: usize,
        /// Taken so far by this restart, each once for every epoch.
        rows: usize,
        /// The epochs done so far, by all restarts.
        records: &'a [EpochRecord],
    },
    /// A checkpoint was written, or could not be: the run goes on all the same.
    Checkpoint {
        /// Its file.
        path: &'a Path,
        /// Why it could not be written; earlier ones are still there.
        failure: Option<&'a io::Error>,
    },
    /// A step was made; a GPU may still be at it. Its loss comes with `Losses`.
    Iteration {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1 over the whole run.
        iteration: usize,
        /// In the batch, or the batches of all networks.
        rows: usize,
        /// Of this step.
        learning_rate: f64,
    },
    /// The training losses of an epoch's iterations, before their updates, read in one go.
    Losses {
        /// The iteration of the first, counted from 1 over the whole run.
        first_iteration: usize,
        /// Mean nats per row of each batch.
        losses: &'a [f64],
    },
    /// The validation rows were predicted.
    Validation {
        /// Counted from 1.
        epoch: usize,
        /// Mean nats per row.
        loss: f64,
        /// Share of rows that are right.
        accuracy: f64,
    },
    /// An epoch is complete.
    Epoch(&'a EpochRecord),
    /// The network after the epoch, for those who ask.
    Network(Network<'a>),
    /// The time budget has room for another number of epochs in all than was said before.
    Planned {
        /// At most.
        num_epochs: usize,
    },
    /// The run ends.
    Stop {
        /// Why.
        reason: StopReason,
        /// The epoch whose weights are kept, counted from 1.
        kept_epoch: usize,
    },
}

/// A network in training. What is asked for is computed then, on the thread that trains.
#[derive(Clone, Copy)]
pub struct Network<'a> {
    pub(crate) epoch: usize,
    pub(crate) weights: &'a dyn Fn() -> Vec<(String, Vec<f32>)>,
    pub(crate) gradients: &'a dyn Fn() -> Vec<(String, Vec<f32>)>,
    pub(crate) confusion: &'a dyn Fn() -> Option<ConfusionMatrix>,
}

impl Network<'_> {
    /// Counted from 1.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// The weights by name, as [`kiln_model::Mlp::tensors`] has them; none where one is not finite.
    pub fn weights(&self) -> Vec<(String, Vec<f32>)> {
        (self.weights)()
    }

    /// The slope of the mean loss by each weight, by the same names: on the last batch of the epoch, without
    /// dropout and clipping. About the cost of two iterations.
    pub fn gradients(&self) -> Vec<(String, Vec<f32>)> {
        (self.gradients)()
    }

    /// What the validation rows were taken for; of a multi-label task, over all labels.
    pub fn confusion(&self) -> Option<ConfusionMatrix> {
        (self.confusion)()
    }
}

impl std::fmt::Debug for Network<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// The size of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// Counted from 1.
    pub restart: usize,
    /// How many there will be.
    pub restarts: usize,
    /// Of this restart.
    pub seed: u64,
    /// Training rows: of several networks the sum, for an epoch takes a row once for each that is trained on it.
    pub rows: usize,
    /// Validation rows, 0 for none.
    pub valid_rows: usize,
    /// Trained numbers in all networks.
    pub parameters: usize,
    /// At most.
    pub num_epochs: usize,
    /// In each epoch.
    pub iterations_per_epoch: usize,
    /// Epochs without improvement that stop it; `None`: it does not stop early.
    pub patience: Option<usize>,
}

/// One epoch, one row of the history. The three columns that depend on the clock stand last: without
/// them, two runs from one seed have equal histories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// Counted from 1.
    pub restart: usize,
    /// Counted from 1.
    pub epoch: usize,
    /// Since the run began.
    pub iterations: usize,
    /// Of the last iteration.
    pub learning_rate: f64,
    /// Mean nats per row over the epoch, each row before its own update.
    pub train_loss: f64,
    /// Share of training rows that were right, each before its own update, with dropout.
    pub train_accuracy: f64,
    /// Mean nats per row, after the epoch.
    pub valid_loss: Option<f64>,
    /// Share of validation rows that are right, after the epoch.
    pub valid_accuracy: Option<f64>,
    /// Whether no earlier epoch was better; always true where epochs are not compared.
    pub best: bool,
    /// Training time of the epoch, validation not included.
    pub seconds: f64,
    /// Training rows per second of that time.
    pub rows_per_second: f64,
    /// Seconds of that time in which training waited for streamed rows to be read; 0 for rows in memory.
    #[serde(default)]
    pub waiting: f64,
}

impl EpochRecord {
    /// Whether it is of this restart, counted from 0.
    pub(crate) fn is_of(&self, restart: usize) -> bool {
        self.restart.checked_sub(1) == Some(restart)
    }
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All epochs are done.
    Epochs,
    /// The time budget has no room for another.
    TimeBudget,
    /// Early stopping: no improvement for as many epochs as its patience.
    Patience,
}
