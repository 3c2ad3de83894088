//! From the bytes of a request to features, a chunk of rows at a time.

mod arrow;
mod collector;
mod columns;
mod csv;
mod frames;
mod json;
mod rows;

use axum::body::Bytes;

use crate::Model;
use crate::media::Media;
use crate::predictor::Chunk;
use crate::problem::Problem;
use collector::Collector;
pub(crate) use rows::{Outcome, Reading, Rows};

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
