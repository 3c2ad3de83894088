use std::{str::FromStr, time::Duration};

use kiln::{tabular::ClassWeights, train::BatchSize};
use serde::{Deserialize, Serialize, de::IntoDeserializer};

/// A value of an enum by the name that it has in a file.
pub(super) fn by_name<T: for<'de> Deserialize<'de>>(
    name: &str,
) -> Result<T, serde::de::value::Error> {
    T::deserialize(name.into_deserializer())
}

/// The widths of the hidden layers: `128,64`, or `none`; a list in TOML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(pub(crate) Vec<usize>);

impl FromStr for Hidden {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let widths = text.split(',').map(|width| width.trim().parse());
        let widths: Result<_, _> = widths.collect();
        widths.map(Self).map_err(|_| "expected widths separated by commas, or `none`".to_owned())
    }
}

/// A length of time as people write it: `90s`, `10m`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct TimeBudget(pub(crate) Duration);

impl TimeBudget {
    pub(super) fn of(seconds: f64) -> Option<Self> {
        Duration::try_from_secs_f64(seconds).ok().map(Self)
    }
}

impl FromStr for TimeBudget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected a time above 0 like 90s, 10m or \"1h 30m\"".to_owned();
        let time = humantime::parse_duration(text.trim()).map_err(|_| expected())?;
        if time.is_zero() { Err(expected()) } else { Ok(Self(time)) }
    }
}

impl TryFrom<String> for TimeBudget {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|expected| format!("found {text:?}, {expected}"))
    }
}

impl From<TimeBudget> for String {
    fn from(budget: TimeBudget) -> Self {
        humantime::format_duration(budget.0).to_string()
    }
}

/// `all` or a number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of rows, or \"all\"")]
pub(crate) enum RowsOrAll {
    Rows(usize),
    All(All),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum All {
    All,
}

impl RowsOrAll {
    pub(super) fn batch_size(self) -> BatchSize {
        match self {
            Self::Rows(rows) => BatchSize::Rows(rows),
            Self::All(_) => BatchSize::All,
        }
    }

    pub(super) fn of(batch_size: BatchSize) -> Self {
        match batch_size {
            BatchSize::Rows(rows) => Self::Rows(rows),
            BatchSize::All => Self::All(All::All),
        }
    }
}

impl FromStr for RowsOrAll {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All(All::All)),
            _ => text
                .parse()
                .map(Self::Rows)
                .map_err(|_| "expected a number of rows, or `all`".to_owned()),
        }
    }
}

/// `balanced`, `none`, or numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a list of numbers, \"balanced\" or \"none\"")]
pub(crate) enum ClassWeightsOption {
    Given(Vec<f64>),
    Word(ClassWeightsWord),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClassWeightsWord {
    Balanced,
    None,
}

impl ClassWeightsOption {
    pub(super) fn class_weights(&self) -> ClassWeights {
        match self {
            Self::Given(weights) => ClassWeights::Given(weights.clone()),
            Self::Word(ClassWeightsWord::Balanced) => ClassWeights::Balanced,
            Self::Word(ClassWeightsWord::None) => ClassWeights::None,
        }
    }

    pub(super) fn of(weights: &ClassWeights) -> Self {
        match weights {
            ClassWeights::Given(weights) => Self::Given(weights.clone()),
            ClassWeights::Balanced => Self::Word(ClassWeightsWord::Balanced),
            ClassWeights::None => Self::Word(ClassWeightsWord::None),
        }
    }
}

impl FromStr for ClassWeightsOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "balanced" => Ok(Self::Word(ClassWeightsWord::Balanced)),
            "none" => Ok(Self::Word(ClassWeightsWord::None)),
            _ => {
                let weights = text.split(',').map(|weight| weight.trim().parse());
                let weights: Result<_, _> = weights.collect();
                weights.map(Self::Given).map_err(|_| {
                    "expected numbers separated by commas, `balanced` or `none`".to_owned()
                })
            }
        }
    }
}
