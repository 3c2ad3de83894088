//! Kiln trains, checks and ships multilayer-perceptron classifiers, on the CPU or the GPU.
//!
//! This crate gathers the others and adds [`backend`], which runs generic code on the backend that
//! was compiled in. The light core is always there:
//!
//! * [`model`]: the network and its losses,
//! * [`data`]: datasets, splits, batches, MNIST,
//! * [`train`]: the training loop and metrics,
//! * [`kernels`]: fused operations for the CPU,
//! * [`store`]: files that are whole, or show that they are not.
//!
//! A Cargo feature adds each of these; `full` adds all of them:
//!
//! * `table`: CSV and Parquet files as tables, and classifiers in one file,
//! * `tabular`: from a table to a classifier,
//! * `report`: charts, and the page that holds them,
//! * `export`, `import`: other programs' forms of a model,
//! * `serve`: a classifier over HTTP.
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

pub mod backend;

#[cfg(feature = "table")]
pub use kiln_classifier as classifier;
pub use kiln_data as data;
#[cfg(feature = "export")]
pub use kiln_export as export;
#[cfg(feature = "import")]
pub use kiln_import as import;
pub use kiln_kernels as kernels;
pub use kiln_model as model;
#[cfg(feature = "report")]
pub use kiln_report as report;
#[cfg(feature = "serve")]
pub use kiln_serve as serve;
pub use kiln_store as store;
#[cfg(feature = "table")]
pub use kiln_table as table;
#[cfg(feature = "tabular")]
pub use kiln_tabular as tabular;
pub use kiln_train as train;
