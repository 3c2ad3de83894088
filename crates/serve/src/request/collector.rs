use kiln_table::{Cell, Location, RowProblem, Rows as TableRows};

use super::rows::{Outcome, Reading, Rows};
use crate::Model;
use crate::predictor::Chunk;
use crate::problem::{MAX_LISTED, Problem};

/// Most rows of a chunk: a request of many must not keep the network from those of few for long.
const CHUNK_ROWS: usize = 1024;

/// Numbers of a chunk, which rows of many features reach first.
const CHUNK_VALUES: usize = 1 << 20;

/// Why reading ends before the request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    TooManyRows,
    /// As many as are listed.
    Problems,
    Unwanted,
}

/// Gathers rows into chunks, and what is wrong with them.
pub(super) struct Collector<'a> {
    pub(super) model: &'a Model,
    reading: Reading,
    emit: &'a mut dyn FnMut(Chunk) -> bool,
    features: Vec<f32>,
    chunk_rows: usize,
    rows: Rows,
    problems: Vec<RowProblem>,
    /// Whether the current row has one.
    is_bad: bool,
    stop: Option<Stop>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        model: &'a Model,
        reading: Reading,
        emit: &'a mut dyn FnMut(Chunk) -> bool,
    ) -> Self {
        Self {
            model,
            reading,
            emit,
            features: Vec::new(),
            chunk_rows: (CHUNK_VALUES / model.d_input()).clamp(1, CHUNK_ROWS),
            rows: Rows::default(),
            problems: Vec::new(),
            is_bad: false,
            stop: None,
        }
    }

    /// Rows so far, the current one included.
    pub(super) fn count(&self) -> usize {
        self.rows.count
    }

    /// Starts a row of zeros, of which each feature is to be written.
    pub(super) fn begin_row(&mut self) -> Result<(), Stop> {
        if self.rows.count == self.reading.max_rows {
            return self.stop(Stop::TooManyRows);
        }
        self.rows.count += 1;
        self.is_bad = false;
        self.features.resize(self.features.len() + self.model.d_input(), 0.0);
        Ok(())
    }

    /// Writes a feature of the current row.
    pub(super) fn write(&mut self, column: usize, cell: Cell) {
        let Some(feature) = self.model.columns()[column].feature else { return };
        let start = self.features.len() - self.model.d_input();
        let preprocessor = &self.model.manifest().preprocessor;
        let row = &mut self.features[start..];
        if let Err(message) = preprocessor.write(self.model.binding(), feature, cell, row) {
            self.problem(Some(column), message);
        }
    }

    /// Notes what is wrong with the current row, if nothing is yet.
    pub(super) fn problem(&mut self, column: Option<usize>, message: String) {
        if !std::mem::replace(&mut self.is_bad, true) {
            let column = column.map(|column| self.model.columns()[column].name.clone());
            let row = self.rows.count - 1;
            let location = Location::Row(row + 1);
            self.problems.push(RowProblem { row, location, column, message });
        }
    }

    pub(super) fn end_row(&mut self) -> Result<(), Stop> {
        if self.problems.len() >= MAX_LISTED {
            return self.stop(Stop::Problems);
        }
        if self.features.len() == self.chunk_rows * self.model.d_input() {
            let features = std::mem::take(&mut self.features);
            self.emit(features)?;
        }
        Ok(())
    }

    /// Whether so many more rows are too many.
    pub(super) fn expect_rows(&mut self, more: usize) -> Result<(), Stop> {
        if more > self.reading.max_rows - self.rows.count {
            return self.stop(Stop::TooManyRows);
        }
        Ok(())
    }

    /// Some rows of a table, bound to its columns.
    pub(super) fn table(
        &mut self,
        binding: &kiln_table::Binding,
        rows: TableRows,
    ) -> Result<(), Stop> {
        self.expect_rows(rows.batch.num_rows())?;
        self.rows.count += rows.batch.num_rows();
        self.rows.lines.extend(&rows.lines);
        let mut transformed = self.model.manifest().preprocessor.transform(binding, &rows);
        transformed.problems.extend(rows.problems);
        transformed.problems.sort_by_key(|problem| problem.row);
        self.problems.append(&mut transformed.problems);
        if self.problems.len() >= MAX_LISTED {
            return self.stop(Stop::Problems);
        }
        for chunk in transformed.features.chunks(self.chunk_rows * self.model.d_input()) {
            self.emit(chunk.to_vec())?;
        }
        if self.reading.keep {
            self.rows.kept.push(rows.batch);
        }
        Ok(())
    }

    fn emit(&mut self, features: Vec<f32>) -> Result<(), Stop> {
        let rows = features.len() / self.model.d_input();
        // The answer to bad rows is what is wrong with them.
        if rows > 0 && self.problems.is_empty() && !(self.emit)(Chunk { features, rows }) {
            return self.stop(Stop::Unwanted);
        }
        Ok(())
    }

    fn stop(&mut self, why: Stop) -> Result<(), Stop> {
        self.stop = Some(why);
        Err(why)
    }

    /// Whether the end came early: then what a parser says of that is nothing to tell.
    pub(super) fn has_stopped(&self) -> bool {
        self.stop.is_some()
    }

    pub(super) fn finish(mut self) -> Result<Outcome, Problem> {
        if self.stop.is_none() {
            let features = std::mem::take(&mut self.features);
            // What it is about is in `stop`.
            let _ = self.emit(features);
        }
        match self.stop {
            Some(Stop::TooManyRows) => Err(Problem::too_many_rows(self.reading.max_rows)),
            _ if !self.problems.is_empty() => {
                self.problems.truncate(MAX_LISTED);
                Err(Problem::rows(self.problems))
            }
            Some(Stop::Unwanted) => Ok(Outcome::Unwanted),
            _ => Ok(Outcome::Rows(self.rows)),
        }
    }
}
