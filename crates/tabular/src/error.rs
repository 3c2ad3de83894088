use kiln_classifier::ClassifierError;
use kiln_data::DataError;
use kiln_model::ModelError;
use kiln_table::TableError;
use kiln_train::{ThresholdRule, TrainError};
use thiserror::Error;

/// What can go wrong between a table and a classifier.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TabularError {
    /// Wrong data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A table that can't be read or understood.
    #[error(transparent)]
    Table(TableError),
    /// A wrong network, loss or task.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A classifier that can't be made, read or written.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
    /// Class weights for another number of classes.
    #[error("found {found} class weights, expected one for each of {expected}")]
    ClassWeights {
        /// How many were given.
        found: usize,
        /// The classes or labels, by name.
        expected: String,
    },
    /// Weights by class size for a target without class sizes.
    #[error("balanced class weights need one class per row, found independent labels")]
    BalancedLabels,
    /// A table that is not the one that a classifier was trained on.
    #[error(
        "{table} gives {rows} rows to train on, expected the {expected} that the model was trained on"
    )]
    OtherTable {
        /// The table's source.
        table: String,
        /// Rows that it has.
        rows: usize,
        /// Rows that the model was trained on.
        expected: usize,
    },
    /// Networks that can't be dealt over the folds.
    #[error("found {members} networks for {folds} folds, expected a multiple of {folds}")]
    Members {
        /// The networks.
        members: usize,
        /// The folds.
        folds: usize,
    },
    /// A threshold for a task that has none, or a rule that it does not know.
    #[error("found the threshold {rule} for {task}, expected two classes")]
    Threshold {
        /// What was asked for.
        rule: ThresholdRule,
        /// What the targets are.
        task: String,
    },
    /// A column of folds that does not name at least two.
    #[error("{table}: column {column:?} names {found} folds, expected at least 2")]
    FoldColumn {
        /// The table's source.
        table: String,
        /// The column.
        column: String,
        /// Different values found.
        found: usize,
    },
}

/// What holds for rows in memory is the same error, whoever found it.
impl From<TableError> for TabularError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Data(error) => Self::Data(error),
            error => Self::Table(error),
        }
    }
}
