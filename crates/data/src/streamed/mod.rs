//! Tables that are larger than memory: read once to learn what is in them, then anew in every epoch.

mod batches;
mod index;
mod order;
mod rows;
mod scan;
mod sketch;
mod statistics;

pub use batches::{Portion, StreamedBatches};
pub use rows::StreamedRows;
pub use scan::{HoldOut, ScanOptions, Scanned, scan};
