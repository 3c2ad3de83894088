use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::csv::CsvChunks;
use super::options::{Format, ReadOptions};
use super::parquet::ParquetChunks;
use super::source::{self, STDIN, Source};
use crate::error::TableError;
use crate::error::no_problems;
use crate::rows::Rows;
use crate::table::Table;

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
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, TableError> {
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
    ) -> Result<Self, TableError> {
        Self::csv(source::stream(input, name)?, name.to_owned(), options)
    }

    pub(super) fn csv(
        text: source::Text,
        name: String,
        options: &ReadOptions,
    ) -> Result<Self, TableError> {
        let (chunks, format) = CsvChunks::open(text, &name, options)?;
        Ok(Self::new(name, format, Chunks::Csv(Box::new(chunks))))
    }

    pub(super) fn parquet(file: File, name: String) -> Result<Self, TableError> {
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

    fn advance(&mut self) -> Result<Option<Rows>, TableError> {
        let rows = match &mut self.chunks {
            Chunks::Csv(chunks) => chunks.advance(),
            Chunks::Parquet(chunks) => chunks.advance(),
        }?;
        if rows.is_none() && !self.any_rows {
            return Err(TableError::NoRows { table: self.name.clone() });
        }
        self.any_rows = true;
        Ok(rows)
    }
}

/// The chunks, in order, none of them empty; a table without rows is an error.
impl Iterator for TableReader {
    type Item = Result<Rows, TableError>;

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
    /// Those of [`TableReader::open`], and [`TableError::Row`] at the first row that can't be split
    /// into columns.
    pub fn read(path: &Path, options: &ReadOptions) -> Result<Self, TableError> {
        Self::from_reader(TableReader::open(path, options)?)
    }

    /// Reads all that a reader holds.
    ///
    /// # Errors
    ///
    /// [`TableError::Row`] at the first row that can't be split into columns, and what the reader
    /// meets on its way.
    pub fn from_reader(reader: TableReader) -> Result<Self, TableError> {
        let (name, columns) = (reader.name().to_owned(), reader.columns().to_vec());
        let mut chunks = Vec::new();
        for rows in reader {
            let rows = rows?;
            no_problems(&name, &rows.problems)?;
            chunks.push(rows);
        }
        Ok(Self::of_chunks(&name, &columns, chunks))
    }
}
