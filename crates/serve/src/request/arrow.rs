use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_schema::DataType;
use axum::body::Bytes;
use kiln_table::{Binding, Rows};

use super::collector::Collector;
use super::columns::{max_columns, too_many_columns};
use super::frames;
use crate::Model;
use crate::problem::{Problem, TABLE};

/// Rows that are taken over at once.
const ROWS: usize = 1024;

/// Bytes of text that these rows may become: a view or a dictionary of few bytes can mean gigabytes.
const TEXT: usize = 32 << 20;

/// Reads an Arrow IPC stream.
pub(super) fn read(body: &Bytes, collector: &mut Collector) -> Result<(), Problem> {
    frames::check(body).map_err(not_arrow)?;
    let mut left = Buffer::from(body.clone());
    let mut decoder = StreamDecoder::new();
    let mut columns = None;
    loop {
        let batch = decode(&mut decoder, &mut left)?;
        if columns.is_none()
            && let Some(schema) = decoder.schema()
        {
            let names = schema.fields().iter().map(|field| field.name().clone()).collect();
            columns = Some(Columns::new(collector.model, names)?);
        }
        let (Some(batch), Some(columns)) = (batch, &columns) else { break };
        if collector.expect_rows(batch.num_rows()).is_err() {
            return Ok(());
        }
        let batch = batch.project(&columns.indices).map_err(not_arrow)?;
        let rows = rows_at_once(&batch);
        for start in (0..batch.num_rows()).step_by(rows) {
            let part = batch.slice(start, rows.min(batch.num_rows() - start));
            let part = Rows::from_batch(TABLE, &part, collector.count())?;
            if collector.table(&columns.binding, part).is_err() {
                return Ok(());
            }
        }
    }
    if columns.is_none() {
        return Err(not_arrow("it has no schema"));
    }
    decoder.finish().map_err(not_arrow)
}

/// The columns that the model has too.
struct Columns {
    indices: Vec<usize>,
    binding: Binding,
}

impl Columns {
    fn new(model: &Model, names: Vec<String>) -> Result<Self, Problem> {
        let limit = max_columns(model);
        if names.len() > limit {
            return Err(too_many_columns(limit));
        }
        let preprocessor = &model.manifest().preprocessor;
        // Names of others are of use in suggestions alone.
        preprocessor.rebind(model.binding(), TABLE, &names)?;
        let known = names.iter().enumerate().filter(|(_, name)| model.column(name).is_some());
        let (indices, names): (Vec<usize>, Vec<String>) =
            known.map(|(index, name)| (index, name.clone())).unzip();
        let binding = preprocessor.rebind(model.binding(), TABLE, &names)?;
        Ok(Self { indices, binding })
    }
}

/// The next batch; none at the end.
fn decode(decoder: &mut StreamDecoder, left: &mut Buffer) -> Result<Option<RecordBatch>, Problem> {
    // arrow-ipc still asserts some of what hostile bytes need not hold to.
    let decoded = catch_unwind(AssertUnwindSafe(|| decoder.decode(left)));
    match decoded {
        Ok(decoded) => decoded.map_err(not_arrow),
        Err(_) => Err(not_arrow("its parts do not fit")),
    }
}

fn not_arrow(error: impl std::fmt::Display) -> Problem {
    Problem::bad_request(format!("the body is no Arrow IPC stream: {error}"))
}

/// So few that their texts, written out, are not too many bytes.
fn rows_at_once(batch: &RecordBatch) -> usize {
    let longest = batch.columns().iter().map(|column| longest(column)).max();
    (TEXT / longest.unwrap_or(0).max(1)).clamp(1, ROWS)
}

/// Bytes of the longest text of an array that may hold it more than once.
fn longest(array: &dyn Array) -> usize {
    match array.data_type() {
        DataType::Utf8 => {
            let lengths = array.as_string::<i32>().offsets().lengths();
            lengths.max().unwrap_or(0)
        }
        DataType::LargeUtf8 => {
            let lengths = array.as_string::<i64>().offsets().lengths();
            lengths.max().unwrap_or(0)
        }
        DataType::Utf8View => {
            array.as_string_view().lengths().max().map_or(0, |length| length as usize)
        }
        DataType::Dictionary(..) => longest(array.as_any_dictionary().values()),
        DataType::RunEndEncoded(ends, _) => longest(match ends.data_type() {
            DataType::Int16 => array.as_run::<Int16Type>().values(),
            DataType::Int32 => array.as_run::<Int32Type>().values(),
            _ => array.as_run::<Int64Type>().values(),
        }),
        _ => 0,
    }
}
