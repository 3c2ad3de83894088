use std::fmt;

use kiln_table::{ColumnKind, Schema};
use kiln_train::{BatchSize, OptimizerConfig};
use serde::{Deserialize, Serialize};

use super::{
    error::TuneError,
    hyperparameter::{Hyperparameter, Value},
};
use crate::Settings;

/// The settings that are searched, each over its range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    settings: Vec<Setting>,
    /// Whether warm-up stays the same share of the run when the batch size changes.
    warmup_follows: bool,
}

/// A setting and what it may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Which one.
    pub name: Hyperparameter,
    /// What it may be.
    pub range: Range,
}

/// What a setting may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// Numbers of an interval, both ends included.
    Numbers {
        /// The lowest.
        low: f64,
        /// The highest.
        high: f64,
        /// Whether equal ratios are equally likely, not equal differences.
        log: bool,
    },
    /// One of these.
    Choices(Vec<Value>),
}

impl Space {
    /// The settings that can be searched, but for those that are `given`, by the name of the option. Each
    /// range holds what `base`, the settings of a run without a search, has.
    ///
    /// | Setting | Range |
    /// |---|---|
    /// | `hidden_layers` | 1, 2, 3 |
    /// | `width` | 64, 128, 256, 512 |
    /// | `activation` | relu, selu, mish |
    /// | `dropout` | 0 to 0.5 |
    /// | `learning_rate` | 0.0003 to 0.03 (sgd, momentum, nesterov: 0.001 to 1), log |
    /// | `weight_decay` | 0.0001 to 1 (all but adamw and adan: 0.000001 to 0.01), log |
    /// | `batch_size` | a half, one, two and four times that of `base` |
    /// | `numeric_bins` | 0, 8, 16, 32, if there are numeric columns |
    /// | `scaling` | robust, standard, if there are numeric columns |
    ///
    /// # Errors
    ///
    /// If all are given.
    pub fn new(
        base: &Settings,
        schema: &Schema,
        given: impl Fn(&str) -> bool,
    ) -> Result<Self, TuneError> {
        let numeric = schema.columns.iter().any(|column| column.kind == ColumnKind::Numeric);
        let searched = |name: &Hyperparameter| match name {
            Hyperparameter::NumericBins | Hyperparameter::Scaling => numeric,
            _ => true,
        };
        let setting = |name: Hyperparameter| {
            let range = Range::of(name, base, name.of(base)?);
            (!given(name.option())).then_some(Setting { name, range })
        };
        let names = || Hyperparameter::ALL.into_iter().filter(searched);
        let settings: Vec<Setting> = names().filter_map(setting).collect();
        if settings.is_empty() {
            let mut names: Vec<&str> = names().map(Hyperparameter::option).collect();
            names.dedup();
            return Err(TuneError::NothingToSearch { names });
        }
        Ok(Self { settings, warmup_follows: !given("warmup") })
    }

    /// What is searched, in the order of the values of a trial.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// What the searched settings are in `base`.
    pub fn values(&self, base: &Settings) -> Vec<Value> {
        let value = |setting: &Setting| setting.name.of(base).expect("it is searched");
        self.settings.iter().map(value).collect()
    }

    /// `base` with these values of the searched settings.
    pub fn apply(&self, base: &Settings, values: &[Value]) -> Settings {
        let mut settings = base.clone();
        // Of layers of different widths the first would stand for all.
        if values == self.values(base) {
            return settings;
        }
        for (setting, value) in self.settings.iter().zip(values) {
            setting.name.set(&mut settings, value);
        }
        if let (true, BatchSize::Rows(before), BatchSize::Rows(after)) =
            (self.warmup_follows, base.train.batch_size, settings.train.batch_size)
        {
            let warmup = base.train.schedule.warmup_iterations as f64;
            settings.train.schedule.warmup_iterations =
                (warmup * before as f64 / after as f64).round() as usize;
        }
        settings
    }
}

impl Range {
    /// The usual range, with room for what the setting is without a search.
    fn of(name: Hyperparameter, base: &Settings, value: Value) -> Self {
        use Hyperparameter::{
            Activation, BatchSize, Dropout, HiddenLayers, LearningRate, NumericBins, Scaling,
            WeightDecay, Width,
        };
        let whole = |values: &[usize]| values.iter().copied().map(Value::Whole).collect();
        let named = |names: &[&str]| names.iter().map(|name| Value::Name((*name).into())).collect();
        let optimizer = &base.train.optimizer;
        let (low, high, log): (f64, f64, bool) = match name {
            Dropout => (0.0, 0.5, false),
            LearningRate => match optimizer {
                OptimizerConfig::Sgd { .. } => (1e-3, 1.0, true),
                _ => (3e-4, 3e-2, true),
            },
            WeightDecay => match optimizer {
                OptimizerConfig::AdamW { .. } | OptimizerConfig::Adan { .. } => (1e-4, 1.0, true),
                _ => (1e-6, 1e-2, true),
            },
            HiddenLayers => return Self::choices(whole(&[1, 2, 3]), value),
            Width => return Self::choices(whole(&[64, 128, 256, 512]), value),
            Activation => return Self::choices(named(&["relu", "selu", "mish"]), value),
            NumericBins => return Self::choices(whole(&[0, 8, 16, 32]), value),
            Scaling => return Self::choices(named(&["robust", "standard"]), value),
            BatchSize => {
                let rows = value.number().unwrap_or(1.0) as usize;
                let sizes = whole(&[(rows / 2).max(1), rows, rows * 2, rows * 4]);
                return Self::choices(sizes, value);
            }
        };
        // What is 0 has no place on a logarithmic range.
        let at = value.number().filter(|at| *at > 0.0 || !log).unwrap_or(low);
        Self::Numbers { low: low.min(at), high: high.max(at), log }
    }

    fn choices(mut choices: Vec<Value>, with: Value) -> Self {
        if !choices.contains(&with) {
            choices.push(with);
        }
        if choices.iter().all(|choice| matches!(choice, Value::Whole(_))) {
            choices.sort_by(|a, b| a.number().unwrap_or(0.0).total_cmp(&b.number().unwrap_or(0.0)));
        }
        choices.dedup();
        Self::Choices(choices)
    }

    /// Whether it is one of the values of this range, or what a run without a search has.
    pub(super) fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Choices(choices) => choices.contains(value),
            Self::Numbers { low, high, .. } => {
                matches!(value, Value::Number(number) if *number == 0.0 || (*low..=*high).contains(number))
            }
        }
    }
}

/// `0 to 0.5`, `0.0001 to 0.01 (log)`, `relu, silu`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbers { low, high, log } => {
                write!(f, "{low} to {high}{}", if *log { " (log)" } else { "" })
            }
            Self::Choices(choices) => {
                let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
                f.write_str(&choices.join(", "))
            }
        }
    }
}
