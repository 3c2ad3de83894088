use std::{str::FromStr, time::Duration};

use kiln::{
    tabular::ClassWeights,
    train::{BatchSize, EarlyStopping, GradientClipping},
};
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

impl From<Hidden> for Vec<usize> {
    fn from(hidden: Hidden) -> Self {
        hidden.0
    }
}

impl From<Vec<usize>> for Hidden {
    fn from(widths: Vec<usize>) -> Self {
        Self(widths)
    }
}

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

/// Seconds, as the settings have it.
impl From<TimeBudget> for f64 {
    fn from(budget: TimeBudget) -> Self {
        budget.0.as_secs_f64()
    }
}

impl From<f64> for TimeBudget {
    fn from(seconds: f64) -> Self {
        Self(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
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

impl From<RowsOrAll> for BatchSize {
    fn from(rows: RowsOrAll) -> Self {
        match rows {
            RowsOrAll::Rows(rows) => Self::Rows(rows),
            RowsOrAll::All(_) => Self::All,
        }
    }
}

impl From<BatchSize> for RowsOrAll {
    fn from(batch_size: BatchSize) -> Self {
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

impl From<ClassWeightsOption> for ClassWeights {
    fn from(weights: ClassWeightsOption) -> Self {
        match weights {
            ClassWeightsOption::Given(weights) => Self::Given(weights),
            ClassWeightsOption::Word(ClassWeightsWord::Balanced) => Self::Balanced,
            ClassWeightsOption::Word(ClassWeightsWord::None) => Self::None,
        }
    }
}

impl From<ClassWeights> for ClassWeightsOption {
    fn from(weights: ClassWeights) -> Self {
        match weights {
            ClassWeights::Given(weights) => Self::Given(weights),
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

/// The largest norm of a gradient; 0 for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ClipNorm(pub(crate) f64);

impl FromStr for ClipNorm {
    type Err = std::num::ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl From<ClipNorm> for Option<GradientClipping> {
    fn from(ClipNorm(norm): ClipNorm) -> Self {
        (norm != 0.0).then_some(GradientClipping::Norm(norm))
    }
}

impl From<Option<GradientClipping>> for ClipNorm {
    fn from(clipping: Option<GradientClipping>) -> Self {
        match clipping {
            Some(GradientClipping::Norm(norm)) => Self(norm),
            _ => Self(0.0),
        }
    }
}

/// Epochs without improvement that stop a run; 0 for no early stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Patience(pub(crate) usize);

impl FromStr for Patience {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl From<Patience> for Option<EarlyStopping> {
    fn from(Patience(epochs): Patience) -> Self {
        (epochs > 0).then(|| EarlyStopping::default().with_patience(epochs))
    }
}

impl From<Option<EarlyStopping>> for Patience {
    fn from(stopping: Option<EarlyStopping>) -> Self {
        Self(stopping.map_or(0, |stopping| stopping.patience))
    }
}
