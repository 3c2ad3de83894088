//! The defaults for tables, in one place.

use kiln_data::PreprocessConfig;
use kiln_model::{Activation, Normalization};
use kiln_train::{BatchSize, Decay, EarlyStopping, OptimizerConfig, Schedule, TrainConfig};

use super::settings::{Calibration, EnsembleSettings, NetworkSettings};

/// What is used where the user says nothing.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `valid_fraction` | 0.15 | rows held out to stop and to report on |
/// | `preprocess` | robust scaling, one-hot | see [`PreprocessConfig`] |
/// | `network` | 128, 128, ReLU, dropout 0.1 | see [`NetworkSettings`] |
/// | `calibration` | one temperature | see [`Calibration`] |
/// | `train` | AdamW, one cosine, early stopping | see [`TrainConfig`] |
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Share of the rows held out for validation.
    pub valid_fraction: f64,
    /// How columns become features.
    pub preprocess: PreprocessConfig,
    /// The hidden layers.
    pub network: NetworkSettings,
    /// How many networks there are.
    pub ensemble: EnsembleSettings,
    /// What is done to the probabilities.
    pub calibration: Calibration,
    /// How the network is trained.
    pub train: TrainConfig,
}

/// Rows held out of a streamed file, which stay in memory: of so many, an accuracy has a standard error of
/// 0.0016 at most.
const STREAMED_VALID_ROWS: f64 = 100_000.0;

impl Recipe {
    /// The recipe for a file of about so many rows that is read anew in every epoch.
    pub fn streamed(rows: usize) -> Self {
        let recipe = Self::new(rows);
        let valid_fraction = recipe.valid_fraction.min(STREAMED_VALID_ROWS / rows.max(1) as f64);
        Self { valid_fraction, ..recipe }
    }

    /// The recipe for a table of so many rows, those held out included.
    pub fn new(rows: usize) -> Self {
        let valid_fraction = 0.15;
        let train_rows = (rows as f64 * (1.0 - valid_fraction)).max(1.0);
        // About 30 iterations an epoch, so that small tables see enough updates; a power of two from 32
        // to 256. Batches of 16 took twice the time and were no better on the thirteen tables.
        let batch_size = 1 << ((train_rows / 30.0).log2().floor() as i64).clamp(5, 8);
        let num_epochs = 150;
        let iterations = (train_rows / batch_size as f64).ceil() as usize * num_epochs;
        Self {
            valid_fraction,
            preprocess: PreprocessConfig::default(),
            network: NetworkSettings {
                hidden: vec![128, 128],
                activation: Activation::Relu,
                normalization: Normalization::None,
                dropout: 0.1,
            },
            ensemble: EnsembleSettings::default(),
            calibration: Calibration::Temperature,
            train: TrainConfig::new()
                .with_batch_size(BatchSize::Rows(batch_size))
                .with_num_epochs(num_epochs)
                .with_optimizer(OptimizerConfig::adam_w())
                .with_learning_rate(1e-3)
                .with_schedule(Schedule {
                    warmup_iterations: iterations / 20,
                    decay: Decay::cosine(),
                })
                .with_early_stopping(EarlyStopping::default().with_patience(15)),
        }
    }
}
