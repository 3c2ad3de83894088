use std::fmt;

use kiln_model::Activation;
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
        Some(match self.field(&mut settings.clone())? {
            Field::Whole(whole) => Value::Whole(*whole),
            Field::Number(number) => Value::Number(*number),
            Field::Activation(activation) => Value::Name(activation.name().to_owned()),
            Field::Scaling(scaling) => Value::Name(scaling_name(*scaling).to_owned()),
            Field::Layers(hidden) => Value::Whole(hidden.len()),
            Field::Width(hidden) => Value::Whole(*hidden.first()?),
        })
    }

    /// Sets it; a value of another kind changes nothing.
    pub(super) fn set(self, settings: &mut Settings, value: &Value) {
        match (self.field(settings), value) {
            (Some(Field::Whole(field)), Value::Whole(whole)) => *field = *whole,
            (Some(Field::Number(field)), Value::Number(number)) => *field = *number,
            (Some(Field::Activation(field)), Value::Name(name)) => {
                *field = name.parse().unwrap_or(*field);
            }
            (Some(Field::Scaling(field)), Value::Name(name)) => {
                let known = [Scaling::Robust, Scaling::Standard];
                let named = known.into_iter().find(|of| scaling_name(*of) == name);
                *field = named.unwrap_or(*field);
            }
            (Some(Field::Layers(hidden)), Value::Whole(layers)) => {
                let width = hidden.first().copied().unwrap_or(1);
                hidden.resize(*layers, width);
            }
            (Some(Field::Width(hidden)), Value::Whole(width)) => hidden.fill(*width),
            _ => {}
        }
    }

    /// Where it is in these settings.
    fn field(self, settings: &mut Settings) -> Option<Field<'_>> {
        let Settings { preprocess, network, train, .. } = settings;
        Some(match self {
            Self::HiddenLayers => Field::Layers(&mut network.hidden),
            Self::Width => Field::Width(&mut network.hidden),
            Self::Activation => Field::Activation(&mut network.activation),
            Self::Dropout => Field::Number(&mut network.dropout),
            Self::LearningRate => Field::Number(&mut train.learning_rate),
            Self::WeightDecay => Field::Number(train.optimizer.weight_decay_mut()),
            Self::BatchSize => match &mut train.batch_size {
                BatchSize::Rows(rows) => Field::Whole(rows),
                BatchSize::All => return None,
            },
            Self::NumericBins => Field::Whole(&mut preprocess.numeric_bins),
            Self::Scaling => Field::Scaling(&mut preprocess.scaling),
        })
    }
}

/// A field of the settings, by its kind.
enum Field<'a> {
    Whole(&'a mut usize),
    Number(&'a mut f64),
    Activation(&'a mut Activation),
    Scaling(&'a mut Scaling),
    /// Of the hidden layers, their number.
    Layers(&'a mut Vec<usize>),
    /// Of the hidden layers, their width.
    Width(&'a mut Vec<usize>),
}

fn scaling_name(scaling: Scaling) -> &'static str {
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
