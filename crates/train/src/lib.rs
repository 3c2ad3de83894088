//! Trains and evaluates networks on any Burn backend.
//!
//! [`fit`] takes the shape of a network, a task, a [`TrainConfig`] and datasets, and returns a
//! [`Trained`] network; [`predict`] and [`Evaluation`] say how good it is. Observers listen
//! meanwhile: a [`ProgressBar`], a [`HistoryFile`], a [`Recorder`], or your own. [`fit_with`]
//! goes on, bit for bit, where an earlier run was cut off.
//!
//! ```
//! use burn::backend::Autodiff;
//! use burn_flex::Flex;
//! use kiln_data::{Dataset, Targets};
//! use kiln_model::{Activation, LossConfig, MlpConfig, Task};
//! use kiln_train::{BatchSize, Evaluation, Recorder, TrainConfig, fit, predict};
//!
//! // Exclusive or: no straight line parts the classes.
//! let features = vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
//! let targets = Targets::Classes { indices: vec![0, 1, 1, 0], num_classes: 2 };
//! let xor = Dataset::new(features, 2, targets)?;
//!
//! let model = MlpConfig::new(2, 1).with_hidden(vec![8]).with_activation(Activation::Tanh);
//! let config = TrainConfig::new()
//!     .with_batch_size(BatchSize::All)
//!     .with_num_epochs(200)
//!     .with_learning_rate(0.05);
//! let (device, mut recorder) = (Default::default(), Recorder::new());
//! let trained = fit::<Autodiff<Flex>>(
//!     &model,
//!     Task::Binary,
//!     &config,
//!     xor.clone(),
//!     None,
//!     &device,
//!     &mut [&mut recorder],
//! )?;
//! let predictions =
//!     predict(&trained.model, Task::Binary, &LossConfig::default(), &xor, &device)?;
//! let evaluation = Evaluation::new(Task::Binary, &xor, &predictions);
//! assert_eq!(evaluation.accuracy, 1.0);
//! assert_eq!(recorder.losses.len(), 200);
//! # Ok::<(), kiln_train::TrainError>(())
//! ```

mod backend;
mod checkpoint;
mod clip;
mod config;
mod decision;
pub mod distributed;
mod ensemble;
mod error;
mod evaluation;
mod fit;
mod inference;
mod learner;
mod metrics;
mod objective;
mod observer;
mod optimizer;
mod predict;
mod predictions;
mod random;
mod ranks;
mod schedule;
mod stopping;
mod tensors;
mod train_data;

pub use backend::{TrainBackend, TrainLoop};
pub use checkpoint::{Checkpoints, Every, Fingerprint};
pub use clip::GradientClipping;
pub use config::{BatchSize, EarlyStopping, Keep, Monitor, TrainConfig};
pub use ensemble::{Members, predict_members};
pub use error::TrainError;
pub use evaluation::{
    CALIBRATION_BINS, Comparison, Evaluation, Importance, Interval, Intervals, Metric, Scores,
    ThresholdRule, class_rows, compare, fit_temperature, logit_loss, permutation_importance,
};
pub use fit::{Hooks, Trained, TrainedMembers, fit, fit_members, fit_with};
pub use metrics::{
    ConfusionMatrix, ReliabilityBin, brier, brier_binary, expected_calibration_error, log_loss,
    macro_ovr, pr_auc, pr_curve, reliability, roc_auc, roc_curve, top_k_accuracy,
};
pub use observer::{
    EpochRecord, Event, HistoryFile, Network, Observer, ProgressBar, Recorder, RunInfo, StopReason,
};
pub use optimizer::OptimizerConfig;
pub use predict::predict;
pub use predictions::Predictions;
pub use ranks::Ranks;
pub use schedule::{Decay, Schedule};
pub use train_data::TrainData;
