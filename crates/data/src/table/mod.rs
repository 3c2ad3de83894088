//! Tables: named, typed columns, read from files in chunks of rows.

mod arrow;
mod cells;
mod csv;
mod dialect;
mod file;
mod parquet;
mod reader;
mod records;
mod source;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;

use crate::error::DataError;

pub use cells::{Cell, Cells};
pub(crate) use file::ChunkStart;
pub use file::TableFile;
pub use reader::{Format, ReadOptions, TableReader};

/// The first problem, where there is one, as the error of the table.
pub(crate) fn no_problems(table: &str, problems: &[RowProblem]) -> Result<(), DataError> {
    match problems.first().cloned() {
        None => Ok(()),
        Some(problem) => Err(DataError::Row { table: table.to_owned(), problem }),
    }
}

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

/// A whole table in memory.
#[derive(Debug, Clone)]
pub struct Table {
    name: String,
    columns: Vec<String>,
    chunks: Vec<Rows>,
}

impl Table {
    /// A table of successive chunks; `columns` are those of each of them.
    pub(crate) fn of_chunks(name: &str, columns: &[String], chunks: Vec<Rows>) -> Self {
        Self { name: name.to_owned(), columns: columns.to_vec(), chunks }
    }

    /// The name of its source, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns, all different.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows, in order.
    pub fn chunks(&self) -> &[Rows] {
        &self.chunks
    }

    /// How many rows there are.
    pub fn num_rows(&self) -> usize {
        self.chunks.iter().map(|rows| rows.batch.num_rows()).sum()
    }

    /// The table of those rows alone for which `wanted` holds, one for each row. They still know where they
    /// stand in their source.
    ///
    /// # Errors
    ///
    /// If no row is left.
    ///
    /// # Panics
    ///
    /// If `wanted` is shorter than the table.
    pub fn filter(&self, wanted: &[bool]) -> Result<Self, DataError> {
        let mut chunks = Vec::new();
        let (mut first_row, mut before) = (0, 0);
        for rows in &self.chunks {
            let mask = &wanted[before..][..rows.batch.num_rows()];
            before += mask.len();
            let kept: Vec<usize> = (0..mask.len()).filter(|row| mask[*row]).collect();
            if kept.is_empty() {
                continue;
            }
            let batch = filter_record_batch(&rows.batch, &BooleanArray::from(mask.to_vec()));
            let batch = batch.map_err(|error| DataError::Arrow {
                table: self.name.clone(),
                reason: error.to_string(),
            })?;
            let lines = match rows.lines.as_slice() {
                [] => Vec::new(),
                lines => kept.iter().map(|row| lines[*row]).collect(),
            };
            let place =
                |row: &usize| rows.picked.get(*row).copied().unwrap_or(rows.first_row + row);
            let picked = kept.iter().map(place).collect();
            chunks.push(Rows { batch, first_row, lines, picked, problems: Vec::new() });
            first_row += kept.len();
        }
        match chunks.is_empty() {
            true => Err(DataError::NoRows),
            false => Ok(Self::of_chunks(&self.name, &self.columns, chunks)),
        }
    }

    /// The index of a column.
    ///
    /// # Errors
    ///
    /// [`DataError::NoColumn`], which suggests the name nearest to it.
    pub fn column(&self, name: &str) -> Result<usize, DataError> {
        column_index(&self.name, &self.columns, name)
    }
}

/// The index of a column by name.
///
/// # Errors
///
/// [`DataError::NoColumn`], which suggests the name nearest to it.
pub fn column_index(table: &str, columns: &[String], name: &str) -> Result<usize, DataError> {
    let found = columns.iter().position(|column| column == name);
    found.ok_or_else(|| no_column(table, columns, name))
}

pub(crate) fn no_column(table: &str, columns: &[String], name: &str) -> DataError {
    DataError::NoColumn {
        table: table.to_owned(),
        column: name.to_owned(),
        nearest: nearest(name, columns.iter().map(String::as_str)).map(str::to_owned),
        columns: columns.to_vec(),
    }
}

/// The candidate that a misspelt name most likely means, if any comes near.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = name.to_lowercase();
    // Much longer ones are no misspellings, and take long to compare.
    let longest = 4 * name.len() + 16;
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= longest)
        .map(|candidate| (strsim::jaro_winkler(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
impl Table {
    pub(crate) fn set_chunks(&mut self, chunks: Vec<Rows>) {
        self.chunks = chunks;
    }
}

/// A table of texts for tests, as a CSV file with this header would give it; empty text is missing.
#[cfg(test)]
pub(crate) fn text_table(name: &str, header: &[&str], rows: &[&[&str]]) -> Table {
    let columns = (0..header.len()).map(|column| {
        let texts = rows.iter().map(|row| row[column]);
        let array: arrow_array::ArrayRef =
            std::sync::Arc::new(arrow_array::StringArray::from_iter_values(texts));
        array
    });
    let mut table = typed_table(name, header.iter().copied().zip(columns).collect());
    table.chunks[0].lines = (2..).take(rows.len()).collect();
    table
}

/// A table of arrays for tests, as a Parquet file would give it.
#[cfg(test)]
pub(crate) fn typed_table(name: &str, columns: Vec<(&str, arrow_array::ArrayRef)>) -> Table {
    let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of equal length");
    let chunk =
        Rows { batch, first_row: 0, lines: Vec::new(), picked: Vec::new(), problems: Vec::new() };
    Table { name: name.to_owned(), columns: names, chunks: vec![chunk] }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{Cells, ReadOptions, Table, TableReader};

    #[test]
    fn rows_that_are_kept_know_where_they_stood() {
        let csv = Cursor::new("x,y\n1,a\n2,b\n3,a\n4,b\n");
        let reader = TableReader::from_reader(csv, "t.csv", &ReadOptions::default()).unwrap();
        let table = Table::from_reader(reader).unwrap();
        let some = table.filter(&[false, true, true, true]).unwrap();
        let some = some.filter(&[false, true, true]).unwrap();
        let [rows] = some.chunks() else { panic!("{} chunks", some.chunks().len()) };
        let mut scratch = String::new();
        let first = Cells::new(rows.batch.column(0)).get(0);
        assert_eq!(first.text(&mut scratch), Some("3"));
        assert_eq!((some.num_rows(), rows.picked.as_slice()), (2, &[2, 3][..]));
        assert_eq!(rows.location(0).to_string(), "line 4");
        let none = table.filter(&[false; 4]).unwrap_err();
        assert_eq!(none.to_string(), "the dataset has no rows, expected at least 1");
    }
}
