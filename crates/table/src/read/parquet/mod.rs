//! Parquet files.
//!
//! The parquet crate makes room for what a file says of itself before it looks whether that is there. So
//! [`footer`] and [`pages`] look first, columns that are no values are not read at all, and texts are
//! read as views of their pages, which a dictionary of long ones does not multiply.

mod delta;
mod footer;
mod layout;
mod pages;
#[cfg(test)]
mod tests;
mod thrift;
mod unwound;

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, NullArray, RecordBatch, RecordBatchOptions, cast::AsArray};
use arrow_schema::{Field, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

pub(super) use self::layout::Layout;
use self::layout::not_parquet;
use self::unwound::unwound;
use crate::error::TableError;
use crate::rows::Rows;

/// Bytes of the texts of a chunk, which a table of long texts reaches first.
const BYTES: usize = 32 << 20;

/// The chunks of a Parquet file.
pub(super) struct ParquetChunks {
    name: String,
    layout: Arc<Layout>,
    batches: ParquetRecordBatchReader,
    /// What is left of the current batch.
    batch: Option<RecordBatch>,
    rows_read: usize,
}

impl ParquetChunks {
    pub(super) fn open(file: File, name: &str) -> Result<Self, TableError> {
        let layout = Arc::new(Layout::of(&file, name)?);
        let rows = 0..layout.rows();
        Self::of_rows(file, name, layout, rows)
    }

    /// The chunks of some rows of a file that is laid out so.
    pub(super) fn of_rows(
        file: File,
        name: &str,
        layout: Arc<Layout>,
        rows: Range<usize>,
    ) -> Result<Self, TableError> {
        let rows_read = rows.start;
        let batches = layout.batches(file, name, rows)?;
        Ok(Self { name: name.to_owned(), layout, batches, batch: None, rows_read })
    }

    pub(super) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    pub(super) fn columns(&self) -> &[String] {
        self.layout.columns()
    }

    /// The next rows; none at the end of the file.
    pub(super) fn advance(&mut self) -> Result<Option<Rows>, TableError> {
        let batch = loop {
            let batch = match self.batch.take() {
                Some(batch) => Ok(Some(batch)),
                None => unwound(|| self.batches.next().transpose()),
            };
            match batch {
                Ok(Some(batch)) if batch.num_rows() == 0 => {}
                Ok(Some(batch)) => break batch,
                Ok(None) => return Ok(None),
                Err(reason) => {
                    return Err(not_parquet(&self.name, reason));
                }
            }
        };
        let (rows, left) = split(&batch);
        self.batch = left;
        let rows = Rows::from_batch(&self.name, &self.complete(&rows), self.rows_read)?;
        self.rows_read += rows.batch.num_rows();
        Ok(Some(rows))
    }

    /// A batch with the columns that are not read.
    fn complete(&self, batch: &RecordBatch) -> RecordBatch {
        let rows = batch.num_rows();
        let array = |place: &Option<usize>| match place {
            Some(place) => Arc::clone(batch.column(*place)),
            None => Arc::new(NullArray::new(rows)) as ArrayRef,
        };
        let arrays: Vec<ArrayRef> = self.layout.places().iter().map(array).collect();
        let fields = self.columns().iter().zip(&arrays);
        let fields: Vec<Field> =
            fields.map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .expect("nullable columns of the types and lengths stated")
    }
}

/// The first rows of a batch, one at least and so many that their texts take [`BYTES`] at most, and
/// the rest.
fn split(batch: &RecordBatch) -> (RecordBatch, Option<RecordBatch>) {
    let texts = batch.columns().iter().filter_map(|column| column.as_string_view_opt());
    let texts: Vec<_> = texts.collect();
    let (rows, mut bytes) = (batch.num_rows(), 0);
    // The lower half of a view is the length of its text.
    let length =
        |row: usize| texts.iter().map(|text| text.views()[row] as u32 as usize).sum::<usize>();
    let fits = |row: &usize| {
        bytes += length(*row);
        *row == 0 || bytes <= BYTES
    };
    match (0..rows).take_while(fits).count() {
        count if count == rows => (batch.clone(), None),
        count => (batch.slice(0, count), Some(batch.slice(count, rows - count))),
    }
}
