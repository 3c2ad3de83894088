//! From the bytes of a request to features, a chunk of rows at a time.

mod arrow;
mod collector;
mod csv;
mod frames;
mod json;

use arrow_array::RecordBatch;
use axum::body::Bytes;
use axum::http::StatusCode;
use kiln_table::{Location, RowProblem};

use crate::Model;
use crate::media::Media;
use crate::predictor::Chunk;
use crate::problem::Problem;
use collector::Collector;

/// Most columns of a request, where the model has no more itself.
const MAX_COLUMNS: usize = 10_000;

/// The rows of a request, but for their features.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) count: usize,
    /// The lines of a CSV text.
    lines: Vec<u64>,
    /// The columns as they came, where the answer is to hold them.
    pub(crate) kept: Vec<RecordBatch>,
}

impl Rows {
    /// What is wrong with one of the rows.
    pub(crate) fn problem(&self, row: usize, message: String) -> RowProblem {
        let location = match self.lines.get(row) {
            Some(line) => Location::Line(*line),
            None => Location::Row(row + 1),
        };
        RowProblem { row, location, column: None, message }
    }
}

/// What becomes of reading a request.
pub(crate) enum Outcome {
    Rows(Rows),
    /// The chunks are no longer asked for.
    Unwanted,
}

/// How a request is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) media: Media,
    /// Most rows.
    pub(crate) max_rows: usize,
    /// Whether to keep the columns as they came.
    pub(crate) keep: bool,
}

/// Reads a request; `emit` gets its chunks, and says if it wants more.
///
/// Every row is looked at before the first problem is told, up to a hundred problems: but after the
/// first one there are no more chunks.
pub(crate) fn read(
    model: &Model,
    body: &Bytes,
    reading: Reading,
    emit: &mut dyn FnMut(Chunk) -> bool,
) -> Result<Outcome, Problem> {
    let mut collector = Collector::new(model, reading, emit);
    match reading.media {
        Media::Json => json::read(body, &mut collector)?,
        Media::Csv => csv::read(body, &mut collector)?,
        Media::Arrow => arrow::read(body, &mut collector)?,
    }
    collector.finish()
}

/// Most columns that a request to this model may have.
fn max_columns(model: &Model) -> usize {
    MAX_COLUMNS.max(2 * model.manifest().schema.columns.len())
}

fn too_many_columns(limit: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("more than {limit} columns"))
}
