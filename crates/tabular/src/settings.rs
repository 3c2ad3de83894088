use kiln_model::{Activation, MlpConfig, Normalization};
use kiln_table::{PreprocessConfig, SchemaOptions, TargetKind};
use kiln_train::{ThresholdRule, TrainConfig};
use serde::{Deserialize, Serialize};

/// How much time a classifier is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// One network, and rows held out of it.
    Fast,
    /// Several networks, the more the fewer rows there are, each of which leaves out one fold of the rows.
    #[default]
    Default,
    /// Twice as many, trained twice as long.
    Best,
}

/// All that decides what is learned from a table, every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the defaults are from.
    #[serde(default)]
    pub preset: Preset,
    /// The target's columns, and what is known of the others.
    pub columns: SchemaOptions,
    /// Which loss the target is trained with, and so what it means.
    pub loss: TargetKind,
    /// The positive class of a binary target; `None`: the second in order.
    pub positive: Option<String>,
    /// Share of the rows, in (0, 1), held out of all networks for validation; `None`: none are, and there is
    /// no validation but that of the folds of `ensemble`.
    pub valid_fraction: Option<f64>,
    /// Whether the rows are read anew in every epoch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub streamed: bool,
    /// How columns become features.
    pub preprocess: PreprocessConfig,
    /// The network's hidden layers.
    pub network: NetworkSettings,
    /// How many networks there are, and on which rows each is trained.
    #[serde(default)]
    pub ensemble: EnsembleSettings,
    /// Factors of the classes in the loss.
    pub class_weights: ClassWeights,
    /// What is done to the probabilities of the trained network.
    #[serde(default)]
    pub calibration: Calibration,
    /// How the threshold of a binary task, or of labels, is found.
    #[serde(default)]
    pub threshold: ThresholdRule,
    /// How the network is trained. The class weights of its loss are replaced by `class_weights`.
    pub train: TrainConfig,
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
    /// Fraction of features dropped in training, but those of embedded columns, in [0, 1).
    #[serde(default)]
    pub input_dropout: f64,
    /// Fraction of hidden outputs dropped in training, in [0, 1).
    pub dropout: f64,
}

impl NetworkSettings {
    /// The network, for features and logits of these widths.
    pub fn mlp(&self, d_input: usize, d_output: usize) -> MlpConfig {
        let Self { hidden, activation, normalization, input_dropout, dropout } = self.clone();
        MlpConfig {
            hidden,
            activation,
            normalization,
            input_dropout,
            dropout,
            ..MlpConfig::new(d_input, d_output)
        }
    }
}

/// The networks of a classifier, whose probabilities are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsembleSettings {
    /// How many there are; a multiple of `bag_folds`.
    pub members: usize,
    /// Folds that the rows are dealt over, class by class where there are classes: each network is trained
    /// on all but one of them, and measured on that one. With more networks than folds the rows are dealt
    /// anew. 0: each is trained on all training rows.
    pub bag_folds: usize,
}

impl Default for EnsembleSettings {
    fn default() -> Self {
        Self { members: 1, bag_folds: 0 }
    }
}

/// What is done to the probabilities of a trained network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// They stay as they are.
    #[default]
    None,
    /// One temperature, fitted on the validation rows ([`kiln_train::fit_temperature`]), divides all logits.
    Temperature,
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
