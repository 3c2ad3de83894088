//! Data for networks: datasets in memory, their splits, and batches of tensors on a device.
//!
//! A [`Dataset`] is a checked `[rows, d_input]` matrix of `f32` on the host, with its targets and
//! perhaps row weights. [`Batches`] puts it on a Burn device once and hands it out batch by batch,
//! shuffled anew every epoch; whatever the backend, the same seed means the same order.
//!
//! Data to begin with: [`digits`], which is part of this crate, [`mnist`], which is fetched when it
//! is not there, and [`read_idx`] for files of MNIST's format.
//!
//! ```
//! use burn_flex::{Flex, FlexDevice};
//! use kiln_data::{BatchTargets, Batches, digits};
//!
//! let digits = digits();
//! assert_eq!((digits.train.rows(), digits.train.d_input()), (1438, 64));
//!
//! // 44 batches of 32 rows and one of 30.
//! let batches = Batches::<Flex>::new(digits.train, 32, &FlexDevice)?;
//! assert_eq!((batches.iterations(), batches.num_classes()), (45, Some(10)));
//!
//! let seed = 42;
//! for epoch in 0..2 {
//!     let mut rows = 0;
//!     for batch in batches.shuffled(seed, epoch) {
//!         let BatchTargets::Classes(targets) = batch.targets else {
//!             unreachable!("the digits have class targets");
//!         };
//!         assert_eq!(batch.features.dims(), [targets.dims()[0], 64]);
//!         rows += targets.dims()[0];
//!     }
//!     assert_eq!(rows, 1438);
//! }
//! # Ok::<(), kiln_data::DataError>(())
//! ```

mod batch;
mod dataset;
mod digits;
mod error;
mod gzip;
mod idx;
mod images;
mod mnist;
mod quantile;
mod random;
mod row_stream;
mod share;
mod shuffle;
mod split;

pub use batch::{Batch, BatchTargets, Batches};
pub use dataset::{Dataset, Targets};
pub use digits::digits;
pub use error::{DataError, MirrorFailure};
pub use idx::{Idx, read_idx, read_idx_from};
pub use images::{ImageDataset, draw_images};
pub use mnist::mnist;
pub use quantile::quantile;
pub use random::seeded_rng;
pub use row_stream::{Portion, RowStream};
pub use share::Share;
pub use shuffle::{permutation, shuffled};
pub use split::{folds, split_indices, stratified_folds, stratified_split_indices};
