//! What is tried next, and which trial is given up: by the crate `optimizer`.

use std::collections::HashMap;

use optimizer::{
    Direction,
    distribution::{CategoricalDistribution, Distribution, FloatDistribution},
    param::ParamValue,
    parameter::ParamId,
    pruner::{MedianPruner, Pruner},
    sampler::{CompletedTrial, Sampler, TpeSampler},
};

use super::{
    hyperparameter::Value,
    space::{Range, Setting, Space},
    trial::{Trial, TrialState},
};
use crate::Settings;

/// Trials that are drawn at random before there is a model.
const STARTUP: usize = 10;
/// Of so many trials one is drawn at random: the model's densities have no floor, so that it would seldom come
/// back to what it has left.
const RANDOM_EVERY: usize = 8;
/// Trials with the best losses, as a share: they are what the model looks for.
const GOOD: f64 = 0.25;
/// Width of the kernels of a density, as a share of the range. The crate's own, by Scott's rule, shrinks with the
/// spread of the good ones, and with it the search closes in on the first that is not bad.
const BANDWIDTH: f64 = 0.07;
/// Draws from the density of the good ones, of which the one with the largest ratio is tried.
const CANDIDATES: usize = 24;

/// The values of the searched settings that trial `number` is to have, from what earlier ones came to. It
/// depends on nothing else, so that a search that was cut off goes on as if it had not been.
pub(super) fn propose(space: &Space, base: &Settings, number: usize, seen: &[Trial]) -> Vec<Value> {
    if number == 0 {
        return space.values(base);
    }
    let seen = if number.is_multiple_of(RANDOM_EVERY) { &[] } else { seen };
    let settings = space.settings().iter().enumerate();
    let value = |(i, setting): (usize, &Setting)| {
        let seed = base.train.seed.wrapping_add(i as u64);
        let sampler = TpeSampler::with_config(
            GOOD,
            STARTUP,
            CANDIDATES,
            setting.range.bandwidth(),
            Some(seed),
        )
        .expect("a share between 0 and 1, and a bandwidth above 0");
        // It tells settings apart by their distribution alone, which two of them may share: it is shown one.
        let (id, distribution) = (ParamId::new(), setting.range.distribution());
        let history: Vec<CompletedTrial> = seen
            .iter()
            .map(|trial| {
                let value = setting.range.coordinate(&trial.values[i]);
                let values = HashMap::from([(id, value)]);
                let distributions = HashMap::from([(id, distribution.clone())]);
                let number = trial.trial as u64;
                CompletedTrial::new(number, values, distributions, HashMap::new(), trial.rank_by())
            })
            .collect();
        setting.range.value(&sampler.sample(&distribution, number as u64, &history))
    };
    settings.map(value).collect()
}

impl Range {
    pub(super) fn distribution(&self) -> Distribution {
        match self {
            Self::Numbers { low, high, log } => Distribution::Float(FloatDistribution {
                low: *low,
                high: *high,
                log_scale: *log,
                step: None,
            }),
            Self::Choices(choices) => {
                Distribution::Categorical(CategoricalDistribution { n_choices: choices.len() })
            }
        }
    }

    /// In logarithms where the range is logarithmic; `None` where there is no density.
    fn bandwidth(&self) -> Option<f64> {
        match self {
            Self::Numbers { low, high, log: true } => Some(BANDWIDTH * (high / low).ln()),
            Self::Numbers { low, high, .. } => Some(BANDWIDTH * (high - low)),
            Self::Choices(_) => None,
        }
    }

    /// A value as the crate has it.
    pub(super) fn coordinate(&self, value: &Value) -> ParamValue {
        match self {
            Self::Numbers { low, high, .. } => {
                ParamValue::Float(value.number().unwrap_or(*low).clamp(*low, *high))
            }
            Self::Choices(choices) => {
                let place = choices.iter().position(|choice| choice == value);
                ParamValue::Categorical(place.unwrap_or(0))
            }
        }
    }

    fn value(&self, coordinate: &ParamValue) -> Value {
        match (self, coordinate) {
            (Self::Choices(choices), ParamValue::Categorical(place)) => choices[*place].clone(),
            (Self::Numbers { low, high, .. }, ParamValue::Float(number)) => {
                Value::Number(rounded(*number).clamp(*low, *high))
            }
            (range, other) => unreachable!("{other} is drawn from {range}"),
        }
    }
}

/// To three significant digits: more would say more than a search knows.
fn rounded(number: f64) -> f64 {
    format!("{number:.2e}").parse().expect("a number that was written is one")
}

/// Whether a trial in training is behind the others.
pub(super) struct Behind {
    pruner: MedianPruner,
    complete: Vec<CompletedTrial>,
}

/// Trials that have to be complete before one is given up.
const LEAST_COMPLETE: usize = 5;
/// The share of all epochs before which no trial is given up.
const GRACE: f64 = 0.1;

impl Behind {
    pub(super) fn new(seen: &[Trial], num_epochs: usize) -> Self {
        let grace = (num_epochs as f64 * GRACE).ceil() as u64;
        let pruner = MedianPruner::new(Direction::Minimize)
            .n_warmup_steps(grace)
            .n_min_trials(LEAST_COMPLETE);
        let complete = seen.iter().filter(|trial| trial.state == TrialState::Complete);
        let history = |trial: &Trial| {
            CompletedTrial::with_intermediate_values(
                trial.trial as u64,
                HashMap::new(),
                HashMap::new(),
                HashMap::new(),
                trial.rank_by(),
                (1..).zip(trial.lowest()).collect(),
                HashMap::new(),
            )
        };
        Self { pruner, complete: complete.map(history).collect() }
    }

    /// After an epoch, counted from 1: whether the lowest loss so far is above the median of those that
    /// complete trials had then.
    pub(super) fn is_at(&self, epoch: usize, lowest: f64) -> bool {
        let step = epoch as u64;
        self.pruner.should_prune(0, step, &[(step, lowest)], &self.complete)
    }
}
