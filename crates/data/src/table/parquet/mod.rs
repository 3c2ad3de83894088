use std::fs::File;

use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::Rows;
use super::reader::column_names;
use crate::error::DataError;

/// Rows of a chunk.
const ROWS: usize = 8192;
/// Cells of a chunk, which a wide table reaches first.
const CELLS: usize = 1 << 20;

/// The chunks of a Parquet file.
pub(super) struct ParquetChunks {
    name: String,
    columns: Vec<String>,
    batches: ParquetRecordBatchReader,
    rows_read: usize,
}

impl ParquetChunks {
    pub(super) fn open(file: File, name: &str) -> Result<Self, DataError> {
        let error = |reason| DataError::Parquet { table: name.to_owned(), reason };
        let builder = unwound(|| ParquetRecordBatchReaderBuilder::try_new(file)).map_err(error)?;
        let names = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        let columns = column_names(name, names)?;
        if columns.is_empty() {
            return Err(DataError::TableEmpty { table: name.to_owned() });
        }
        let rows = (CELLS / columns.len()).clamp(1, ROWS);
        let batches = unwound(|| builder.with_batch_size(rows).build()).map_err(error)?;
        Ok(Self { name: name.to_owned(), columns, batches, rows_read: 0 })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The next rows; none at the end of the file.
    pub(super) fn advance(&mut self) -> Result<Option<Rows>, DataError> {
        loop {
            let batch = match unwound(|| self.batches.next().transpose()) {
                Ok(Some(batch)) => batch,
                Ok(None) => return Ok(None),
                Err(reason) => {
                    return Err(DataError::Parquet { table: self.name.clone(), reason });
                }
            };
            if batch.num_rows() > 0 {
                let rows = Rows::from_batch(&self.name, &batch, self.rows_read)?;
                self.rows_read += batch.num_rows();
                return Ok(Some(rows));
            }
        }
    }
}

/// The result in words, a panic included: parquet's decoders index and slice by what the file says.
fn unwound<T, E: std::fmt::Display>(read: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    // After a panic nothing of the reader is used again: its caller stops at the error.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("a page does not hold what its header says".to_owned()),
    }
}
