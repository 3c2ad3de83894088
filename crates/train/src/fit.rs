use std::time::Instant;

use burn::tensor::backend::{AutodiffBackend, Backend};
use kiln_data::{Batches, Dataset};
use kiln_kernels::{KilnBackend, Network, TrainBackend};
use kiln_model::{LossConfig, Mlp, MlpConfig, Normalization, Task};

use crate::{
    config::{BatchSize, Monitor, TrainConfig},
    error::TrainError,
    evaluate::{actual, exact_match, mean_loss},
    learner::{BurnLearner, HostLearner, Learner, Step},
    objective::{Objective, check_dataset},
    observer::{EpochRecord, Event, Observer, RunInfo, StopReason},
    predict::{Rows, check_head},
    random::restart_seed,
    schedule::{Plateau, Position},
    stopping::Stopping,
};

/// A trained network and how it came about.
#[derive(Debug, Clone)]
pub struct Trained<B: Backend> {
    /// With the weights of `kept_epoch`, on the backend without gradients.
    pub model: Mlp<B>,
    /// What the network was made from; its `seed` is that of the restart that won.
    pub config: MlpConfig,
    /// One record per epoch of the restart that won.
    pub history: Vec<EpochRecord>,
    /// The epoch whose weights these are, counted from 1.
    pub kept_epoch: usize,
    /// Why training ended.
    pub stop: StopReason,
}

/// Trains a network.
///
/// On a CPU backend of `f32` Kiln's kernels ([`kiln_kernels`]) do the work, unless the network has
/// normalization; else Burn's operations do, and the datasets go to the device once. An iteration
/// takes one batch: forward pass, mean loss (weighted where rows carry weights), backward pass,
/// update. Losses stay on the device until the epoch is over. The seed of `config` decides initial
/// weights, order of rows and dropout, in place of the one in `model`.
///
/// Validation rows choose, where the config asks for it: when to stop and which epoch to keep (early
/// stopping), the learning rate (reduction on plateau), and which restart wins. Else they are
/// reported only. Observers hear of every event, in their order.
///
/// # Errors
///
/// * A config out of its range; network, task and data that do not fit together; a batch of one row
///   with batch normalization.
/// * [`TrainError::NoValidation`]: early stopping or restarts without validation rows.
/// * [`TrainError::Diverged`]: the loss is NaN or infinite; with restarts, in all of them.
/// * What an observer returned.
pub fn fit<B: TrainBackend>(
    model: &MlpConfig,
    task: Task,
    config: &TrainConfig,
    train: Dataset,
    valid: Option<Dataset>,
    device: &B::Device,
    observers: &mut [&mut dyn Observer],
) -> Result<Trained<B::InnerBackend>, TrainError> {
    check_run(model, task, config, &train, valid.as_ref())?;
    // The kernels have no normalization, and number rows by 32 bits.
    let host = B::InnerBackend::HOST
        && model.normalization == Normalization::None
        && u32::try_from(train.rows()).is_ok();
    let valid = match valid {
        Some(valid) => {
            Some(Validation::<B::InnerBackend>::new(host, task, &config.loss, valid, device)?)
        }
        None => None,
    };
    let rows = train.rows();
    let train: TrainRows<B> = if host {
        TrainRows::Host(train)
    } else {
        let objective = Objective::new(task, &config.loss, train.targets(), device)?;
        let batch_size = config.batch_size.rows_of(rows);
        TrainRows::Device(Batches::new(train, batch_size, device)?, objective)
    };
    let run = Run { model: model.clone(), task, config, rows, train, valid };
    if host {
        // In the pool, where the kernels' work is divided: from outside, each step would wake two threads
        // of it instead of one, twice.
        rayon::scope(|_| run.best_restart(device, observers))
    } else {
        run.best_restart(device, observers)
    }
}

fn check_run(
    model: &MlpConfig,
    task: Task,
    config: &TrainConfig,
    train: &Dataset,
    valid: Option<&Dataset>,
) -> Result<(), TrainError> {
    config.validate()?;
    model.validate()?;
    check_head(task, model.d_output)?;
    for dataset in std::iter::once(train).chain(valid) {
        check_dataset(task, model.d_input, dataset)?;
    }
    if valid.is_none() {
        if config.early_stopping.is_some() {
            return Err(TrainError::NoValidation { field: "early_stopping" });
        }
        if config.restarts > 1 {
            return Err(TrainError::NoValidation { field: "restarts" });
        }
    }
    if config.batch_size == BatchSize::Rows(1) && model.normalization == Normalization::Batch {
        let expected = "at least 2 with batch normalization";
        return Err(TrainError::field("batch_size", 1, expected));
    }
    Ok(())
}

/// The validation rows: to be predicted, and to be compared with.
struct Validation<B: Backend> {
    rows: Rows<B>,
    actual: Vec<u32>,
    weights: Option<Vec<f32>>,
}

impl<B: Backend> Validation<B> {
    fn new(
        host: bool,
        task: Task,
        loss: &LossConfig,
        dataset: Dataset,
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            actual: actual(task, dataset.targets()),
            weights: dataset.weights().map(<[f32]>::to_vec),
            rows: Rows::new(host, task, loss, dataset, device)?,
        })
    }

    /// Loss and accuracy.
    fn score(&self, model: &Mlp<B>, task: Task) -> (f64, f64) {
        let predictions = self.rows.predict(model, task);
        // A decision for each row, or one for each label.
        let width = self.actual.len() / self.rows.rows();
        (
            mean_loss(&predictions, self.weights.as_deref()),
            exact_match(&self.actual, &predictions.decisions, width),
        )
    }
}

/// The training rows.
enum TrainRows<B: Backend> {
    Host(Dataset),
    Device(Batches<B>, Objective<B>),
}

/// What all restarts share.
struct Run<'a, B: AutodiffBackend> {
    model: MlpConfig,
    task: Task,
    config: &'a TrainConfig,
    rows: usize,
    train: TrainRows<B>,
    valid: Option<Validation<B::InnerBackend>>,
}

impl<B: AutodiffBackend> Run<'_, B> {
    fn learner<'a>(
        &'a self,
        model: &'a MlpConfig,
        device: &'a B::Device,
    ) -> Result<Box<dyn Learner<B::InnerBackend> + 'a>, TrainError> {
        Ok(match &self.train {
            TrainRows::Host(data) => {
                let network = Network::of(&model.init::<B::InnerBackend>(device)?)
                    .expect("the kernels have all of it");
                Box::new(HostLearner::new(network, model, self.task, self.config, data, device)?)
            }
            TrainRows::Device(data, objective) => {
                let network = model.init::<B>(device)?;
                Box::new(BurnLearner::new(self.config, objective, data, network))
            }
        })
    }

    /// The run that ends with the lowest score.
    fn best_restart(
        &self,
        device: &B::Device,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Trained<B::InnerBackend>, TrainError> {
        let mut best: Option<(f64, Trained<B::InnerBackend>)> = None;
        let mut first_error = None;
        for restart in 0..self.config.restarts {
            match self.restart(restart, device, observers) {
                Ok((score, trained)) => {
                    if best.as_ref().is_none_or(|(best, _)| score < *best) {
                        best = Some((score, trained));
                    }
                }
                // Another seed may do better.
                Err(error @ TrainError::Diverged { .. }) => {
                    first_error.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match (best, first_error) {
            (Some((_, trained)), _) => Ok(trained),
            (None, Some(error)) => Err(error),
            (None, None) => unreachable!("there is at least one restart"),
        }
    }

    /// One run from its own seed, and the score by which it competes: lower is better.
    fn restart(
        &self,
        restart: usize,
        device: &B::Device,
        observers: &mut [&mut dyn Observer],
    ) -> Result<(f64, Trained<B::InnerBackend>), TrainError> {
        let config = self.config;
        let seed = restart_seed(config.seed, restart);
        let model_config = self.model.clone().with_seed(seed);
        let mut learner = self.learner(&model_config, device)?;
        let mut plateau = Plateau::new();
        let mut stopping = config.early_stopping.map(Stopping::new);
        let iterations_per_epoch = self.rows.div_ceil(config.batch_size.rows_of(self.rows));
        let mut history: Vec<EpochRecord> = Vec::new();
        let mut stop = StopReason::Epochs;
        let mut iteration = 0;

        tell(
            observers,
            Event::Run(RunInfo {
                restart: restart + 1,
                restarts: config.restarts,
                seed,
                rows: self.rows,
                valid_rows: self.valid.as_ref().map_or(0, |valid| valid.rows.rows()),
                parameters: model_config.num_parameters(),
                num_epochs: config.num_epochs,
                iterations_per_epoch,
            }),
        )?;
        for epoch in 0..config.num_epochs {
            let started = Instant::now();
            let first_iteration = iteration;
            let mut learning_rates = Vec::with_capacity(iterations_per_epoch);
            learner.start_epoch(seed, epoch);
            for _ in 0..iterations_per_epoch {
                let at = Position {
                    iteration,
                    epoch,
                    iterations: iterations_per_epoch * config.num_epochs,
                };
                let learning_rate = config.learning_rate * config.schedule.fraction(at, &plateau);
                let rows = learner.step(Step { seed, iteration, learning_rate });
                iteration += 1;
                learning_rates.push(learning_rate);
                tell(
                    observers,
                    Event::Iteration { epoch: epoch + 1, iteration, rows, learning_rate },
                )?;
            }
            let (losses, train_loss) = learner.end_epoch();
            let seconds = started.elapsed().as_secs_f64();
            let diverged = |which, loss, index: usize| TrainError::Diverged {
                which,
                loss,
                iteration: first_iteration + index + 1,
                epoch: epoch + 1,
                learning_rate: learning_rates[index],
            };
            if let Some(index) = losses.iter().position(|loss| !loss.is_finite()) {
                return Err(diverged("training", losses[index], index));
            }
            tell(
                observers,
                Event::Losses { first_iteration: first_iteration + 1, losses: &losses },
            )?;

            let not_finite = || diverged("training", f64::NAN, losses.len() - 1);
            let validated = match &self.valid {
                Some(valid) => {
                    let model = learner.model().ok_or_else(not_finite)?;
                    Some((valid.score(&model, self.task), model))
                }
                None => None,
            };
            let score = validated.as_ref().map(|(score, _)| *score);
            if let Some((loss, accuracy)) = score {
                if !loss.is_finite() {
                    return Err(diverged("validation", loss, losses.len() - 1));
                }
                tell(observers, Event::Validation { epoch: epoch + 1, loss, accuracy })?;
            }
            plateau.observe(&config.schedule, score.map_or(train_loss, |(loss, _)| loss));
            let best = match (&mut stopping, validated) {
                (Some(stopping), Some(((loss, accuracy), model))) => {
                    let score = match stopping.monitor() {
                        Monitor::Loss => loss,
                        Monitor::Accuracy => -accuracy,
                    };
                    stopping.observe(epoch, score, || model)
                }
                _ => true,
            };
            let record = EpochRecord {
                restart: restart + 1,
                epoch: epoch + 1,
                iterations: iteration,
                learning_rate: *learning_rates.last().expect("an epoch has iterations"),
                train_loss,
                valid_loss: score.map(|(loss, _)| loss),
                valid_accuracy: score.map(|(_, accuracy)| accuracy),
                best,
                seconds,
                rows_per_second: self.rows as f64 / seconds,
            };
            tell(observers, Event::Epoch(&record))?;
            history.push(record);
            if stopping.as_ref().is_some_and(Stopping::is_over) {
                stop = StopReason::Patience;
                break;
            }
        }

        let (kept, model) = match stopping {
            Some(stopping) => stopping.into_best().expect("there was at least one epoch"),
            None => {
                let last = history.last().expect("there was at least one epoch");
                let model = learner.model().ok_or(TrainError::Diverged {
                    which: "training",
                    loss: f64::NAN,
                    iteration,
                    epoch: last.epoch,
                    learning_rate: last.learning_rate,
                })?;
                (history.len() - 1, model)
            }
        };
        drop(learner);
        tell(observers, Event::Stop { reason: stop, kept_epoch: kept + 1 })?;
        // Without validation rows there is but one restart, and nothing to compete with.
        let score = history[kept].valid_loss.unwrap_or(0.0);
        let kept_epoch = kept + 1;
        Ok((score, Trained { model, config: model_config, history, kept_epoch, stop }))
    }
}

fn tell(observers: &mut [&mut dyn Observer], event: Event<'_>) -> Result<(), TrainError> {
    observers.iter_mut().try_for_each(|observer| observer.observe(&event))
}
