use std::path::PathBuf;

use kiln_data::DataError;
use kiln_model::ModelError;
use thiserror::Error;

/// What can go wrong in training and evaluation.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A wrong network, loss or task.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Wrong data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A field of a [`crate::TrainConfig`] holds a value outside its range.
    #[error("`{field}` is {found}, expected {expected}")]
    Field {
        /// The field, as it is spelt in the config.
        field: String,
        /// The value it holds.
        found: String,
        /// The values it may hold.
        expected: String,
    },
    /// The network, the task and the data do not fit together.
    #[error("the {what} is {found}, but the {other} is {expected}")]
    Mismatch {
        /// One of the two.
        what: &'static str,
        /// What it is.
        found: String,
        /// The other.
        other: &'static str,
        /// What it asks for.
        expected: String,
    },
    /// A setting that compares epochs on validation rows, without such rows.
    #[error("`{field}` needs validation rows, and there are none")]
    NoValidation {
        /// The setting, as it is spelt in the config.
        field: &'static str,
    },
    /// The loss is no longer a finite number.
    #[error(
        "the {which} loss became {loss} at iteration {iteration} (epoch {epoch}) \
         with learning rate {learning_rate}; try a smaller learning rate, gradient clipping, \
         or features scaled to about -1 to 1"
    )]
    Diverged {
        /// `training` or `validation`.
        which: &'static str,
        /// NaN or an infinity.
        loss: f64,
        /// The first iteration with such a loss, counted from 1 over the whole run.
        iteration: usize,
        /// Its epoch, counted from 1.
        epoch: usize,
        /// The learning rate of that iteration.
        learning_rate: f64,
    },
    /// A folder can't hold checkpoints.
    #[error("cannot use the folder {} for checkpoints", folder.display())]
    CheckpointFolder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Another process has the folder.
    #[error("another run is using the checkpoints in {}", folder.display())]
    CheckpointsInUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A new run was to write where another run's checkpoints are.
    #[error(
        "{} holds the checkpoints of another run, expected a folder without; resume that run, \
         or choose another folder",
        folder.display()
    )]
    CheckpointsExist {
        /// The folder.
        folder: PathBuf,
    },
    /// There is nothing to go on from.
    #[error("{} holds no checkpoint{}{damaged}", folder.display(), if damaged.is_empty() { "" } else { " that is intact" })]
    NoCheckpoint {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with each that is there.
        damaged: String,
    },
    /// A file is not a checkpoint, or not as it was written.
    #[error("{}: not a usable checkpoint: {problem}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// What decides the result is not what it was when the run began.
    #[error("the run can't be resumed: `{what}` is {found}, and the run began with {saved}")]
    ResumeDiffers {
        /// A field of the network or the config, or which data.
        what: String,
        /// What it is now.
        found: String,
        /// What it was.
        saved: String,
    },
    /// The run was asked to stop, and can go on from its checkpoint.
    #[error(
        "interrupted in epoch {epoch}, after iteration {iteration}; the checkpoint {} holds all of it",
        checkpoint.display()
    )]
    Interrupted {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1 over the whole run.
        iteration: usize,
        /// The file.
        checkpoint: PathBuf,
    },
    /// The run was asked to stop, but its last checkpoint could not be written.
    #[error(
        "interrupted in epoch {epoch}, after iteration {iteration}; no checkpoint could be written, \
         {}",
        match last {
            Some(last) => format!("the last one is {}", last.display()),
            None => "and there is no earlier one".to_owned(),
        }
    )]
    InterruptedUnsaved {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1 over the whole run.
        iteration: usize,
        /// An earlier checkpoint.
        last: Option<PathBuf>,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// An observer had seen enough.
    #[error("an observer ended the run")]
    Ended,
    /// What is to be the same on all ranks is not.
    #[error("the {what} of rank {rank} are not those of rank 0")]
    RanksDiffer {
        /// `data and settings` or `weights`.
        what: &'static str,
        /// The first that differs from rank 0.
        rank: usize,
    },
    /// A file that an observer keeps could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A history file could not be written.
    #[error("cannot write the history to {}", path.display())]
    History {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl TrainError {
    pub(crate) fn field(
        field: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Self {
        Self::Field { field: field.into(), found: found.to_string(), expected: expected.into() }
    }
}

/// Checks that a number of a config is in its range.
pub(crate) fn check(
    field: &str,
    value: f64,
    in_range: bool,
    expected: &str,
) -> Result<(), TrainError> {
    // NaN is in no range, but a comparison written as `!(value < 0)` would let it pass.
    if in_range && !value.is_nan() {
        Ok(())
    } else {
        Err(TrainError::field(field, value, expected))
    }
}
