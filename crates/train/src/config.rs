use kiln_model::LossConfig;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::{Map, Value, json};

use crate::{
    clip::GradientClipping,
    error::{TrainError, check},
    optimizer::OptimizerConfig,
    schedule::Schedule,
};

/// How a network is trained.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `batch_size` | 128 rows | rows per iteration | see [`BatchSize`] |
/// | `num_epochs` | 10 | most passes through the training rows | ≥ 1 |
/// | `optimizer` | Adam | how a gradient becomes an update | see [`OptimizerConfig`] |
/// | `learning_rate` | 0.001 | size of an update | finite, > 0 |
/// | `schedule` | constant | how the learning rate changes | see [`Schedule`] |
/// | `clipping` | none | bound on the gradient | see [`GradientClipping`] |
/// | `loss` | plain | label smoothing and class weights | see [`LossConfig`] |
/// | `keep` | last | which epoch's weights are kept | see [`Keep`] |
/// | `monitor` | loss | what the best epoch is best at | see [`Monitor`] |
/// | `early_stopping` | none | ends a run that no longer improves | see [`EarlyStopping`] |
/// | `restarts` | 1 | runs from different seeds; the best on validation rows wins | ≥ 1 |
/// | `time_budget` | none | seconds, measurement of epochs included, after which no epoch begins; the schedule takes fewer epochs then, and the result depends on the clock | finite, > 0 |
/// | `seed` | 0 | of initial weights, order of rows and dropout | any |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Rows per iteration.
    pub batch_size: BatchSize,
    /// Most passes through the training rows.
    pub num_epochs: usize,
    /// How a gradient becomes an update.
    pub optimizer: OptimizerConfig,
    /// Size of an update, before the schedule.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Bound on the gradient.
    pub clipping: Option<GradientClipping>,
    /// Label smoothing and class weights, in training and validation alike.
    pub loss: LossConfig,
    /// Which epoch's weights are kept.
    pub keep: Keep,
    /// The score of an epoch, for `keep` and `early_stopping`.
    pub monitor: Monitor,
    /// When to stop before `num_epochs`.
    pub early_stopping: Option<EarlyStopping>,
    /// Runs from different seeds, of which the one with the lowest validation loss wins.
    pub restarts: usize,
    /// Seconds of training, shared evenly by the restarts. There are as many epochs as there is time for, one at
    /// least, judged by those done so far: none begins that would not end within the budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_budget: Option<f64>,
    /// Seed of initial weights, order of rows and dropout.
    pub seed: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            batch_size: BatchSize::Rows(128),
            num_epochs: 10,
            optimizer: OptimizerConfig::default(),
            learning_rate: 1e-3,
            schedule: Schedule::default(),
            clipping: None,
            loss: LossConfig::default(),
            keep: Keep::Last,
            monitor: Monitor::Loss,
            early_stopping: None,
            restarts: 1,
            time_budget: None,
            seed: 0,
        }
    }
}

impl TrainConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the rows per iteration.
    pub fn with_batch_size(mut self, batch_size: BatchSize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Sets the most passes through the training rows.
    pub fn with_num_epochs(mut self, num_epochs: usize) -> Self {
        self.num_epochs = num_epochs;
        self
    }

    /// Sets the optimizer.
    pub fn with_optimizer(mut self, optimizer: OptimizerConfig) -> Self {
        self.optimizer = optimizer;
        self
    }

    /// Sets the learning rate.
    pub fn with_learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// Sets how the learning rate changes.
    pub fn with_schedule(mut self, schedule: impl Into<Schedule>) -> Self {
        self.schedule = schedule.into();
        self
    }

    /// Sets a bound on the gradient.
    pub fn with_clipping(mut self, clipping: GradientClipping) -> Self {
        self.clipping = Some(clipping);
        self
    }

    /// Sets label smoothing and class weights.
    pub fn with_loss(mut self, loss: LossConfig) -> Self {
        self.loss = loss;
        self
    }

    /// Sets which epoch's weights are kept.
    pub fn with_keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Sets the score of an epoch, for `keep` and `early_stopping`.
    pub fn with_monitor(mut self, monitor: Monitor) -> Self {
        self.monitor = monitor;
        self
    }

    /// Sets when to stop before `num_epochs`.
    pub fn with_early_stopping(mut self, early_stopping: EarlyStopping) -> Self {
        self.early_stopping = Some(early_stopping);
        self
    }

    /// Sets the number of runs from different seeds.
    pub fn with_restarts(mut self, restarts: usize) -> Self {
        self.restarts = restarts;
        self
    }

    /// Sets the seconds of training.
    pub fn with_time_budget(mut self, seconds: f64) -> Self {
        self.time_budget = Some(seconds);
        self
    }

    /// Sets the seed.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether the epochs are compared by their scores on validation rows.
    pub(crate) fn compares_epochs(&self) -> bool {
        self.keep == Keep::Best || self.early_stopping.is_some()
    }

    /// Checks every field but `loss`, whose range depends on the task.
    ///
    /// # Errors
    ///
    /// [`TrainError::Field`] names the first field that is out of its range.
    pub fn validate(&self) -> Result<(), TrainError> {
        for (field, value) in [
            ("batch_size", self.batch_size.rows_of(1)),
            ("num_epochs", self.num_epochs),
            ("restarts", self.restarts),
        ] {
            if value == 0 {
                return Err(TrainError::field(field, 0, "at least 1"));
            }
        }
        let in_range = self.learning_rate > 0.0 && self.learning_rate.is_finite();
        check("learning_rate", self.learning_rate, in_range, "a finite number above 0")?;
        if let Some(seconds) = self.time_budget {
            let in_range = seconds > 0.0 && seconds.is_finite();
            check("time_budget", seconds, in_range, "a finite number of seconds above 0")?;
        }
        self.optimizer.validate()?;
        self.schedule.validate()?;
        if let Some(clipping) = &self.clipping {
            clipping.validate()?;
        }
        match &self.early_stopping {
            Some(early_stopping) => early_stopping.validate(),
            None => Ok(()),
        }
    }
}

/// How many rows an iteration takes: the gradient of the mean loss over them makes one update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchSize {
    /// All rows: gradient descent, one iteration an epoch.
    All,
    /// This many: 1 is stochastic gradient descent, more are mini-batches. The last batch of an
    /// epoch has what remains, so an epoch has ⌈rows / n⌉ iterations.
    Rows(usize),
}

impl BatchSize {
    pub(crate) fn rows_of(&self, rows: usize) -> usize {
        match *self {
            Self::All => rows,
            Self::Rows(batch_size) => batch_size,
        }
    }
}

impl Serialize for TrainConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for TrainConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        if !fields.contains_key("keep") {
            separate_keep(&mut fields);
        }
        Self::deserialize(Value::Object(fields)).map_err(D::Error::custom)
    }
}

/// Model files once recorded the best epoch as a part of early stopping, which had the monitor, and a
/// patience of all epochs where the run was not to be stopped.
fn separate_keep(fields: &mut Map<String, Value>) {
    let Some(Value::Object(stopping)) = fields.get_mut("early_stopping") else { return };
    let monitor = stopping.remove("monitor");
    let patience = stopping.get("patience").and_then(Value::as_u64);
    fields.insert("keep".to_owned(), json!(Keep::Best));
    fields.extend(monitor.map(|monitor| ("monitor".to_owned(), monitor)));
    let num_epochs = fields.get("num_epochs").and_then(Value::as_u64);
    if patience.zip(num_epochs).is_some_and(|(patience, num_epochs)| patience >= num_epochs) {
        fields.remove("early_stopping");
    }
}

/// Which epoch's weights a run ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The epoch with the best score on the validation rows, by [`TrainConfig::monitor`].
    Best,
    /// The last epoch.
    #[default]
    Last,
}

/// Stops a run whose score on the validation rows, by [`TrainConfig::monitor`], no longer improves
/// (Prechelt 1998).
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `patience` | 5 | epochs without improvement that stop the run | ≥ 1 |
/// | `min_delta` | 0 | what counts as improvement: more than this | finite, ≥ 0 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EarlyStopping {
    /// Epochs without improvement that stop the run.
    pub patience: usize,
    /// An improvement is more than this.
    pub min_delta: f64,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self { patience: 5, min_delta: 0.0 }
    }
}

impl EarlyStopping {
    /// Sets the epochs without improvement that stop the run.
    pub fn with_patience(mut self, patience: usize) -> Self {
        self.patience = patience;
        self
    }

    /// Sets what counts as improvement: more than this.
    pub fn with_min_delta(mut self, min_delta: f64) -> Self {
        self.min_delta = min_delta;
        self
    }

    fn validate(&self) -> Result<(), TrainError> {
        if self.patience == 0 {
            return Err(TrainError::field("early_stopping.patience", 0, "at least 1"));
        }
        let in_range = self.min_delta >= 0.0 && self.min_delta.is_finite();
        let expected = "a finite number, at least 0";
        check("early_stopping.min_delta", self.min_delta, in_range, expected)
    }
}

/// A score on the validation rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// The validation loss; lower is better.
    #[default]
    Loss,
    /// The share of validation rows that are right; higher is better.
    Accuracy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_configs_name_the_field_and_its_range() {
        let config = TrainConfig::new;
        let stopping = |patience, min_delta| EarlyStopping { patience, min_delta };
        for (config, message) in [
            (
                config().with_batch_size(BatchSize::Rows(0)),
                "`batch_size` is 0, expected at least 1",
            ),
            (config().with_num_epochs(0), "`num_epochs` is 0, expected at least 1"),
            (config().with_restarts(0), "`restarts` is 0, expected at least 1"),
            (
                config().with_learning_rate(-1.0),
                "`learning_rate` is -1, expected a finite number above 0",
            ),
            (
                config().with_learning_rate(f64::NAN),
                "`learning_rate` is NaN, expected a finite number above 0",
            ),
            (
                config().with_time_budget(0.0),
                "`time_budget` is 0, expected a finite number of seconds above 0",
            ),
            (
                config().with_optimizer(OptimizerConfig::momentum(1.0)),
                "`optimizer.momentum` is 1, expected a number in [0, 1)",
            ),
            (
                config().with_optimizer(OptimizerConfig::nesterov(0.0)),
                "`optimizer.momentum` is 0, expected above 0 for Nesterov's momentum",
            ),
            (
                config()
                    .with_optimizer(OptimizerConfig::AdaGrad { epsilon: 0.0, weight_decay: 0.0 }),
                "`optimizer.epsilon` is 0, expected a finite number above 0",
            ),
            (
                config().with_clipping(GradientClipping::Norm(0.0)),
                "`clipping.norm` is 0, expected a finite number above 0",
            ),
            (
                config().with_early_stopping(stopping(0, 0.0)),
                "`early_stopping.patience` is 0, expected at least 1",
            ),
            (
                config().with_early_stopping(stopping(1, -0.5)),
                "`early_stopping.min_delta` is -0.5, expected a finite number, at least 0",
            ),
        ] {
            assert_eq!(config.validate().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn an_unknown_optimizer_names_the_known_ones() {
        let error = "adm".parse::<OptimizerConfig>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`optimizer` is \"adm\", expected sgd, momentum, nesterov, adam, adamw, rmsprop, \
             adagrad or adan"
        );
    }

    #[test]
    fn config_survives_json() {
        let config = TrainConfig::new()
            .with_batch_size(BatchSize::All)
            .with_optimizer(OptimizerConfig::adam_w())
            .with_clipping(GradientClipping::Norm(1.0))
            .with_early_stopping(EarlyStopping::default());
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<TrainConfig>(&json).unwrap(), config);
        assert_eq!(serde_json::from_str::<TrainConfig>("{}").unwrap(), TrainConfig::new());
    }

    #[test]
    fn the_best_epoch_was_once_a_part_of_early_stopping() {
        let read = |stopping: &str| -> TrainConfig {
            let json = format!(r#"{{"num_epochs": 20, "early_stopping": {stopping}}}"#);
            serde_json::from_str(&json).unwrap()
        };
        let config = TrainConfig::new().with_num_epochs(20);
        let best = config.clone().with_keep(Keep::Best).with_monitor(Monitor::Accuracy);
        let stopping = |patience: usize| {
            read(&format!(r#"{{"monitor": "accuracy", "patience": {patience}, "min_delta": 0.0}}"#))
        };
        assert_eq!(stopping(20), best);
        let patience = EarlyStopping::default().with_patience(3);
        assert_eq!(stopping(3), best.with_early_stopping(patience));
        assert_eq!(read("null"), config);
    }
}
