use burn::tensor::backend::{AutodiffBackend, Backend};
use kiln_kernels::Network;
use kiln_model::{Mlp, MlpConfig, Task};

use super::{
    Trained,
    data::{TrainRows, Validation},
    restart::Restart,
};
use crate::{
    checkpoint::{Checkpoints, Identity, Place, Saved, Winner},
    config::TrainConfig,
    error::TrainError,
    learner::{BurnLearner, HostLearner, Learner, Tensors},
    observer::{EpochRecord, Event, Observer},
    random::restart_seed,
};

/// What all restarts share.
pub(super) struct Run<'a, B: AutodiffBackend> {
    pub(super) model: MlpConfig,
    pub(super) task: Task,
    pub(super) config: &'a TrainConfig,
    pub(super) rows: usize,
    pub(super) train: TrainRows<B>,
    pub(super) valid: Option<Validation<B::InnerBackend>>,
    pub(super) device: &'a B::Device,
}

/// What earlier restarts have left, and those who hear of the run.
pub(super) struct Log<'a, 'b, B: Backend> {
    pub(super) observers: &'a mut [&'b mut dyn Observer],
    pub(super) checkpoints: Option<(&'a mut Checkpoints, Identity)>,
    /// Of all restarts.
    pub(super) records: Vec<EpochRecord>,
    pub(super) best: Option<Ended<B>>,
}

impl<B: Backend> Log<'_, '_, B> {
    pub(super) fn tell(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        tell(self.observers, event)
    }

    /// The epochs that a restart, counted from 0, has done.
    pub(super) fn records_of(&self, restart: usize) -> impl Iterator<Item = &EpochRecord> {
        self.records.iter().filter(move |record| record.is_of(restart))
    }

    /// The checkpoint that the run goes on from is not one of such a run.
    pub(super) fn unusable(&self, problem: impl ToString) -> TrainError {
        let from =
            self.checkpoints.as_ref().and_then(|(checkpoints, _)| checkpoints.resumed_from());
        let path = from.expect("the run goes on from a checkpoint").to_owned();
        TrainError::Checkpoint { path, problem: problem.to_string() }
    }

    /// The score by which a restart competes: lower is better.
    fn score(&self, ended: &Winner) -> f64 {
        let kept = self.records_of(ended.restart).nth(ended.kept_epoch - 1);
        // Without validation rows there is but one restart, and nothing to compete with.
        kept.and_then(|record| record.valid_loss).unwrap_or(0.0)
    }
}

pub(super) fn tell(
    observers: &mut [&mut dyn Observer],
    event: &Event<'_>,
) -> Result<(), TrainError> {
    observers.iter_mut().try_for_each(|observer| observer.observe(event))
}

/// A restart that is over.
pub(super) struct Ended<B: Backend> {
    pub(super) how: Winner,
    pub(super) model: Mlp<B>,
}

impl<B: AutodiffBackend> Run<'_, B> {
    pub(super) fn iterations_per_epoch(&self) -> usize {
        self.rows.div_ceil(self.config.batch_size.rows_of(self.rows))
    }

    /// The network of a restart, counted from 0.
    pub(super) fn model_config(&self, restart: usize) -> MlpConfig {
        self.model.clone().with_seed(restart_seed(self.config.seed, restart))
    }

    /// With the weights from which `model` starts, or those that were saved.
    pub(super) fn learner<'a>(
        &'a self,
        model: &MlpConfig,
        saved: Option<Tensors>,
    ) -> Result<Box<dyn Learner<B::InnerBackend> + 'a>, TrainError> {
        Ok(match &self.train {
            TrainRows::Host(data) => {
                let network = start::<B::InnerBackend>(model, saved, self.device)?;
                let network = Network::of(&network).expect("the kernels have all of it");
                let (task, config, device) = (self.task, self.config, self.device);
                Box::new(HostLearner::new(network, model, task, config, data, device)?)
            }
            TrainRows::Device(data, objective) => {
                let network = start::<B>(model, saved, self.device)?;
                let (task, config, device) = (self.task, self.config, self.device);
                Box::new(BurnLearner::new(task, config, objective, data, network, device))
            }
        })
    }

    /// The run that ends with the lowest score.
    pub(super) fn best_restart(
        &self,
        observers: &mut [&mut dyn Observer],
        mut checkpoints: Option<(&mut Checkpoints, Identity)>,
    ) -> Result<Trained<B::InnerBackend>, TrainError> {
        let mut saved = match &mut checkpoints {
            Some((checkpoints, identity)) => match checkpoints.take_resumed() {
                Some(saved) => {
                    identity.check(&saved.manifest.identity)?;
                    Some(saved)
                }
                None => None,
            },
            None => None,
        };
        let mut log = Log { observers, checkpoints, records: Vec::new(), best: None };
        if let Some(saved) = &mut saved {
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
            (Some(Ended { how, model }), _) => Ok(Trained {
                model,
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
        let (_, identity) = log.checkpoints.as_ref().expect("a saved run has checkpoints");
        let place: &Place = &saved.manifest.place;
        place.check(identity, self.iterations_per_epoch())?;
        log.records = place.records.clone();
        if let Some(how) = place.winner {
            let config = self.model_config(how.restart);
            log.best = Some(Ended { how, model: self.network(&config, saved.take("winner."))? });
        }
        Ok(())
    }

    /// A network of saved weights, without gradients.
    pub(super) fn network(
        &self,
        config: &MlpConfig,
        mut tensors: Tensors,
    ) -> Result<Mlp<B::InnerBackend>, String> {
        config
            .from_tensors(|name| tensors.remove(name), self.device)
            .map_err(|error| error.to_string())
    }
}

fn start<B: Backend>(
    model: &MlpConfig,
    saved: Option<Tensors>,
    device: &B::Device,
) -> Result<Mlp<B>, TrainError> {
    Ok(match saved {
        Some(mut tensors) => model.from_tensors(|name| tensors.remove(name), device)?,
        None => model.init(device)?,
    })
}
