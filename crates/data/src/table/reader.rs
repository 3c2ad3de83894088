use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use arrow_array::RecordBatch;

use super::csv::CsvChunks;
use super::parquet::ParquetChunks;
use super::source::{self, STDIN, Source};
use super::{Rows, Table, no_problems};
use crate::error::DataError;

/// How to read a file; the default finds everything from the file itself.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// What stands between the fields of a CSV file; `None`: found from its first lines, among comma,
    /// semicolon, tab and `|`.
    pub delimiter: Option<u8>,
    /// Whether the first line of a CSV file names the columns; `None`: found from its first lines.
    pub header: Option<bool>,
    /// Most columns of a CSV file, from 1 to 1048576; `None`: that.
    pub max_columns: Option<usize>,
}

/// What a table was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text.
    Csv {
        /// What stands between the fields.
        delimiter: u8,
        /// Whether the first line names the columns; without, they are `column_1`, `column_2`, ….
        header: bool,
    },
    /// Parquet.
    Parquet,
}

/// Reads a table chunk by chunk, in memory that does not grow with the file: a chunk of 8192 rows or
/// 32 MiB of text, whichever is less, and a kilobyte for each column; for zstd a window of 128 MiB at most;
/// for Parquet the current page of each column, 256 MiB at most and no more than its compressed bytes
/// can become. A file that claims more than that is refused.
///
/// What a file is, its first bytes say, not its name: CSV, plain or compressed by gzip or zstd, or
/// Parquet. A row that can't be split into columns is among the [`problems`](Rows::problems) of its
/// chunk, and reading goes on; after an error nothing more is read.
pub struct TableReader {
    name: String,
    format: Format,
    chunks: Chunks,
    any_rows: bool,
    done: bool,
}

pub(super) enum Chunks {
    Csv(Box<CsvChunks>),
    Parquet(Box<ParquetChunks>),
}

impl TableReader {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// If the file can't be read, is empty or neither text nor Parquet, or if two columns have the
    /// same name.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        if path == Path::new("-") {
            return Self::from_reader(std::io::stdin(), STDIN, options);
        }
        let name = path.display().to_string();
        match source::open(path)? {
            Source::Text { text, .. } => Self::csv(text, name, options),
            Source::Parquet(file) => Self::parquet(file, name),
        }
    }

    /// Reads CSV text, plain or compressed, from anywhere; `name` is for messages.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and for Parquet, which can't be read from its start to its end.
    pub fn from_reader(
        input: impl Read + Send + 'static,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Self, DataError> {
        Self::csv(source::stream(input, name)?, name.to_owned(), options)
    }

    pub(super) fn csv(
        text: source::Text,
        name: String,
        options: &ReadOptions,
    ) -> Result<Self, DataError> {
        let (chunks, format) = CsvChunks::open(text, &name, options)?;
        Ok(Self::new(name, format, Chunks::Csv(Box::new(chunks))))
    }

    pub(super) fn parquet(file: File, name: String) -> Result<Self, DataError> {
        let chunks = Chunks::Parquet(Box::new(ParquetChunks::open(file, &name)?));
        Ok(Self::new(name, Format::Parquet, chunks))
    }

    pub(super) fn new(name: String, format: Format, chunks: Chunks) -> Self {
        Self { name, format, chunks, any_rows: false, done: false }
    }

    pub(super) fn chunks(&self) -> &Chunks {
        &self.chunks
    }

    /// The name of the source, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns, all different.
    pub fn columns(&self) -> &[String] {
        match &self.chunks {
            Chunks::Csv(chunks) => chunks.columns(),
            Chunks::Parquet(chunks) => chunks.columns(),
        }
    }

    /// What the source turned out to be.
    pub fn format(&self) -> &Format {
        &self.format
    }

    fn advance(&mut self) -> Result<Option<Rows>, DataError> {
        let rows = match &mut self.chunks {
            Chunks::Csv(chunks) => chunks.advance(),
            Chunks::Parquet(chunks) => chunks.advance(),
        }?;
        if rows.is_none() && !self.any_rows {
            return Err(DataError::TableNoRows { table: self.name.clone() });
        }
        self.any_rows = true;
        Ok(rows)
    }
}

/// The chunks, in order, none of them empty; a table without rows is an error.
impl Iterator for TableReader {
    type Item = Result<Rows, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.advance().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

impl Table {
    /// Reads a whole file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// Those of [`TableReader::open`], and [`DataError::Row`] at the first row that can't be split
    /// into columns.
    pub fn read(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        Self::from_reader(TableReader::open(path, options)?)
    }

    /// Reads all that a reader holds.
    ///
    /// # Errors
    ///
    /// [`DataError::Row`] at the first row that can't be split into columns, and what the reader
    /// meets on its way.
    pub fn from_reader(reader: TableReader) -> Result<Self, DataError> {
        let (name, columns) = (reader.name().to_owned(), reader.columns().to_vec());
        let mut chunks = Vec::new();
        for rows in reader {
            let rows = rows?;
            no_problems(&name, &rows.problems)?;
            chunks.push(rows);
        }
        Ok(Self { name, columns, chunks })
    }

    /// A table of Arrow batches, whose types become those of [`Rows`] as in [`Rows::from_batch`].
    ///
    /// # Errors
    ///
    /// If there are no rows, if two columns have the same name, or if a batch has other columns than
    /// the first.
    pub fn from_batches(name: &str, batches: Vec<RecordBatch>) -> Result<Self, DataError> {
        let mut table = Self { name: name.to_owned(), columns: Vec::new(), chunks: Vec::new() };
        let mut first_row = 0;
        for (index, batch) in batches.iter().enumerate() {
            let rows = Rows::from_batch(name, batch, first_row)?;
            let columns: Vec<String> =
                rows.batch.schema().fields().iter().map(|field| field.name().clone()).collect();
            if index == 0 {
                table.columns = columns;
            } else if table.columns != columns {
                return Err(DataError::BatchColumns {
                    table: table.name,
                    batch: index,
                    found: columns,
                    expected: table.columns,
                });
            }
            if batch.num_rows() > 0 {
                first_row += batch.num_rows();
                table.chunks.push(rows);
            }
        }
        if first_row == 0 {
            return Err(DataError::TableNoRows { table: table.name });
        }
        Ok(table)
    }
}

/// The names of the columns: `column_N` for one without a name, and no name twice.
pub(super) fn column_names(table: &str, names: Vec<String>) -> Result<Vec<String>, DataError> {
    let mut positions = HashMap::new();
    let mut columns = Vec::with_capacity(names.len());
    for (index, mut name) in names.into_iter().enumerate() {
        if name.is_empty() {
            name = format!("column_{}", index + 1);
        }
        if let Some(first) = positions.insert(name.clone(), index + 1) {
            let table = table.to_owned();
            return Err(DataError::ColumnTwice { table, column: name, first, second: index + 1 });
        }
        columns.push(name);
    }
    Ok(columns)
}
