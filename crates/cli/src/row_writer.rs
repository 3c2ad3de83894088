use std::{
    io::{self, Write},
    path::Path,
};

use anyhow::{Context, anyhow};
use arrow_array::RecordBatch;
use clap::ValueEnum;
use kiln::table::RowProblem;
use parquet::arrow::ArrowWriter;

/// The form in which rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Comma-separated, with a header
    Csv,
    /// One JSON object a line
    Jsonl,
    /// Parquet
    Parquet,
}

impl OutputFormat {
    /// What the name of a file asks for; CSV unless it ends in .parquet, .jsonl or .ndjson.
    pub(crate) fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("parquet" | "pq") => Self::Parquet,
            Some("jsonl" | "ndjson") => Self::Jsonl,
            _ => Self::Csv,
        }
    }
}

/// Writes chunks of rows, all with the same columns, in one of the formats.
pub(crate) struct RowWriter<W: Write + Send> {
    name: String,
    format: OutputFormat,
    state: State<W>,
}

enum State<W: Write + Send> {
    /// Nothing written, the columns are not known.
    New(W),
    Csv(Box<arrow_csv::Writer<W>>),
    Jsonl(arrow_json::LineDelimitedWriter<W>),
    Parquet(Box<ArrowWriter<W>>),
    /// A write has failed.
    Failed,
}

impl<W: Write + Send> RowWriter<W> {
    /// `name` is that of the destination, for messages.
    pub(crate) fn new(name: String, format: OutputFormat, to: W) -> Self {
        Self { name, format, state: State::New(to) }
    }

    pub(crate) fn write(&mut self, rows: &RecordBatch) -> anyhow::Result<()> {
        self.try_write(rows).map_err(plain).with_context(|| format!("cannot write {}", self.name))
    }

    fn try_write(&mut self, rows: &RecordBatch) -> anyhow::Result<()> {
        if let State::New(_) = self.state {
            let State::New(to) = std::mem::replace(&mut self.state, State::Failed) else {
                unreachable!("just seen");
            };
            self.state = match self.format {
                OutputFormat::Csv => State::Csv(Box::new(
                    arrow_csv::WriterBuilder::new().with_header(true).build(to),
                )),
                // A null is said, so that every line has the same keys.
                OutputFormat::Jsonl => State::Jsonl(
                    arrow_json::WriterBuilder::new().with_explicit_nulls(true).build(to),
                ),
                OutputFormat::Parquet => {
                    State::Parquet(Box::new(ArrowWriter::try_new(to, rows.schema(), None)?))
                }
            };
        }
        match &mut self.state {
            State::Csv(writer) => writer.write(rows)?,
            State::Jsonl(writer) => writer.write(rows)?,
            State::Parquet(writer) => writer.write(rows)?,
            State::New(_) | State::Failed => {}
        }
        Ok(())
    }

    /// Writes what is left to write; nothing is whole without it.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let Self { name, state, .. } = self;
        state.finish().map_err(plain).with_context(|| format!("cannot write {name}"))
    }
}

impl<W: Write + Send> State<W> {
    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::New(_) | Self::Failed => {}
            Self::Csv(writer) => writer.into_inner().flush()?,
            Self::Jsonl(mut writer) => {
                writer.finish()?;
                writer.into_inner().flush()?;
            }
            Self::Parquet(writer) => {
                writer.close()?;
            }
        }
        Ok(())
    }
}

/// The rows that could not be used, as CSV.
pub(crate) struct ErrorFile<W: Write> {
    name: String,
    rows: csv::Writer<W>,
}

impl<W: Write> ErrorFile<W> {
    /// `name` is that of the destination, for messages.
    pub(crate) fn new(name: String, to: W) -> anyhow::Result<Self> {
        let mut file = Self { name, rows: csv::Writer::from_writer(to) };
        file.write_record(["location", "column", "problem"])?;
        Ok(file)
    }

    pub(crate) fn write(&mut self, problem: &RowProblem) -> anyhow::Result<()> {
        let column = problem.column.as_deref().unwrap_or_default();
        self.write_record([&problem.location.to_string(), column, &problem.message])
    }

    fn write_record(&mut self, record: [&str; 3]) -> anyhow::Result<()> {
        let written = self.rows.write_record(record).map_err(anyhow::Error::from);
        written.map_err(plain).with_context(|| format!("cannot write {}", self.name))
    }

    /// Writes what is left to write.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        self.rows.flush().with_context(|| format!("cannot write {}", self.name))
    }
}

/// What the file system says, which the writers of each format repeat in words of their own.
fn plain(error: anyhow::Error) -> anyhow::Error {
    match error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()) {
        Some(cause) => anyhow!("{cause}"),
        None => error,
    }
}
