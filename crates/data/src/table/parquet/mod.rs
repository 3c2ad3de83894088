//! Parquet files.
//!
//! The parquet crate makes room for what a file says of itself before it looks whether that is there. So
//! [`footer`] and [`pages`] look first, columns that are no values are not read at all, and texts are
//! read as views of their pages, which a dictionary of long ones does not multiply.

mod delta;
mod footer;
mod pages;
#[cfg(test)]
mod tests;
mod thrift;

use std::fs::File;
use std::sync::Arc;

use arrow_array::{ArrayRef, NullArray, RecordBatch, RecordBatchOptions, cast::AsArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;

use self::pages::CheckedGroups;
use self::thrift::malformed;
use super::Rows;
use super::reader::column_names;
use crate::error::DataError;

/// Rows of a chunk.
const ROWS: usize = 8192;
/// Cells of a chunk, which a wide table reaches first.
const CELLS: usize = 1 << 20;
/// Bytes of the texts of a chunk, which a table of long texts reaches first.
const BYTES: usize = 32 << 20;

/// The chunks of a Parquet file.
pub(super) struct ParquetChunks {
    name: String,
    columns: Vec<String>,
    /// For each column, where it stands in a batch; none where it is no column of values.
    places: Vec<Option<usize>>,
    batches: ParquetRecordBatchReader,
    /// What is left of the current batch.
    batch: Option<RecordBatch>,
    rows_read: usize,
}

/// A file that was opened.
struct Opened {
    names: Vec<String>,
    places: Vec<Option<usize>>,
    batches: ParquetRecordBatchReader,
}

impl ParquetChunks {
    pub(super) fn open(file: File, name: &str) -> Result<Self, DataError> {
        let error = |reason| DataError::Parquet { table: name.to_owned(), reason };
        let opened = unwound(|| open(file)).map_err(error)?;
        let Some(Opened { names, places, batches }) = opened else {
            return Err(DataError::TableEmpty { table: name.to_owned() });
        };
        let columns = column_names(name, names)?;
        Ok(Self { name: name.to_owned(), columns, places, batches, batch: None, rows_read: 0 })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The next rows; none at the end of the file.
    pub(super) fn advance(&mut self) -> Result<Option<Rows>, DataError> {
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
                    return Err(DataError::Parquet { table: self.name.clone(), reason });
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
        let arrays: Vec<ArrayRef> = self.places.iter().map(array).collect();
        let fields = self.columns.iter().zip(&arrays);
        let fields: Vec<Field> =
            fields.map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .expect("nullable columns of the types and lengths stated")
    }
}

/// None for a file without columns.
fn open(file: File) -> Result<Option<Opened>, ParquetError> {
    footer::check(&file)?;
    let metadata = Arc::new(ParquetMetaDataReader::new().parse_and_finish(&file)?);
    let schema = metadata.file_metadata().schema_descr();
    // Not as the writer's Arrow schema has it, which is one more thing that may be wrong.
    let all = parquet_to_arrow_schema(schema, None)?.fields;
    if all.is_empty() {
        return Ok(None);
    }
    let names = all.iter().map(|field| field.name().clone()).collect();
    let read: Vec<usize> = (0..all.len()).filter(|column| holds_values(&all[*column])).collect();
    if read.is_empty() {
        return Err(malformed("none of its columns holds numbers, texts or booleans"));
    }
    let mut places = vec![None; all.len()];
    for (place, column) in read.iter().enumerate() {
        places[*column] = Some(place);
    }

    let hints: Fields = all.iter().map(|field| Arc::new(as_views(field))).collect();
    let mask = ProjectionMask::roots(schema, read.iter().copied());
    let levels = parquet_to_arrow_field_levels(schema, mask, Some(&hints))?;
    let rows = metadata
        .row_groups()
        .iter()
        .try_fold(0_usize, |rows, group| rows.checked_add(usize::try_from(group.num_rows()).ok()?));
    let rows = rows.ok_or_else(|| malformed("a row group has less than 0 rows"))?;
    let batch_size = (CELLS / all.len()).clamp(1, ROWS);
    let (file, metadata) = (Arc::new(file), Arc::clone(&metadata));
    let groups = CheckedGroups { file, metadata, rows };
    let batches =
        ParquetRecordBatchReader::try_new_with_row_groups(&levels, &groups, batch_size, None)?;
    Ok(Some(Opened { names, places, batches }))
}

/// Whether a column is of one of the types that [`Rows`] makes something of.
fn holds_values(field: &Field) -> bool {
    use DataType as T;
    let kind = field.data_type();
    kind.is_numeric()
        || (kind.is_temporal() && !matches!(kind, T::Interval(_)))
        || matches!(kind, T::Boolean | T::Null | T::Utf8 | T::LargeUtf8 | T::Utf8View)
}

fn as_views(field: &Field) -> Field {
    match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => field.clone().with_data_type(DataType::Utf8View),
        _ => field.clone(),
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

/// The result in words, a panic included: parquet's decoders index and slice by what the file says.
fn unwound<T, E: std::fmt::Display>(read: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    // After a panic nothing of the reader is used again: its caller stops at the error.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("a page does not hold what its header says".to_owned()),
    }
}
