//! Kiln trains, checks and ships multilayer-perceptron classifiers, on the CPU or the GPU.
//!
//! This crate gathers the others and adds [`backend`], which runs generic code on the backend that
//! was compiled in:
//!
//! * [`model`]: the network and its losses,
//! * [`data`]: files to tables, tables to tensors,
//! * [`train`]: the training loop and metrics,
//! * [`classifier`]: preprocessing, network and class names in one file,
//! * [`export`]: a classifier in the forms that other programs read,
//! * [`serve`]: a classifier over HTTP,
//! * [`store`]: files that are whole, or show that they are not,
//! * [`tabular`]: from a table to a classifier,
//! * [`distributed`]: several processes that train together,
//! * [`TensorBoard`]: a run as it goes on,
//! * [`assessment`]: what is said about a classifier, and its report,
//! * [`report`]: charts, and the page that holds them.
//!
//! ```
//! use kiln::{
//!     backend::{self, TrainBackend, Job},
//!     data::digits,
//!     model::{LossConfig, MlpConfig, Task},
//!     train::{Evaluation, TrainConfig, fit, predict},
//! };
//!
//! /// Trains on the bundled digits and returns the accuracy on their test rows.
//! struct Digits;
//!
//! impl Job for Digits {
//!     type Output = Result<f64, kiln::train::TrainError>;
//!
//!     fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
//!         let (digits, task) = (digits(), Task::Multiclass { num_classes: 10 });
//!         let model = MlpConfig::new(64, 10).with_hidden(vec![64]);
//!         let config = TrainConfig::new().with_num_epochs(20);
//!         let trained =
//!             fit::<B>(&model, task, &config, digits.train, None, &device, &mut [])?;
//!         let loss = LossConfig::default();
//!         let predictions = predict(&trained.model, task, &loss, &digits.test, &device)?;
//!         Ok(Evaluation::new(task, &digits.test, &predictions).accuracy)
//!     }
//! }
//!
//! let accuracy = backend::run(None, Digits)??;
//! assert!(accuracy > 0.9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod assessment;
pub mod backend;
pub mod distributed;
pub mod tabular;
mod tensorboard;

pub use kiln_classifier as classifier;
pub use kiln_data as data;
pub use kiln_export as export;
pub use kiln_import as import;
pub use kiln_kernels as kernels;
pub use kiln_model as model;
pub use kiln_report as report;
pub use kiln_serve as serve;
pub use kiln_store as store;
pub use kiln_train as train;
pub use tensorboard::TensorBoard;

/// A value of a hyperparameter, as TensorBoard shows it.
pub use kiln_tensorboard::HyperParameter;
