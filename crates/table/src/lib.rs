//! Tables: from CSV and Parquet files to typed columns, and from these to features and targets.
//!
//! A [`TableReader`] reads a file chunk by chunk, a [`Table`] holds it in memory. [`infer_schema`] finds
//! the kind of each column, a [`Preprocessor`] turns columns into features, a [`TargetEncoder`] the
//! target columns into targets. [`scan`] does the same for a file that does not fit into memory, and
//! gives [`StreamedRows`].
//!
//! ```
//! use std::io::Cursor;
//!
//! use kiln_table::{
//!     Profiler, ReadOptions, SchemaOptions, Table, TableReader, ColumnKind, infer_schema,
//! };
//!
//! let csv = Cursor::new("grams,colour,kind\n180,red,apple\n120,yellow,pear\n170,red,apple\n");
//! let table = Table::from_reader(TableReader::from_reader(csv, "fruit.csv", &ReadOptions::default())?)?;
//! assert_eq!((table.num_rows(), table.columns().len()), (3, 3));
//!
//! let options = SchemaOptions { target: vec!["kind".to_owned()], ..SchemaOptions::default() };
//! let mut profiler = Profiler::new(table.columns(), &options.missing_texts());
//! table.chunks().iter().for_each(|rows| profiler.push(rows));
//! let (schema, _warnings) = infer_schema(table.name(), &profiler.finish(), &options)?;
//! assert_eq!(schema.columns[0].kind, ColumnKind::Numeric);
//! # Ok::<(), kiln_table::TableError>(())
//! ```

mod cells;
mod error;
mod infer;
mod names;
mod number;
mod preprocess;
mod profile;
mod read;
mod row_hash;
mod rows;
mod schema;
mod stream;
mod table;
mod target;
mod warnings;
mod weights;

pub use cells::{Cell, Cells};
pub use error::TableError;
pub use infer::{SchemaOptions, infer_schema};
pub use names::{column_index, nearest};
pub use number::parse_number;
pub use preprocess::{
    BOOLEAN_TEXTS, Binding, Bins, Embedded, Embedding, Feature, Numeric, OneHot, PreprocessConfig,
    Preprocessor, Scale, Scaling, Transform, Transformed,
};
pub use profile::{ColumnProfile, MISSING, Profiler};
pub use read::{Format, ReadOptions, TableFile, TableReader};
pub use row_hash::shared_rows;
pub use rows::{Location, RowProblem, Rows};
pub use schema::{ColumnKind, ColumnSchema, Schema};
pub use stream::{HoldOut, ScanOptions, Scanned, StreamedBatches, StreamedRows, scan};
pub use table::Table;
pub use target::{EncodedTargets, TargetEncoder, TargetForm, TargetKind};
pub use warnings::{Warning, WarningKind, target_warnings};
pub use weights::read_weights;
