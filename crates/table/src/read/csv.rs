use std::fmt::Write;
use std::io::{BufReader, Cursor, Read};
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::dialect;
use super::options::{Format, ReadOptions};
use super::records::{RecordError, Records};
use super::source::{Text, read_error};
use crate::error::TableError;
use crate::names::column_names;
use crate::rows::{Location, RowProblem, Rows};

/// Rows of a chunk.
const ROWS: usize = 8192;
/// Cells of a chunk, which a wide table reaches first.
const CELLS: usize = 1 << 20;
/// Bytes of a chunk, which a table of long texts reaches first.
const BYTES: usize = 32 << 20;
/// Bytes read ahead to find the delimiter and the header.
const BLOCK: usize = 64 << 10;
/// Line ends looked for there, where lines are long.
const BLOCK_LINES: usize = 20;
/// U+FEFF in UTF-8, which some programs write at the start of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Bytes read ahead at most.
const LONGEST_BLOCK: usize = 16 << 20;

/// The records of a text, of which the start was read before.
type TextRecords = Records<BufReader<std::io::Chain<Cursor<Vec<u8>>, Text>>>;

/// The chunks of a CSV text.
pub(super) struct CsvChunks {
    name: String,
    records: TextRecords,
    header: bool,
    columns: Vec<String>,
    schema: SchemaRef,
    /// Whether the current record of `records` is the first row.
    first_is_row: bool,
    rows_read: usize,
    /// The byte of the text at which the first row of the current chunk starts.
    chunk_start: u64,
}

/// Where a chunk of a text starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CsvStart {
    pub(super) byte: u64,
    pub(super) line: u64,
    pub(super) rows_before: usize,
}

impl CsvChunks {
    pub(super) fn open(
        mut text: Text,
        name: &str,
        options: &ReadOptions,
    ) -> Result<(Self, Format), TableError> {
        let (mut block, whole) = first_block(&mut text).map_err(|error| read_error(name, error))?;
        check_text(&block, name)?;
        let mut start = 0;
        if block.starts_with(BYTE_ORDER_MARK) {
            start = BYTE_ORDER_MARK.len();
            block.drain(..start);
        }
        let sample = sample(&block, whole);
        let delimiter = match options.delimiter {
            Some(b'"' | b'\n' | b'\r' | 0x80..) => {
                return Err(TableError::setting(
                    "delimiter",
                    "the delimiter can be any character of ASCII but a double quote, a line feed \
                     and a carriage return",
                ));
            }
            Some(delimiter) => delimiter,
            None => dialect::delimiter(sample),
        };
        let header = options.header.unwrap_or_else(|| dialect::has_header(sample, delimiter));

        let input = BufReader::with_capacity(BLOCK, Cursor::new(block).chain(text));
        let mut records = Records::new(input, delimiter).starting_at(1, start as u64);
        if let Some(max_columns) = options.max_columns {
            records = records.with_max_fields(max_columns);
        }
        if !records.advance().map_err(|error| record_error(name, error))? {
            return Err(TableError::unreadable(name, "is empty, expected a table"));
        }
        let columns = if header {
            let fields = records.fields().map(|field| match checked(field) {
                Ok(text) => Ok(text.trim().to_owned()),
                Err(message) => {
                    let location = Location::Line(records.line());
                    let problem = RowProblem { row: 0, location, column: None, message };
                    Err(TableError::Row { table: name.to_owned(), problem })
                }
            });
            column_names(name, fields.collect::<Result<_, _>>()?)?
        } else {
            column_names(name, vec![String::new(); records.len()])?
        };
        let mut chunks = Self::new(name, records, header, columns);
        chunks.first_is_row = !header;
        Ok((chunks, Format::Csv { delimiter, header }))
    }

    /// The chunks of a text from `start` on, which is where `text` begins.
    pub(super) fn from_middle(
        text: Text,
        name: &str,
        columns: &[String],
        delimiter: u8,
        header: bool,
        start: CsvStart,
    ) -> Self {
        let input = BufReader::with_capacity(BLOCK, Cursor::new(Vec::new()).chain(text));
        let records = Records::new(input, delimiter).starting_at(start.line, start.byte);
        let mut chunks = Self::new(name, records, header, columns.to_vec());
        chunks.rows_read = start.rows_before;
        chunks
    }

    fn new(name: &str, records: TextRecords, header: bool, columns: Vec<String>) -> Self {
        let fields: Vec<Field> =
            columns.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        Self {
            name: name.to_owned(),
            records,
            header,
            columns,
            schema: Arc::new(Schema::new(fields)),
            first_is_row: false,
            rows_read: 0,
            chunk_start: 0,
        }
    }

    /// The byte of the text at which the last chunk starts.
    pub(super) fn chunk_start(&self) -> u64 {
        self.chunk_start
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The next rows; none at the end of the text.
    pub(super) fn advance(&mut self) -> Result<Option<Rows>, TableError> {
        let most_rows = (CELLS / self.columns.len()).clamp(1, ROWS);
        // A builder's default capacity, 5 KB, would be gigabytes in a table of many columns.
        let builder = || StringBuilder::with_capacity(most_rows, 0);
        let mut builders: Vec<StringBuilder> = self.columns.iter().map(|_| builder()).collect();
        let (mut lines, mut problems, mut bytes) = (Vec::new(), Vec::new(), 0);
        while lines.len() < most_rows && bytes < BYTES {
            if !std::mem::take(&mut self.first_is_row)
                && !self.records.advance().map_err(|error| record_error(&self.name, error))?
            {
                break;
            }
            if self.is_blank() {
                continue;
            }
            if lines.is_empty() {
                self.chunk_start = self.records.start_position();
            }
            bytes += self.records.text().len();
            match self.problem() {
                None => {
                    for (builder, field) in builders.iter_mut().zip(self.records.fields()) {
                        // `problem` has checked that it is UTF-8.
                        builder.append_option(std::str::from_utf8(field).ok());
                    }
                }
                Some((column, message)) => {
                    builders.iter_mut().for_each(StringBuilder::append_null);
                    problems.push(RowProblem {
                        row: lines.len(),
                        location: Location::Line(self.records.line()),
                        column: column.map(|index| self.columns[index].clone()),
                        message,
                    });
                }
            }
            lines.push(self.records.line());
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let arrays = builders.iter_mut().map(|b| Arc::new(b.finish()) as ArrayRef).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .expect("one text array per field, all of one length");
        let first_row = self.rows_read;
        self.rows_read += lines.len();
        Ok(Some(Rows { batch, first_row, lines, picked: Vec::new(), problems }))
    }

    /// Whether the current record is a line of blanks in a table of several columns.
    fn is_blank(&self) -> bool {
        self.columns.len() > 1
            && self.records.len() == 1
            && self.records.text().trim_ascii().is_empty()
    }

    /// What is wrong with the current record, and with which column of it.
    fn problem(&self) -> Option<(Option<usize>, String)> {
        let (found, expected) = (self.records.len(), self.columns.len());
        let (start, end) = self.records.lines();
        let mut split = None;
        if found != expected {
            let plural = if found == 1 { "" } else { "s" };
            let source = if self.header { "header" } else { "first row" };
            split = Some(format!("{found} field{plural}, expected {expected} as in the {source}"));
        } else if end > start && self.records.has_text_after_quotes() {
            split = Some("text after a closing quote, expected the next field".to_owned());
        }
        if let Some(mut message) = split {
            if end > start {
                // Writing to a `String` can't fail.
                let _ = write!(
                    message,
                    " (it goes on to line {end}: is a quote on line {start} never closed?)"
                );
            }
            return Some((None, message));
        }
        self.records
            .fields()
            .enumerate()
            .find_map(|(index, field)| Some((Some(index), checked(field).err()?)))
    }
}

/// A field as text, or what is wrong with it.
fn checked(field: &[u8]) -> Result<&str, String> {
    if field.contains(&0) {
        return Err(format!("\"{}\" has a NUL byte, expected text", shown(field)));
    }
    std::str::from_utf8(field).map_err(|_| {
        format!(
            "\"{}\" is not UTF-8 (is the file Latin-1? convert it: iconv -f latin1 -t utf-8)",
            shown(field)
        )
    })
}

/// Bytes for a message, those that are no text as `\xNN`, and not too many of them.
fn shown(bytes: &[u8]) -> String {
    const LONGEST: usize = 40;
    let mut text = String::new();
    for chunk in bytes[..bytes.len().min(LONGEST)].utf8_chunks() {
        text.extend(chunk.valid().chars().flat_map(char::escape_debug));
        for byte in chunk.invalid() {
            // Writing to a `String` can't fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    if bytes.len() > LONGEST {
        text.push('…');
    }
    text
}

/// The start of a text, and whether that is all of it.
fn first_block(text: &mut Text) -> std::io::Result<(Vec<u8>, bool)> {
    let mut block = Vec::new();
    let mut line_ends = 0;
    while block.len() < LONGEST_BLOCK {
        let start = block.len();
        if text.by_ref().take(BLOCK as u64).read_to_end(&mut block)? < BLOCK {
            return Ok((block, true));
        }
        line_ends += block[start..].iter().filter(|byte| **byte == b'\n').count();
        if line_ends >= BLOCK_LINES {
            break;
        }
    }
    Ok((block, false))
}

/// The whole lines of a block.
fn sample(block: &[u8], whole: bool) -> &[u8] {
    match block.iter().rposition(|byte| *byte == b'\n') {
        Some(end) if !whole => &block[..=end],
        _ => block,
    }
}

/// Refuses what plainly is not UTF-8 text.
fn check_text(block: &[u8], name: &str) -> Result<(), TableError> {
    let found = match block {
        [] => return Err(TableError::unreadable(name, "is empty, expected a table")),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "is UTF-16 (convert it: iconv -f utf-16 -t utf-8)",
        [b'P', b'K', 3, 4, ..] => "is a zip file or an Excel workbook (export it as CSV)",
        _ if block.contains(&0) => "has NUL bytes, as UTF-16 and binary files do",
        _ => return Ok(()),
    };
    Err(TableError::unreadable(name, format_args!("{found}, expected UTF-8 text (CSV) or Parquet")))
}

fn record_error(name: &str, error: RecordError) -> TableError {
    match error {
        RecordError::Io(error) => read_error(name, error),
        RecordError::TooLong { line, lines: true } => TableError::record(
            name,
            line,
            "the record that starts here is longer than 16 MiB; is a quote on that line never \
             closed?",
        ),
        RecordError::TooLong { line, lines: false } => {
            TableError::record(name, line, "longer than 16 MiB")
        }
        RecordError::TooWide { line, limit } => {
            TableError::record(name, line, format_args!("more than {limit} fields"))
        }
        RecordError::OpenQuote { line } => TableError::record(
            name,
            line,
            "a quote in the record that starts here is never closed; the rest of the file is one \
             field",
        ),
    }
}
