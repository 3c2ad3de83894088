//! Event files for [TensorBoard](https://www.tensorflow.org/tensorboard), from plain numbers.
//!
//! A run is a folder, and an [`EventWriter`] adds one file to it, which `tensorboard --logdir` shows
//! while it grows. What is written is in the forms that TensorBoard's own readers turn into its current
//! ones, the Python class `EventAccumulator` included:
//!
//! | Method | Form | Dashboard |
//! |---|---|---|
//! | [`scalar`](EventWriter::scalar) | `simple_value` | Time Series, Scalars |
//! | [`histogram`](EventWriter::histogram) | `HistogramProto` | Histograms, Distributions |
//! | [`image`](EventWriter::image) | `Summary.Image` | Images |
//! | [`text`](EventWriter::text) | string tensor of the plugin `text` | Text |
//! | [`hyperparameters`](EventWriter::hyperparameters) | metadata of the plugin `hparams` | HParams |
//!
//! The file is a sequence of [TFRecord](https://www.tensorflow.org/tutorials/load_data/tfrecord)s, each
//! of which holds one `Event` message. If a run is killed while it writes one, TensorBoard reads all
//! those before it. A run that goes on writes a second file into the same folder: the dashboards show its
//! values in place of the first file's from its first step on. `EventAccumulator`, and TensorBoard with
//! `--load_fast=false`, give both.
//!
//! ```
//! use kiln_tensorboard::{EventWriter, HyperParameter};
//!
//! # let logs = tempfile::tempdir()?;
//! # let logs = logs.path();
//! let mut events = EventWriter::create(&logs.join("first"))?;
//! let values = [("learning rate".to_owned(), HyperParameter::Number(0.1))];
//! events.hyperparameters("first", &values, &["loss/valid"])?;
//! for (epoch, loss) in [(1, 0.7), (2, 0.4)] {
//!     events.scalar("loss/valid", epoch, loss)?;
//!     events.histogram("weights/0", epoch, &[-0.5, 0.0, 0.25])?;
//!     events.flush()?;
//! }
//! events.end()?;
//! let name = events.path().file_name().unwrap().to_str().unwrap();
//! assert!(name.starts_with("events.out.tfevents."));
//! # Ok::<(), std::io::Error>(())
//! ```

mod histogram;
mod hyperparameter;
mod message;
mod record;
mod writer;

pub use hyperparameter::HyperParameter;
pub use writer::EventWriter;
