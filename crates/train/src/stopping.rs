use serde::{Deserialize, Serialize};

use crate::config::{EarlyStopping, Monitor};

/// What early stopping remembers: `M` is the model of the best epoch.
pub(crate) struct Stopping<M> {
    config: EarlyStopping,
    best: Option<Best<M>>,
    epochs_without: usize,
}

struct Best<M> {
    epoch: usize,
    score: f64,
    model: M,
}

/// The same but for the model, which is kept elsewhere: there is one if there is a best epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoppingState {
    pub(crate) best: Option<(usize, f64)>,
    pub(crate) epochs_without: usize,
}

impl<M> Stopping<M> {
    pub(crate) fn new(config: EarlyStopping) -> Self {
        Self { config, best: None, epochs_without: 0 }
    }

    pub(crate) fn save(&self) -> (StoppingState, Option<&M>) {
        let best = self.best.as_ref();
        let state = StoppingState {
            best: best.map(|best| (best.epoch, best.score)),
            epochs_without: self.epochs_without,
        };
        (state, best.map(|best| &best.model))
    }

    /// Takes back what [`Stopping::save`] has given.
    pub(crate) fn load(&mut self, state: StoppingState, model: Option<M>) {
        let best = state.best.zip(model);
        self.best = best.map(|((epoch, score), model)| Best { epoch, score, model });
        self.epochs_without = state.epochs_without;
    }

    pub(crate) fn monitor(&self) -> Monitor {
        self.config.monitor
    }

    /// Takes in the score of an epoch, lower is better, and says whether it is the best so far.
    /// The model is asked for only then.
    pub(crate) fn observe(&mut self, epoch: usize, score: f64, model: impl FnOnce() -> M) -> bool {
        let is_best = match &self.best {
            Some(best) => score < best.score - self.config.min_delta,
            None => true,
        };
        if is_best {
            self.best = Some(Best { epoch, score, model: model() });
            self.epochs_without = 0;
        } else {
            self.epochs_without += 1;
        }
        is_best
    }

    pub(crate) fn is_over(&self) -> bool {
        self.epochs_without >= self.config.patience
    }

    /// The best epoch and its model.
    pub(crate) fn into_best(self) -> Option<(usize, M)> {
        self.best.map(|best| (best.epoch, best.model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(patience: usize, min_delta: f64, scores: &[f64]) -> (usize, (usize, &'static str)) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut stopping =
            Stopping::new(EarlyStopping { monitor: Monitor::Loss, patience, min_delta });
        let mut epochs = 0;
        for (epoch, score) in scores.iter().enumerate() {
            stopping.observe(epoch, *score, || names[epoch]);
            epochs += 1;
            if stopping.is_over() {
                break;
            }
        }
        (epochs, stopping.into_best().unwrap())
    }

    #[test]
    fn stops_after_patience_with_the_best_model() {
        assert_eq!(run(2, 0.0, &[3.0, 1.0, 2.0, 1.5, 0.5]), (4, (1, "b")));
        assert_eq!(run(3, 0.0, &[3.0, 1.0, 2.0, 1.5, 0.5]), (5, (4, "e")));
    }

    #[test]
    fn a_gain_within_min_delta_is_none() {
        assert_eq!(run(2, 0.5, &[3.0, 2.8, 2.6, 1.0]), (3, (0, "a")));
    }
}
