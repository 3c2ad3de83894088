use std::fs::{File, Metadata};
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::csv::{CsvChunks, CsvStart};
use super::options::{Format, ReadOptions};
use super::parquet::{Layout, ParquetChunks};
use super::reader::{Chunks, TableReader};
use super::source::{self, Source};
use crate::error::TableError;
use crate::error::no_problems;
use crate::rows::Rows;
use crate::table::Table;

/// A file that can be read from any of its chunks on: CSV that is not compressed, or Parquet.
#[derive(Debug)]
pub struct TableFile {
    path: PathBuf,
    name: String,
    columns: Vec<String>,
    format: Format,
    options: ReadOptions,
    layout: Option<Arc<Layout>>,
    state: State,
}

/// By which a file that has been written to is recognised.
#[derive(Debug, PartialEq, Eq)]
struct State {
    bytes: u64,
    modified: Option<SystemTime>,
}

/// Where a chunk starts in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ChunkStart {
    /// Rows of the file that come before.
    pub(crate) row: usize,
    /// The byte and the line of its first row, 0 in a file without lines.
    pub(crate) byte: u64,
    pub(crate) line: u64,
}

impl TableFile {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// Those of [`TableReader::open`]; [`TableError::Source`] for standard input, pipes and
    /// compressed text, which can be read from their start only.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, TableError> {
        let refused = |found: &str| {
            Err(TableError::unreadable(
                &path.display().to_string(),
                format_args!(
                    "is {found}, which can be read from its start only; expected a CSV file that \
                     is not compressed, or a Parquet file"
                ),
            ))
        };
        if path == Path::new("-") {
            return refused("standard input");
        }
        let read_error = |source| TableError::Read { path: path.to_owned(), source };
        // A pipe must not be opened: that would wait for a writer, and take what it writes.
        if let Ok(metadata) = path.metadata()
            && !metadata.is_file()
            && !metadata.is_dir()
        {
            return refused("not a regular file");
        }
        let source = source::open(path)?;
        let state = State::of(&path.metadata().map_err(read_error)?);
        let name = path.display().to_string();
        let reader = match source {
            Source::Text { compression: Some(format), .. } => {
                return refused(&format!("compressed by {format}"));
            }
            Source::Text { text, .. } => TableReader::csv(text, name.clone(), options)?,
            Source::Parquet(file) => TableReader::parquet(file, name.clone())?,
        };
        let layout = match reader.chunks() {
            Chunks::Csv(_) => None,
            Chunks::Parquet(chunks) => Some(Arc::clone(chunks.layout())),
        };
        Ok(Self {
            path: path.to_owned(),
            name,
            columns: reader.columns().to_vec(),
            format: *reader.format(),
            options: options.clone(),
            layout,
            state,
        })
    }

    /// Its name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns, all different.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// What the file turned out to be.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// How many rows there are: of a Parquet file exactly, of a CSV file of more than one chunk by the
    /// length of the rows in the first. The same file gives the same number.
    ///
    /// # Errors
    ///
    /// If the file can't be read, or has no rows.
    pub fn estimated_rows(&self) -> Result<usize, TableError> {
        if let Some(layout) = &self.layout {
            return Ok(layout.rows());
        }
        let mut reader = self.reader()?;
        let Some(first) = reader.next().transpose()? else { return Ok(0) };
        Ok(match reader.next().transpose()? {
            None => first.0.row + first.1.batch.num_rows(),
            Some((second, _)) => {
                let bytes = (second.byte - first.0.byte).max(1) as f64;
                let rows = first.1.batch.num_rows() as f64;
                ((self.state.bytes - first.0.byte) as f64 * rows / bytes).round() as usize
            }
        })
    }

    /// All chunks, from the first on.
    pub(crate) fn reader(&self) -> Result<FileReader, TableError> {
        self.check(&self.path.metadata().map_err(|source| self.read_error(source))?)?;
        Ok(FileReader(TableReader::open(&self.path, &self.options)?))
    }

    /// So many rows, from the start of a chunk on.
    ///
    /// # Errors
    ///
    /// If the file can't be read, or is no longer what it was.
    pub(crate) fn read(&self, start: ChunkStart, rows: usize) -> Result<Table, TableError> {
        let mut file = File::open(&self.path).map_err(|source| self.read_error(source))?;
        self.check(&file.metadata().map_err(|source| self.read_error(source))?)?;
        let chunks = match (&self.layout, self.format) {
            (Some(layout), _) => {
                let rows = start.row..start.row + rows;
                let layout = Arc::clone(layout);
                Chunks::Parquet(Box::new(ParquetChunks::of_rows(file, &self.name, layout, rows)?))
            }
            (None, Format::Csv { delimiter, header }) => {
                file.seek(SeekFrom::Start(start.byte)).map_err(|source| self.read_error(source))?;
                let ChunkStart { row, byte, line } = start;
                let start = CsvStart { byte, line, rows_before: row };
                let (text, columns) = (Box::new(BufReader::new(file)), &self.columns);
                let chunks =
                    CsvChunks::from_middle(text, &self.name, columns, delimiter, header, start);
                Chunks::Csv(Box::new(chunks))
            }
            (None, Format::Parquet) => unreachable!("a Parquet file has a layout"),
        };
        let mut reader = TableReader::new(self.name.clone(), self.format, chunks);
        let (mut table, mut read) = (Vec::new(), 0);
        while read < rows {
            let chunk = reader.next().transpose()?.ok_or_else(|| self.changed())?;
            no_problems(&self.name, &chunk.problems)?;
            read += chunk.batch.num_rows();
            table.push(chunk);
        }
        if read > rows {
            return Err(self.changed());
        }
        Ok(Table::of_chunks(&self.name, &self.columns, table))
    }

    /// That the file is not what it was.
    pub(crate) fn changed(&self) -> TableError {
        TableError::unreadable(&self.name, "was changed while it was in use")
    }

    fn check(&self, metadata: &Metadata) -> Result<(), TableError> {
        if State::of(metadata) == self.state { Ok(()) } else { Err(self.changed()) }
    }

    fn read_error(&self, source: std::io::Error) -> TableError {
        TableError::Read { path: self.path.clone(), source }
    }
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

/// The chunks of a file, in order, and where each of them starts; after an error nothing more is read.
pub(crate) struct FileReader(TableReader);

impl Iterator for FileReader {
    type Item = Result<(ChunkStart, Rows), TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = match self.0.next()? {
            Ok(rows) => rows,
            Err(error) => return Some(Err(error)),
        };
        let byte = match self.0.chunks() {
            Chunks::Csv(chunks) => chunks.chunk_start(),
            Chunks::Parquet(_) => 0,
        };
        let line = rows.lines.first().copied().unwrap_or(0);
        Some(Ok((ChunkStart { row: rows.first_row, byte, line }, rows)))
    }
}
