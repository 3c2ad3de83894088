//! Arrow's many types to the five of [`Rows`].

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, NullArray, RecordBatch, types::UInt64Type};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Schema};

use crate::error::TableError;
use crate::names::column_names;
use crate::rows::Rows;
use crate::table::Table;

impl Rows {
    /// Rows from any Arrow batch, for a table of the given name of which `first_row` rows come before.
    ///
    /// Whole numbers become `Int64` (a column with one above [`i64::MAX`] `Float64`), other numbers
    /// and decimals `Float64`, text in whichever form `Utf8`; dates, times and timestamps are the
    /// `Int64` count of their unit; columns of anything else (lists, structs, binary) are `Null`.
    ///
    /// # Errors
    ///
    /// If two columns have the same name.
    pub fn from_batch(
        table: &str,
        batch: &RecordBatch,
        first_row: usize,
    ) -> Result<Self, TableError> {
        let schema = batch.schema();
        let names = schema.fields().iter().map(|field| field.name().clone()).collect();
        let arrow_error = |error: ArrowError| TableError::table(table, error);
        let arrays: Vec<ArrayRef> = batch
            .columns()
            .iter()
            .map(normalised)
            .collect::<Result<_, _>>()
            .map_err(arrow_error)?;
        let fields: Vec<Field> = column_names(table, names)?
            .into_iter()
            .zip(&arrays)
            .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
            .collect();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch =
            RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
                .map_err(arrow_error)?;
        Ok(Self { batch, first_row, lines: Vec::new(), picked: Vec::new(), problems: Vec::new() })
    }
}

impl Table {
    /// A table of Arrow batches, whose types become those of [`Rows`] as in [`Rows::from_batch`].
    ///
    /// # Errors
    ///
    /// If there are no rows, if two columns have the same name, or if a batch has other columns than
    /// the first.
    pub fn from_batches(name: &str, batches: Vec<RecordBatch>) -> Result<Self, TableError> {
        let (mut names, mut chunks, mut first_row) = (Vec::new(), Vec::new(), 0);
        for (index, batch) in batches.iter().enumerate() {
            let rows = Rows::from_batch(name, batch, first_row)?;
            let columns: Vec<String> =
                rows.batch.schema().fields().iter().map(|field| field.name().clone()).collect();
            if index == 0 {
                names = columns;
            } else if names != columns {
                return Err(TableError::table(
                    name,
                    format_args!(
                        "batch {index} (counted from 0) has the columns {columns:?}, expected \
                         {names:?} as in the first"
                    ),
                ));
            }
            if batch.num_rows() > 0 {
                first_row += batch.num_rows();
                chunks.push(rows);
            }
        }
        if first_row == 0 {
            return Err(TableError::NoRows { table: name.to_owned() });
        }
        Ok(Self::of_chunks(name, &names, chunks))
    }
}

fn normalised(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    use DataType as T;
    match array.data_type() {
        T::Utf8 | T::Int64 | T::Float64 | T::Boolean | T::Null => Ok(Arc::clone(array)),
        T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32 => cast(array, &T::Int64),
        T::UInt64 => {
            let values = array.as_primitive::<UInt64Type>();
            let fits = values.iter().flatten().all(|value| i64::try_from(value).is_ok());
            cast(array, if fits { &T::Int64 } else { &T::Float64 })
        }
        T::Float16
        | T::Float32
        | T::Decimal32(..)
        | T::Decimal64(..)
        | T::Decimal128(..)
        | T::Decimal256(..) => cast(array, &T::Float64),
        T::LargeUtf8 | T::Utf8View => cast(array, &T::Utf8),
        T::Date32 | T::Date64 | T::Time32(_) | T::Time64(_) | T::Timestamp(..) | T::Duration(_) => {
            cast(array, &T::Int64)
        }
        T::Dictionary(_, values) => normalised(&cast(array, values)?),
        T::RunEndEncoded(_, values) => normalised(&cast(array, values.data_type())?),
        _ => Ok(Arc::new(NullArray::new(array.len()))),
    }
}
