//! Some successive rows of a table, and where each stands in its source.

use arrow_array::RecordBatch;

/// Some successive rows of a table.
///
/// Columns are of five Arrow types only: `Utf8` (every column of a CSV file, as the text stands
/// there), `Int64`, `Float64`, `Boolean`, and `Null` for a type that is none of these.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The rows. One that could not be split into columns is all null.
    pub batch: RecordBatch,
    /// How many rows of the table come before these.
    pub first_row: usize,
    /// The line of the file, counted from 1, on which each row starts; empty where the source has no
    /// lines.
    pub lines: Vec<u64>,
    /// The rows of the source that these were picked from, counted from 0; empty where they are all of it.
    pub picked: Vec<usize>,
    /// The rows that could not be split into columns, in order.
    pub problems: Vec<RowProblem>,
}

impl Rows {
    /// Where a row of this chunk stands in its source.
    pub fn location(&self, row: usize) -> Location {
        match (self.lines.get(row), self.picked.get(row)) {
            (Some(line), _) => Location::Line(*line),
            (None, Some(row)) => Location::Row(row + 1),
            (None, None) => Location::Row(self.first_row + row + 1),
        }
    }

    /// What is wrong with a row of this chunk, or with its value in one column.
    pub fn problem(
        &self,
        row: usize,
        column: Option<&str>,
        message: impl Into<String>,
    ) -> RowProblem {
        let (column, message) = (column.map(str::to_owned), message.into());
        RowProblem { row, location: self.location(row), column, message }
    }
}

/// Where a row stands in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// Line of a text file, counted from 1, header and blank lines included.
    Line(u64),
    /// Row of a table without lines, counted from 1.
    Row(usize),
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// Why one row of a table can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// Index of the row in its chunk.
    pub row: usize,
    /// Where it stands in its source.
    pub location: Location,
    /// The column, where it is one value that is wrong.
    pub column: Option<String>,
    /// What was found and what was expected: `"n/a" is not a number`.
    pub message: String,
}

/// `line 17, column "age": "n/a" is not a number`.
impl std::fmt::Display for RowProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.column {
            Some(column) => write!(f, "{}, column {column:?}: {}", self.location, self.message),
            None => write!(f, "{}: {}", self.location, self.message),
        }
    }
}
