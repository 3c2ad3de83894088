//! From a table to a classifier: recipe, splits, cross-validation, tuning, assessment.
//!
//! [`assess()`] says all there is to say of a classifier on some rows, for the report.
//!
//! [`Prepared`] understands a table's columns and encodes its targets; [`train()`] holds out
//! validation rows, fits the preprocessing on the others and trains; [`evaluate()`] measures a
//! classifier on a table, [`cross_validate()`] the whole procedure. [`Settings`] say how,
//! [`Recipe`] what is used where nothing is said, [`tune`] what suits the table better. What does not fit into memory is read once by
//! [`scan_file()`], and anew in every epoch by [`train_streamed()`].

mod assess;
pub mod assessment;
mod baseline;
mod cross_validate;
mod error;
mod evaluate;
mod prepare;
mod recipe;
mod settings;
mod tensorboard;
#[cfg(test)]
mod tests;
mod train;
pub mod tune;

pub use assess::{Asked, TrainedOn, assess};
pub use cross_validate::{FoldResult, Folds, assign_folds, cross_validate};
pub use error::TabularError;
pub use evaluate::evaluate;
/// A value of a hyperparameter, as TensorBoard shows it.
pub use kiln_tensorboard::HyperParameter;
pub use prepare::Prepared;
pub use recipe::{Recipe, learning_rate};
pub use settings::{
    Calibration, ClassWeights, EnsembleSettings, NetworkSettings, Preset, Settings,
};
pub use tensorboard::TensorBoard;
pub use train::{Outcome, Validation, scan_file, train, train_streamed};
