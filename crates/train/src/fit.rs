use std::time::Instant;

use burn::{
    module::AutodiffModule,
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use burn_optim::GradientsParams;
use kiln_data::{Batches, Dataset, Targets};
use kiln_model::{Mlp, MlpConfig, Normalization, Task, weighted_mean};

use crate::{
    config::{BatchSize, Monitor, TrainConfig},
    error::TrainError,
    evaluate::{actual, exact_match, mean_loss},
    objective::{Objective, check_dataset},
    observer::{EpochRecord, Event, Observer, RunInfo, StopReason},
    predict::{batches, check_head, predict_batches},
    random::{dropout_rng, restart_seed},
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
/// The datasets go to the device once. An iteration takes one batch: forward pass, mean loss
/// (weighted where rows carry weights), backward pass, update. Losses stay on the device until the
/// epoch is over. The seed of `config` decides initial weights, order of rows and dropout, in place
/// of the one in `model`.
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
pub fn fit<B: AutodiffBackend>(
    model: &MlpConfig,
    task: Task,
    config: &TrainConfig,
    train: Dataset,
    valid: Option<Dataset>,
    device: &B::Device,
    observers: &mut [&mut dyn Observer],
) -> Result<Trained<B::InnerBackend>, TrainError> {
    check_run(model, task, config, &train, valid.as_ref())?;
    let objective = Objective::<B>::new(task, &config.loss, train.targets(), device)?;
    let batch_size = config.batch_size.rows_of(train.rows());
    let valid = match valid {
        Some(valid) => Some(Validation::new(task, config, valid, device)?),
        None => None,
    };
    let run = Run {
        model: model.clone(),
        task,
        config,
        objective,
        train: Batches::new(train, batch_size, device)?,
        valid,
    };

    let mut best: Option<(f64, Trained<B::InnerBackend>)> = None;
    let mut first_error = None;
    for restart in 0..config.restarts {
        match run.restart(restart, device, observers) {
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

/// The validation rows: on the device to be predicted, on the host to be compared with.
struct Validation<B: AutodiffBackend> {
    objective: Objective<B::InnerBackend>,
    batches: Batches<B::InnerBackend>,
    actual: Vec<u32>,
    weights: Option<Vec<f32>>,
}

impl<B: AutodiffBackend> Validation<B> {
    fn new(
        task: Task,
        config: &TrainConfig,
        dataset: Dataset,
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        let targets: &Targets = dataset.targets();
        Ok(Self {
            objective: Objective::new(task, &config.loss, targets, device)?,
            actual: actual(task, targets),
            weights: dataset.weights().map(<[f32]>::to_vec),
            batches: batches(dataset, device)?,
        })
    }

    /// Loss and accuracy.
    fn score(&self, model: &Mlp<B::InnerBackend>, task: Task) -> (f64, f64) {
        let predictions = predict_batches(model, task, &self.objective, &self.batches);
        // A decision for each row, or one for each label.
        let width = self.actual.len() / self.batches.rows();
        (
            mean_loss(&predictions, self.weights.as_deref()),
            exact_match(&self.actual, &predictions.decisions, width),
        )
    }
}

/// What all restarts share.
struct Run<'a, B: AutodiffBackend> {
    model: MlpConfig,
    task: Task,
    config: &'a TrainConfig,
    objective: Objective<B>,
    train: Batches<B>,
    valid: Option<Validation<B>>,
}

impl<B: AutodiffBackend> Run<'_, B> {
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
        let mut model: Mlp<B> = model_config.init(device)?;
        let mut optimizer = config.optimizer.init::<B>();
        let mut plateau = Plateau::new();
        let mut stopping = config.early_stopping.map(Stopping::new);
        let iterations_per_epoch = self.train.iterations();
        let mut history: Vec<EpochRecord> = Vec::new();
        let mut stop = StopReason::Epochs;
        let mut iteration = 0;

        tell(
            observers,
            Event::Run(RunInfo {
                restart: restart + 1,
                restarts: config.restarts,
                seed,
                rows: self.train.rows(),
                valid_rows: self.valid.as_ref().map_or(0, |valid| valid.batches.rows()),
                parameters: model_config.num_parameters(),
                num_epochs: config.num_epochs,
                iterations_per_epoch,
            }),
        )?;
        for epoch in 0..config.num_epochs {
            let started = Instant::now();
            let first_iteration = iteration;
            let mut learning_rates = Vec::with_capacity(iterations_per_epoch);
            let mut losses = Losses::new();
            for batch in self.train.shuffled(seed, epoch as u64) {
                let at = Position {
                    iteration,
                    epoch,
                    iterations: iterations_per_epoch * config.num_epochs,
                };
                let learning_rate = config.learning_rate * config.schedule.fraction(at, &plateau);
                let rows = batch.rows();
                let logits = model.forward_train(batch.features, &mut dropout_rng(seed, iteration));
                let loss = weighted_mean(
                    self.objective.forward(logits, batch.targets),
                    batch.weights.clone(),
                );
                losses.push(loss.clone().inner(), rows, batch.weights.map(Tensor::inner));
                let mut gradients = GradientsParams::from_grads(loss.backward(), &model);
                if let Some(clipping) = &config.clipping {
                    gradients = clipping.apply(&model, gradients);
                }
                model = optimizer.step(learning_rate, model, gradients);
                iteration += 1;
                learning_rates.push(learning_rate);
                tell(
                    observers,
                    Event::Iteration { epoch: epoch + 1, iteration, rows, learning_rate },
                )?;
            }
            let (losses, train_loss) = losses.read();
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

            let score = self.valid.as_ref().map(|valid| valid.score(&model.valid(), self.task));
            if let Some((loss, accuracy)) = score {
                if !loss.is_finite() {
                    return Err(diverged("validation", loss, losses.len() - 1));
                }
                tell(observers, Event::Validation { epoch: epoch + 1, loss, accuracy })?;
            }
            plateau.observe(&config.schedule, score.map_or(train_loss, |(loss, _)| loss));
            let best = match (&mut stopping, score) {
                (Some(stopping), Some((loss, accuracy))) => {
                    let score = match stopping.monitor() {
                        Monitor::Loss => loss,
                        Monitor::Accuracy => -accuracy,
                    };
                    stopping.observe(epoch, score, || model.valid())
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
                rows_per_second: self.train.rows() as f64 / seconds,
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
            None => (history.len() - 1, model.valid()),
        };
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

/// The losses of an epoch, left on the device until it is over: reading one waits for all that a GPU
/// has been given to do.
struct Losses<B: Backend> {
    /// The mean loss of each batch and, where rows carry weights, their sum after it.
    numbers: Vec<Tensor<B, 1>>,
    /// Earlier numbers, joined.
    joined: Vec<Tensor<B, 1>>,
    rows: Vec<f64>,
    weighted: bool,
}

impl<B: Backend> Losses<B> {
    /// So many single numbers are joined into one tensor as soon as they are there: a GPU binds only
    /// a few buffers to a kernel, and holding 60,000 of them has its price everywhere.
    const JOIN: usize = 256;

    fn new() -> Self {
        Self { numbers: Vec::new(), joined: Vec::new(), rows: Vec::new(), weighted: false }
    }

    fn push(&mut self, loss: Tensor<B, 1>, rows: usize, weights: Option<Tensor<B, 1>>) {
        self.numbers.push(loss);
        self.rows.push(rows as f64);
        if let Some(weights) = weights {
            self.weighted = true;
            self.numbers.push(weights.sum());
        }
        if self.numbers.len() >= Self::JOIN {
            self.joined.push(Tensor::cat(std::mem::take(&mut self.numbers), 0));
        }
    }

    /// The loss of each batch, and the mean over all rows.
    fn read(mut self) -> (Vec<f64>, f64) {
        self.joined.append(&mut self.numbers);
        let values: Vec<f64> = Tensor::cat(self.joined, 0).into_data().iter().collect();
        let (losses, weights): (Vec<f64>, Vec<f64>) = if self.weighted {
            values.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip()
        } else {
            (values, self.rows)
        };
        let sum: f64 = losses.iter().zip(&weights).map(|(loss, weight)| loss * weight).sum();
        let mean = sum / weights.iter().sum::<f64>();
        (losses, mean)
    }
}
