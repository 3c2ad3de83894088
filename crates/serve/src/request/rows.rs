use arrow_array::RecordBatch;
use kiln_table::{Location, RowProblem};

use crate::media::Media;

/// The rows of a request, but for their features.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) count: usize,
    /// The lines of a CSV text.
    pub(super) lines: Vec<u64>,
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
