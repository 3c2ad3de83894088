use std::fmt;

use kiln_table::Scaling;
use kiln_train::BatchSize;
use serde::{Deserialize, Serialize};

use crate::Settings;

/// A setting that can be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hyperparameter {
    /// The number of hidden layers.
    HiddenLayers,
    /// The width of each of them.
    Width,
    /// After each hidden layer.
    Activation,
    /// Fraction of hidden outputs dropped in training.
    Dropout,
    /// Size of an update.
    LearningRate,
    /// Pull of the weights towards 0.
    WeightDecay,
    /// Rows per iteration.
    BatchSize,
    /// Bins of each number.
    NumericBins,
    /// How numbers are scaled.
    Scaling,
}

/// What a setting is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A count.
    Whole(usize),
    /// A number.
    Number(f64),
    /// One of several names.
    Name(String),
}

impl Hyperparameter {
    /// All of them, in the order in which they are searched and shown.
    pub const ALL: [Self; 9] = [
        Self::HiddenLayers,
        Self::Width,
        Self::Activation,
        Self::Dropout,
        Self::LearningRate,
        Self::WeightDecay,
        Self::BatchSize,
        Self::NumericBins,
        Self::Scaling,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::HiddenLayers => "hidden_layers",
            Self::Width => "width",
            Self::Activation => "activation",
            Self::Dropout => "dropout",
            Self::LearningRate => "learning_rate",
            Self::WeightDecay => "weight_decay",
            Self::BatchSize => "batch_size",
            Self::NumericBins => "numeric_bins",
            Self::Scaling => "scaling",
        }
    }

    /// The option of a run that says it.
    pub fn option(self) -> &'static str {
        match self {
            Self::HiddenLayers | Self::Width => "hidden",
            other => other.name(),
        }
    }

    /// What it is in these settings; `None` where it is nothing that a search could change.
    pub fn of(self, settings: &Settings) -> Option<Value> {
        let hidden = &settings.network.hidden;
        Some(match self {
            Self::HiddenLayers => Value::Whole(hidden.len()),
            Self::Width => Value::Whole(*hidden.first()?),
            Self::Activation => Value::Name(settings.network.activation.name().to_owned()),
            Self::Dropout => Value::Number(settings.network.dropout),
            Self::LearningRate => Value::Number(settings.train.learning_rate),
            Self::WeightDecay => Value::Number(settings.train.optimizer.weight_decay()),
            Self::BatchSize => match settings.train.batch_size {
                BatchSize::Rows(rows) => Value::Whole(rows),
                BatchSize::All => return None,
            },
            Self::NumericBins => Value::Whole(settings.preprocess.numeric_bins),
            Self::Scaling => Value::Name(scaling_name(settings.preprocess.scaling).to_owned()),
        })
    }

    /// Sets it; a value of another kind changes nothing.
    pub(super) fn set(self, settings: &mut Settings, value: &Value) {
        let hidden = &mut settings.network.hidden;
        match (self, value) {
            (Self::HiddenLayers, Value::Whole(layers)) => {
                let width = hidden.first().copied().unwrap_or(1);
                hidden.resize(*layers, width);
            }
            (Self::Width, Value::Whole(width)) => hidden.fill(*width),
            (Self::Activation, Value::Name(name)) => {
                if let Ok(activation) = name.parse() {
                    settings.network.activation = activation;
                }
            }
            (Self::Dropout, Value::Number(dropout)) => settings.network.dropout = *dropout,
            (Self::LearningRate, Value::Number(rate)) => settings.train.learning_rate = *rate,
            (Self::WeightDecay, Value::Number(decay)) => {
                settings.train.optimizer = settings.train.optimizer.with_weight_decay(*decay);
            }
            (Self::BatchSize, Value::Whole(rows)) => {
                settings.train.batch_size = BatchSize::Rows(*rows);
            }
            (Self::NumericBins, Value::Whole(bins)) => settings.preprocess.numeric_bins = *bins,
            (Self::Scaling, Value::Name(name)) => {
                let known = [Scaling::Robust, Scaling::Standard];
                if let Some(scaling) = known.into_iter().find(|of| scaling_name(*of) == name) {
                    settings.preprocess.scaling = scaling;
                }
            }
            _ => {}
        }
    }
}

pub(super) fn scaling_name(scaling: Scaling) -> &'static str {
    match scaling {
        Scaling::Robust => "robust",
        Scaling::Standard => "standard",
    }
}

impl Value {
    /// As a number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Whole(whole) => Some(*whole as f64),
            Self::Number(number) => Some(*number),
            Self::Name(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => whole.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}
