use serde::{Deserialize, Serialize};

use super::hyperparameter::Value;

/// Settings that were tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// Counted from 0, which is the run without a search.
    pub trial: usize,
    /// How it ended.
    pub state: TrialState,
    /// Validation loss, in mean nats per row: of the epoch that was kept, or, where the trial was given up,
    /// the lowest so far; `None` where it diverged.
    pub loss: Option<f64>,
    /// Of the searched settings, in the order of the space.
    pub values: Vec<Value>,
    /// Validation loss after each epoch.
    pub losses: Vec<f64>,
    /// How long it took.
    pub seconds: f64,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// Trained to its end.
    Complete,
    /// Given up, for it was behind the others.
    Pruned,
    /// Its loss was no longer a number.
    Diverged,
}

impl Trial {
    /// What it counts for where trials are put in order: the lower, the better.
    pub(super) fn rank_by(&self) -> f64 {
        self.loss.unwrap_or(f64::INFINITY)
    }

    /// The lowest loss so far, after each epoch.
    pub(super) fn lowest(&self) -> impl Iterator<Item = f64> {
        self.losses.iter().scan(f64::INFINITY, |lowest, loss| {
            *lowest = lowest.min(*loss);
            Some(*lowest)
        })
    }
}

/// The trial with the lowest loss of those that were trained to their end; of equal ones the first.
pub fn best(trials: &[Trial]) -> Option<&Trial> {
    let complete = trials.iter().filter(|trial| trial.state == TrialState::Complete);
    complete.min_by(|a, b| a.rank_by().total_cmp(&b.rank_by()))
}
