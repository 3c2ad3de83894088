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
