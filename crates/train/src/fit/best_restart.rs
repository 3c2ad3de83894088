use burn::tensor::backend::{AutodiffBackend, Backend};

use super::{
    restart::Restart,
    run::{Ended, Log, Run},
    trained::TrainedMembers,
};
use crate::{
    checkpoint::{Checkpoints, Place, Saved, Winner},
    error::TrainError,
    observer::Observer,
};

impl<B: AutodiffBackend> Run<'_, B> {
    /// The run that ends with the lowest score.
    pub(super) fn best_restart(
        &self,
        observers: &mut [&mut dyn Observer],
        mut checkpoints: Option<&mut Checkpoints>,
    ) -> Result<TrainedMembers<B::InnerBackend>, TrainError> {
        let mut saved = checkpoints.as_mut().and_then(|checkpoints| checkpoints.take_resumed());
        let mut log = Log { observers, checkpoints, records: Vec::new(), best: None };
        if let Some(group) = self.group {
            let bytes = group.of_root(|| saved.as_ref().map_or_else(Vec::new, Saved::to_bytes));
            if !group.is_root() && !bytes.is_empty() {
                let received = Saved::from_bytes(&bytes);
                saved = Some(received.map_err(|error| log.unusable(error))?);
            }
        }
        if let Some(saved) = &mut saved {
            self.identity().check(&saved.manifest.identity)?;
            self.load(saved, &mut log).map_err(|problem| log.unusable(problem))?;
        }
        let first = saved.as_ref().map_or(0, |saved| saved.manifest.place.restart);
        let mut last_error = None;
        for restart in first..self.config.restarts {
            let ended = Restart::new(self, restart, saved.take(), &mut log)
                .and_then(|restart| restart.train(&mut log));
            match ended {
                Ok(ended) => {
                    let best = log.best.as_ref().map(|best| log.score(&best.how));
                    if best.is_none_or(|best| log.score(&ended.how) < best) {
                        log.best = Some(ended);
                    }
                }
                // Another seed may do better.
                Err(error @ TrainError::Diverged { .. }) => last_error = Some(error),
                Err(error) => return Err(error),
            }
        }
        match (log.best, last_error) {
            (Some(Ended { how, models }), _) => Ok(TrainedMembers {
                models,
                config: self.model_config(how.restart),
                history: log
                    .records
                    .into_iter()
                    .filter(|record| record.is_of(how.restart))
                    .collect(),
                kept_epoch: how.kept_epoch,
                stop: how.stop,
            }),
            (None, Some(error)) => Err(error),
            (None, None) => unreachable!("there is at least one restart"),
        }
    }

    /// What earlier restarts have left, from a checkpoint.
    fn load(
        &self,
        saved: &mut Saved,
        log: &mut Log<'_, '_, B::InnerBackend>,
    ) -> Result<(), String> {
        let place: &Place = &saved.manifest.place;
        place.check(self.identity(), self.iterations_per_epoch())?;
        log.records = place.records.clone();
        if let Some(how) = place.winner {
            let config = self.model_config(how.restart);
            let models = self.networks(&config, saved.take("winner."))?;
            log.best = Some(Ended { how, models });
        }
        Ok(())
    }
}

impl<B: Backend> Log<'_, '_, B> {
    /// The score by which a restart competes: lower is better.
    fn score(&self, ended: &Winner) -> f64 {
        let kept = self.records_of(ended.restart).nth(ended.kept_epoch - 1);
        // Without validation rows there is but one restart, and nothing to compete with.
        kept.and_then(|record| record.valid_loss).unwrap_or(0.0)
    }
}
