use std::fmt::Debug;

use crate::dataset::{Dataset, Targets};
use crate::error::DataError;
use crate::share::Share;

/// Training rows that are read anew in every epoch, because they do not fit into memory.
pub trait RowStream: Debug + Send + Sync {
    /// Rows in an epoch, at least 1.
    fn rows(&self) -> usize;

    /// Features per row, at least 1.
    fn d_input(&self) -> usize;

    /// The form of the targets: those of no rows.
    fn targets(&self) -> Targets;

    /// Bytes that differ where a value, its preprocessing or the order of the rows does.
    fn identity(&self) -> Vec<u8>;

    /// The rows of an epoch, counted from 0, and of those that follow, in order: those that `share` takes of
    /// one or more whole batches at a time. An epoch ends with what remains.
    ///
    /// Batches have `batch_size` rows; the first `batches` of the first epoch are left out. After an error
    /// there are no more.
    ///
    /// # Panics
    ///
    /// If `batch_size` is 0, the epoch has no such batch, or there is no such share.
    fn batches(
        &self,
        seed: u64,
        epoch: u64,
        batches: usize,
        batch_size: usize,
        share: Share,
    ) -> Box<dyn Iterator<Item = Result<Portion, DataError>> + Send>;
}

/// One or more whole batches that follow each other, as far as a [`Share`] takes them.
#[derive(Debug)]
pub struct Portion {
    /// All rows of the batches, whoever takes them.
    pub rows: usize,
    /// The rows that the share takes; `None` if there are none.
    pub data: Option<Dataset>,
    /// Where each of these stands among all rows, ascending.
    pub places: Vec<u32>,
}
