//! Files and streams to rows, a chunk at a time.

mod arrow;
mod csv;
mod dialect;
mod file;
mod options;
mod parquet;
mod reader;
mod records;
mod source;

pub(crate) use file::ChunkStart;
pub use file::TableFile;
pub use options::{Format, ReadOptions};
pub use reader::TableReader;
