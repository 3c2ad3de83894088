use kiln_data::{PreprocessConfig, SchemaOptions, TargetKind};
use kiln_model::{Activation, Normalization};
use kiln_train::TrainConfig;
use serde::{Deserialize, Serialize};

/// All that decides what is learned from a table, every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The target's columns, as named in the header.
    pub target: Vec<String>,
    /// Which loss the target is trained with, and so what it means.
    pub loss: TargetKind,
    /// The positive class of a binary target; `None`: the second in order.
    pub positive: Option<String>,
    /// What is known of the columns beforehand.
    pub columns: ColumnSettings,
    /// Share of the rows, in (0, 1), held out for validation; `None`: no validation.
    pub valid_fraction: Option<f64>,
    /// How columns become features.
    pub preprocess: PreprocessConfig,
    /// The network's hidden layers.
    pub network: NetworkSettings,
    /// Factors of the classes in the loss.
    pub class_weights: ClassWeights,
    /// How the network is trained. The class weights of its loss are replaced by `class_weights`.
    pub train: TrainConfig,
}

/// What the user says of the columns, by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnSettings {
    /// Features that are names, whatever they look like.
    pub categorical: Vec<String>,
    /// Features that are numbers.
    pub numeric: Vec<String>,
    /// Columns to leave out.
    pub ignore: Vec<String>,
    /// The column of row weights.
    pub weight: Option<String>,
    /// The column that says which fold a row belongs to; left out of the features.
    pub fold: Option<String>,
    /// Texts that mean a missing value; `None`: [`kiln_data::MISSING`].
    pub missing: Option<Vec<String>>,
}

impl Settings {
    pub(crate) fn schema_options(&self) -> SchemaOptions {
        let columns = self.columns.clone();
        SchemaOptions {
            target: self.target.clone(),
            weight: columns.weight,
            fold: columns.fold,
            categorical: columns.categorical,
            numeric: columns.numeric,
            ignore: columns.ignore,
            missing: columns.missing,
        }
    }
}

/// The network but for its width at both ends, which the data decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSettings {
    /// One width per hidden layer; empty is a linear model.
    pub hidden: Vec<usize>,
    /// After each hidden layer.
    pub activation: Activation,
    /// Before each activation.
    pub normalization: Normalization,
    /// Fraction of hidden outputs dropped in training, in [0, 1).
    pub dropout: f64,
}

/// Factors of the classes in the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// All 1.
    None,
    /// Inverse to the number of training rows of the class: rows / (classes · rows of the class).
    Balanced,
    /// One per class, in the order of the classes.
    Given(Vec<f64>),
}
