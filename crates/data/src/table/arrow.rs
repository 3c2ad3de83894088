//! Arrow's many types to the five of [`Rows`].

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, NullArray, RecordBatch, types::UInt64Type};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::Rows;
use super::reader::column_names;
use crate::error::DataError;

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
    ) -> Result<Self, DataError> {
        let schema = batch.schema();
        let names = schema.fields().iter().map(|field| field.name().clone()).collect();
        let arrow_error = |error: ArrowError| DataError::Arrow {
            table: table.to_owned(),
            reason: error.to_string(),
        };
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
