//! Tables that are larger than memory: read once to learn what is in them, then anew in every epoch.

mod batches;
mod hold_out;
mod index;
mod order;
mod pieces;
mod rows;
mod scan;
mod sketch;
mod statistics;

pub use batches::StreamedBatches;
pub use hold_out::HoldOut;
pub use rows::StreamedRows;
pub use scan::{ScanOptions, Scanned, scan};
