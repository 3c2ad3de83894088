use serde::{Deserialize, Serialize};

use crate::config::{Keep, TrainConfig};

/// What is remembered of the epochs of a run, to keep the best one or to stop early: `M` is a model.
pub(crate) struct Stopping<M> {
    keep: Keep,
    min_delta: f64,
    /// `None`: the run is never stopped.
    patience: Option<usize>,
    best: Option<Best<M>>,
    epochs_without: usize,
}

struct Best<M> {
    epoch: usize,
    score: f64,
    /// `None` where the last epoch is kept.
    model: Option<M>,
}

/// The same except the model, which is stored separately.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoppingState {
    pub(crate) best: Option<(usize, f64)>,
    pub(crate) epochs_without: usize,
}

impl<M> Stopping<M> {
    /// `None` for a run that compares no epochs.
    pub(crate) fn new(config: &TrainConfig) -> Option<Self> {
        config.compares_epochs().then(|| Self {
            keep: config.keep,
            min_delta: config.early_stopping.map_or(0.0, |stopping| stopping.min_delta),
            patience: config.early_stopping.map(|stopping| stopping.patience),
            best: None,
            epochs_without: 0,
        })
    }

    pub(crate) fn keeps_best(&self) -> bool {
        self.keep == Keep::Best
    }

    pub(crate) fn save(&self) -> (StoppingState, Option<&M>) {
        let best = self.best.as_ref();
        let state = StoppingState {
            best: best.map(|best| (best.epoch, best.score)),
            epochs_without: self.epochs_without,
        };
        (state, best.and_then(|best| best.model.as_ref()))
    }

    /// Takes back what [`Stopping::save`] has given.
    pub(crate) fn load(&mut self, state: StoppingState, model: Option<M>) {
        self.best = state.best.map(|(epoch, score)| Best { epoch, score, model });
        self.epochs_without = state.epochs_without;
    }

    /// Takes in the score of an epoch, lower is better, and says whether it is the best so far.
    /// The model is asked for only where it is kept.
    pub(crate) fn observe(&mut self, epoch: usize, score: f64, model: impl FnOnce() -> M) -> bool {
        let is_best = match &self.best {
            Some(best) => score < best.score - self.min_delta,
            None => true,
        };
        if is_best {
            let model = self.keeps_best().then(model);
            self.best = Some(Best { epoch, score, model });
            self.epochs_without = 0;
        } else {
            self.epochs_without += 1;
        }
        is_best
    }

    pub(crate) fn is_over(&self) -> bool {
        self.patience.is_some_and(|patience| self.epochs_without >= patience)
    }

    /// The best epoch and its model, where that is kept.
    pub(crate) fn into_kept(self) -> Option<(usize, M)> {
        self.best.and_then(|best| Some((best.epoch, best.model?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EarlyStopping;

    const SCORES: [f64; 5] = [3.0, 1.0, 2.0, 1.5, 0.5];

    fn run(config: &TrainConfig, scores: &[f64]) -> (usize, Option<(usize, &'static str)>) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut stopping = Stopping::new(config).unwrap();
        let mut epochs = 0;
        for (epoch, score) in scores.iter().enumerate() {
            stopping.observe(epoch, *score, || names[epoch]);
            epochs += 1;
            if stopping.is_over() {
                break;
            }
        }
        (epochs, stopping.into_kept())
    }

    fn patience(patience: usize, min_delta: f64) -> TrainConfig {
        TrainConfig::new().with_early_stopping(EarlyStopping { patience, min_delta })
    }

    #[test]
    fn stops_after_patience_with_the_best_model() {
        let best = |epochs| patience(epochs, 0.0).with_keep(Keep::Best);
        assert_eq!(run(&best(2), &SCORES), (4, Some((1, "b"))));
        assert_eq!(run(&best(3), &SCORES), (5, Some((4, "e"))));
    }

    #[test]
    fn the_best_model_is_kept_without_patience() {
        let config = TrainConfig::new().with_keep(Keep::Best);
        assert_eq!(run(&config, &SCORES[..4]), (4, Some((1, "b"))));
    }

    #[test]
    fn patience_alone_keeps_no_model() {
        assert_eq!(run(&patience(2, 0.0), &SCORES), (4, None));
        assert!(Stopping::<()>::new(&TrainConfig::new()).is_none());
    }

    #[test]
    fn a_gain_within_min_delta_is_none() {
        let config = patience(2, 0.5).with_keep(Keep::Best);
        assert_eq!(run(&config, &[3.0, 2.8, 2.6, 1.0]), (3, Some((0, "a"))));
    }
}
