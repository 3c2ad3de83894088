use std::{io, path::PathBuf, time::Instant};

use burn::tensor::{
    TensorData,
    backend::{AutodiffBackend, Backend},
};
use kiln_model::{Mlp, MlpConfig};

use super::run::{Ended, Log, Run, tell};
use crate::{
    checkpoint::{Place, Saved, Winner},
    config::Monitor,
    error::TrainError,
    learner::{Learner, Step, joined},
    observer::{EpochRecord, Event, Network, RunInfo, StopReason},
    random::restart_seed,
    ranks::Signal,
    schedule::{Plateau, Position},
    stopping::Stopping,
    tensors::Tensors,
};

/// One run from its own seed.
pub(super) struct Restart<'a, B: AutodiffBackend> {
    run: &'a Run<'a, B>,
    /// Counted from 0.
    restart: usize,
    seed: u64,
    model: MlpConfig,
    learner: Box<dyn Learner<B::InnerBackend> + 'a>,
    plateau: Plateau,
    stopping: Option<Stopping<Vec<Mlp<B::InnerBackend>>>>,
    /// Done so far.
    iteration: usize,
    clock: Clock,
    /// Seconds of all epochs, with their measurement.
    spent: f64,
    /// So many there will be, at most.
    num_epochs: usize,
    /// What the learner is to go on with in the epoch that was cut off.
    saved: Option<Tensors>,
}

impl<'a, B: AutodiffBackend> Restart<'a, B> {
    /// From its start, or from where it was saved.
    pub(super) fn new(
        run: &'a Run<'a, B>,
        restart: usize,
        saved: Option<Saved>,
        log: &mut Log<'_, '_, B::InnerBackend>,
    ) -> Result<Self, TrainError> {
        let config = run.config;
        let model = run.model_config(restart);
        let seed = restart_seed(config.seed, restart);
        let (network, saved) = match saved {
            Some(mut saved) => (Some(saved.take("network.")), Some(saved)),
            None => (None, None),
        };
        let learner = run.learner(&model, network).map_err(|error| match saved {
            Some(_) => log.unusable(error),
            None => error,
        })?;
        let mut this = Self {
            run,
            restart,
            seed,
            model,
            learner,
            plateau: Plateau::new(),
            stopping: Stopping::new(config),
            iteration: 0,
            clock: Clock::default(),
            spent: 0.0,
            num_epochs: config.num_epochs,
            saved: None,
        };
        if let Some(saved) = saved {
            this.load(saved).map_err(|problem| log.unusable(problem))?;
        }
        this.begin(log)?;
        Ok(this)
    }

    /// All but the network, and what the learner keeps beside it.
    fn load(&mut self, mut saved: Saved) -> Result<(), String> {
        if let Some(stopping) = &mut self.stopping {
            let best = saved.take("best.");
            let state = saved.manifest.place.stopping.ok_or("there is no `place.stopping`")?;
            let kept = state.best.filter(|_| stopping.keeps_best());
            let models = kept.map(|_| self.run.networks(&self.model, best)).transpose()?;
            stopping.load(state, models);
        }
        let place = &saved.manifest.place;
        (self.iteration, self.plateau) = (place.iteration, place.plateau);
        self.clock.seconds = place.seconds;
        self.spent = place.spent;
        self.num_epochs = self.epochs_in_time();
        self.saved = Some(saved.tensors);
        Ok(())
    }

    fn begin(&mut self, log: &mut Log<'_, '_, B::InnerBackend>) -> Result<(), TrainError> {
        let (run, config) = (self.run, self.run.config);
        log.tell(&Event::Run(RunInfo {
            restart: self.restart + 1,
            restarts: config.restarts,
            seed: self.seed,
            rows: run.rows_of_epoch(),
            valid_rows: run.valid.as_ref().map_or(0, |valid| valid.rows()),
            parameters: self.model.num_parameters() * run.trained_on.len(),
            num_epochs: self.num_epochs,
            iterations_per_epoch: run.iterations_per_epoch(),
            patience: config.early_stopping.map(|stopping| stopping.patience),
        }))?;
        if self.saved.is_some() {
            let [epochs, batches] = self.place_in_epochs();
            let rows = epochs * run.rows_of_epoch() + run.rows_of_batches(batches);
            let records = &log.records;
            let resume = Event::Resume { iteration: self.iteration, rows, records };
            return tell(log.observers, &resume);
        }
        if self.restart > 0 || !self.keeps_checkpoints(log) {
            return Ok(());
        }
        // The first shows that there can be others, and the run can be resumed from then on.
        let written = self.checkpoint(log)?;
        written.map(drop).map_err(|source| {
            let checkpoints = log.checkpoints.as_ref().expect("one was to be written");
            TrainError::CheckpointFolder { folder: checkpoints.folder().to_owned(), source }
        })
    }

    /// Whether this process, or rank 0, does.
    fn keeps_checkpoints(&self, log: &Log<'_, '_, B::InnerBackend>) -> bool {
        self.run.group.map_or(log.checkpoints.is_some(), |group| group.keeps_checkpoints)
    }

    /// Whole epochs, and iterations of the next one.
    fn place_in_epochs(&self) -> [usize; 2] {
        let per_epoch = self.run.iterations_per_epoch();
        [self.iteration / per_epoch, self.iteration % per_epoch]
    }

    /// All epochs, or as many as early stopping lets it have.
    pub(super) fn train(
        mut self,
        log: &mut Log<'_, '_, B::InnerBackend>,
    ) -> Result<Ended<B::InnerBackend>, TrainError> {
        let stop = loop {
            if self.stopping.as_ref().is_some_and(Stopping::is_over) {
                break StopReason::Patience;
            }
            let epochs = log.records_of(self.restart).count();
            if epochs >= self.num_epochs {
                break match epochs == self.run.config.num_epochs {
                    true => StopReason::Epochs,
                    false => StopReason::TimeBudget,
                };
            }
            self.epoch(log)?;
        };
        let last = log.records_of(self.restart).last().expect("there was at least one epoch");
        let (kept, models) = match self.stopping.and_then(Stopping::into_kept) {
            Some(best) => best,
            None => {
                let models = self.learner.models().ok_or(TrainError::Diverged {
                    which: "training",
                    loss: f64::NAN,
                    iteration: self.iteration,
                    epoch: last.epoch,
                    learning_rate: last.learning_rate,
                })?;
                (last.epoch - 1, models)
            }
        };
        let how = Winner { restart: self.restart, kept_epoch: kept + 1, stop };
        log.tell(&Event::Stop { reason: stop, kept_epoch: how.kept_epoch })?;
        Ok(Ended { how, models })
    }

    fn epoch(&mut self, log: &mut Log<'_, '_, B::InnerBackend>) -> Result<(), TrainError> {
        let (run, config) = (self.run, self.run.config);
        let iterations_per_epoch = run.iterations_per_epoch();
        let [epoch, first] = self.place_in_epochs();
        let first_iteration = self.iteration - first;
        let (plateau, num_epochs) = (self.plateau, self.num_epochs);
        let learning_rate = |iteration| {
            let iterations = iterations_per_epoch * num_epochs;
            let at = Position { iteration, epoch, iterations };
            config.learning_rate * config.schedule.fraction(at, &plateau)
        };
        self.learner.start_epoch(self.seed, epoch);
        if let Some(mut tensors) = self.saved.take() {
            self.learner
                .load(self.iteration, first, &mut tensors)
                .map_err(|problem| log.unusable(problem))?;
        }
        self.clock.start();
        for batch in first..iterations_per_epoch {
            let learning_rate = learning_rate(self.iteration);
            let (seed, iteration) = (self.seed, self.iteration);
            if let Some(group) = run.group {
                group.say(|| signal(log, iteration + 1, None));
            }
            let rows = self.learner.step(Step { seed, iteration, learning_rate })?;
            self.iteration += 1;
            let iteration = self.iteration;
            log.tell(&Event::Iteration { epoch: epoch + 1, iteration, rows, learning_rate })?;
            if batch + 1 < iterations_per_epoch {
                self.pause(log, None)?;
            }
        }
        let (losses, train_loss, right) = self.learner.end_epoch();
        let seconds = self.clock.end();
        let trained = Instant::now();
        let diverged = |which, loss, index: usize| TrainError::Diverged {
            which,
            loss,
            iteration: first_iteration + index + 1,
            epoch: epoch + 1,
            learning_rate: learning_rate(first_iteration + index),
        };
        if let Some(index) = losses.iter().position(|loss| !loss.is_finite()) {
            return Err(diverged("training", losses[index], index));
        }
        log.tell(&Event::Losses { first_iteration: first_iteration + 1, losses: &losses })?;

        let not_finite = || diverged("training", f64::NAN, losses.len() - 1);
        let validated = match &run.valid {
            Some(valid) => {
                let models = self.learner.models().ok_or_else(not_finite)?;
                Some((valid.score(&models, &self.learner.networks(), run.task), models))
            }
            None => None,
        };
        let score = validated.as_ref().map(|((loss, accuracy, _), _)| (*loss, *accuracy));
        if let Some((loss, accuracy)) = score {
            if !loss.is_finite() {
                return Err(diverged("validation", loss, losses.len() - 1));
            }
            log.tell(&Event::Validation { epoch: epoch + 1, loss, accuracy })?;
        }
        self.plateau.observe(&config.schedule, score.map_or(train_loss, |(loss, _)| loss));
        let (decisions, models) = match validated {
            Some(((.., decisions), models)) => (decisions, Some(models)),
            None => (Vec::new(), None),
        };
        let best = match (&mut self.stopping, score.zip(models)) {
            (Some(stopping), Some(((loss, accuracy), models))) => {
                let score = match config.monitor {
                    Monitor::Loss => loss,
                    Monitor::Accuracy => -accuracy,
                };
                stopping.observe(epoch, score, || models)
            }
            _ => true,
        };
        let record = EpochRecord {
            restart: self.restart + 1,
            epoch: epoch + 1,
            iterations: self.iteration,
            learning_rate: learning_rate(self.iteration - 1),
            train_loss,
            train_accuracy: right / run.rows_of_epoch() as f64,
            valid_loss: score.map(|(loss, _)| loss),
            valid_accuracy: score.map(|(_, accuracy)| accuracy),
            best,
            seconds,
            waiting: self.learner.waiting(),
            // A coarse clock may not have moved.
            rows_per_second: run.rows_of_epoch() as f64 / seconds.max(1e-9),
        };
        log.tell(&Event::Epoch(&record))?;
        let learner = &self.learner;
        let weights = || {
            let models = learner.models().unwrap_or_default();
            joined(models.iter().map(Mlp::tensors).collect())
                .map(|(name, data)| (name, data.iter().collect()))
                .collect()
        };
        let confusion = || run.valid.as_ref().map(|v| v.confusion(run.task, &decisions));
        log.tell(&Event::Network(Network {
            epoch: epoch + 1,
            weights: &weights,
            gradients: &|| learner.gradients(),
            confusion: &confusion,
        }))?;
        log.records.push(record);
        self.spent += seconds + trained.elapsed().as_secs_f64();
        self.plan(log)?;
        self.pause(log, Some(epoch + 1))
    }

    /// As many epochs as there is time for; all processes take the clock of the first.
    fn plan(&mut self, log: &mut Log<'_, '_, B::InnerBackend>) -> Result<(), TrainError> {
        if self.run.config.time_budget.is_none() {
            return Ok(());
        }
        if let Some(group) = self.run.group {
            let bytes = group.of_root(|| self.spent.to_le_bytes().to_vec());
            self.spent = f64::from_le_bytes(bytes.try_into().expect("rank 0 sent eight bytes"));
        }
        let num_epochs = self.epochs_in_time();
        if num_epochs != self.num_epochs {
            self.num_epochs = num_epochs;
            log.tell(&Event::Planned { num_epochs })?;
        }
        Ok(())
    }

    /// The epochs that the time budget has room for, judged by those done.
    fn epochs_in_time(&self) -> usize {
        let config = self.run.config;
        let [done, _] = self.place_in_epochs();
        let Some(budget) = config.time_budget.filter(|_| done > 0) else {
            return config.num_epochs;
        };
        let left = budget / config.restarts as f64 - self.spent;
        // What is below 0 is 0 then.
        let more = (left * done as f64 / self.spent.max(1e-9)) as usize;
        done.saturating_add(more).min(config.num_epochs)
    }

    /// Between two iterations: writes a checkpoint if it is time, and ends the run if that was asked for.
    /// `epochs`: how many are done, at the end of one.
    fn pause(
        &mut self,
        log: &mut Log<'_, '_, B::InnerBackend>,
        epochs: Option<usize>,
    ) -> Result<(), TrainError> {
        if !self.keeps_checkpoints(log) {
            return Ok(());
        }
        let Signal { checkpoint, stop } = match (self.run.group, epochs) {
            (None, _) => signal(log, self.iteration, epochs),
            // What goes with the step costs no call of its own.
            (Some(group), None) => group.heard(),
            (Some(group), _) => group.signal(|| signal(log, self.iteration, epochs)),
        };
        let config = self.run.config;
        let over = epochs.is_some_and(|epochs| {
            epochs >= self.num_epochs || self.stopping.as_ref().is_some_and(Stopping::is_over)
        });
        if !(over || stop || checkpoint) {
            return Ok(());
        }
        let written = self.checkpoint(log)?;
        if !stop || (over && self.restart + 1 == config.restarts) {
            return Ok(());
        }
        let [epoch, batches] = self.place_in_epochs();
        let epoch = if batches == 0 { epoch } else { epoch + 1 };
        let iteration = self.iteration;
        Err(match written {
            Ok(checkpoint) => TrainError::Interrupted { epoch, iteration, checkpoint },
            Err(source) => {
                let last = log.checkpoints.as_ref().and_then(|all| all.last_written());
                TrainError::InterruptedUnsaved { epoch, iteration, last, source }
            }
        })
    }

    /// Writes a checkpoint and tells of it; where it is, or why it could not be written.
    fn checkpoint(
        &mut self,
        log: &mut Log<'_, '_, B::InnerBackend>,
    ) -> Result<io::Result<PathBuf>, TrainError> {
        self.clock.pause();
        if let Some(group) = self.run.group {
            let models = self.learner.models().unwrap_or_default();
            let weights = models.iter().flat_map(Mlp::exact_tensors);
            let bytes: Vec<u8> = weights.flat_map(|(_, data)| data.as_bytes().to_vec()).collect();
            group.check_same("weights", &bytes)?;
        }
        if log.checkpoints.is_none() {
            // Rank 0 writes it.
            self.clock.start();
            return Ok(Ok(PathBuf::new()));
        }
        let (place, tensors) = (self.place(log), self.tensors(log));
        let checkpoints = log.checkpoints.as_mut().expect("just seen");
        let identity = self.run.identity();
        let path = checkpoints.path(&place);
        let written = match tensors {
            Some(tensors) => checkpoints.write(Saved::new(identity.clone(), place, tensors)),
            // The end of the epoch will tell so.
            None => Err(io::Error::other("a weight is no longer a finite number")),
        };
        log.tell(&Event::Checkpoint { path: &path, failure: written.as_ref().err() })?;
        self.clock.start();
        Ok(written.map(|()| path))
    }

    fn place(&self, log: &Log<'_, '_, B::InnerBackend>) -> Place {
        Place {
            restart: self.restart,
            iteration: self.iteration,
            seconds: self.clock.seconds,
            spent: self.spent,
            plateau: self.plateau,
            stopping: self.stopping.as_ref().map(|stopping| stopping.save().0),
            records: log.records.clone(),
            winner: log.best.as_ref().map(|best| best.how),
        }
    }

    /// The weights and all else; `None` if a weight is not finite.
    fn tensors(&mut self, log: &Log<'_, '_, B::InnerBackend>) -> Option<Tensors> {
        let best = self.stopping.as_ref().and_then(|stopping| stopping.save().1);
        let winner = log.best.as_ref().map(|best| &best.models);
        let networks = self.learner.models()?;
        let mut tensors = Tensors::new();
        let all = [("network", Some(&networks)), ("best", best), ("winner", winner)];
        for (prefix, models) in all.into_iter().filter_map(|(prefix, of)| Some((prefix, of?))) {
            let named = joined(models.iter().map(Mlp::exact_tensors).collect());
            tensors.extend(named.map(|(name, data)| (format!("{prefix}.{name}"), data)));
        }
        let is_finite = |data: &TensorData| data.iter::<f64>().all(f64::is_finite);
        if !tensors.values().all(is_finite) {
            return None;
        }
        tensors.extend(self.learner.save());
        Some(tensors)
    }
}

/// What the checkpoints ask for behind an iteration, if this process keeps some.
fn signal<B: Backend>(log: &Log<'_, '_, B>, iteration: usize, epochs: Option<usize>) -> Signal {
    log.checkpoints.as_ref().map_or_else(Signal::default, |checkpoints| Signal {
        checkpoint: checkpoints.is_due(iteration, epochs),
        stop: checkpoints.is_stop_asked(),
    })
}

/// The training time of an epoch.
#[derive(Debug, Default)]
struct Clock {
    seconds: f64,
    running: Option<Instant>,
}

impl Clock {
    fn start(&mut self) {
        self.running = Some(Instant::now());
    }

    fn pause(&mut self) {
        let started = self.running.take();
        self.seconds += started.map_or(0.0, |started| started.elapsed().as_secs_f64());
    }

    /// The seconds of the epoch, after which the next may start.
    fn end(&mut self) -> f64 {
        self.pause();
        std::mem::take(&mut self.seconds)
    }
}
