//! Data for networks: from files to tables, from tables to batches of tensors on a device.
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
#[cfg(feature = "download")]
mod download;
mod error;
mod gzip;
mod idx;
mod images;
mod infer;
mod keys;
mod mnist;
mod number;
mod preprocess;
mod profile;
mod schema;
mod share;
mod shuffle;
mod split;
mod stream;
mod streamed;
mod table;
mod target;
mod traps;
mod weights;

pub use batch::{Batch, BatchTargets, Batches};
pub use dataset::{Dataset, Targets};
pub use digits::digits;
pub use error::{DataError, MirrorFailure};
pub use idx::{Idx, read_idx, read_idx_from};
pub use images::{ImageDataset, draw_images};
pub use infer::{SchemaOptions, infer_schema};
pub use keys::shared_rows;
pub use mnist::mnist;
pub use number::parse_number;
pub use preprocess::{
    BOOLEAN_TEXTS, Binding, Bins, Embedded, Embedding, Feature, Numeric, OneHot, PreprocessConfig,
    Preprocessor, Scale, Scaling, Transform, Transformed, quantile,
};
pub use profile::{ColumnProfile, MISSING, Profiler};
pub use schema::{ColumnKind, ColumnSchema, Schema};
pub use share::Share;
pub use shuffle::permutation;
pub use split::{folds, split_indices, stratified_folds, stratified_split_indices};
pub use streamed::{HoldOut, Portion, ScanOptions, Scanned, StreamedBatches, StreamedRows, scan};
pub use table::{
    Cell, Cells, Format, Location, ReadOptions, RowProblem, Rows, Table, TableFile, TableReader,
    column_index, nearest,
};
pub use target::{EncodedTargets, TargetEncoder, TargetForm, TargetKind};
pub use traps::{Trap, target_traps};
pub use weights::read_weights;
