//! CSV text to records of fields.
//!
//! This stands on `csv-core`, the splitter of the `csv` crate, rather than on `arrow-csv` or `csv`:
//! arrow-csv can't go on after a row with too few fields, counts records where a user needs lines,
//! and does not bound the length of a record; `csv` takes a line end of two bytes and blank lines for
//! part of the record that follows, so that its line numbers lag, and bounds nothing either.

use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// Most bytes of a record, so that a quote never closed can't fill the memory.
const MAX_BYTES: usize = 16 << 20;

/// Most fields of a record.
const MAX_FIELDS: usize = 1 << 20;

/// Why a text can't be split any further.
#[derive(Debug)]
pub(super) enum RecordError {
    Io(io::Error),
    /// A record is longer than [`MAX_BYTES`]; whether it went over more than one line.
    TooLong {
        line: u64,
        lines: bool,
    },
    /// A record has more fields than the limit.
    TooWide {
        line: u64,
        limit: usize,
    },
    /// The text ends inside quotes.
    OpenQuote {
        line: u64,
    },
}

/// The records of a text, one at a time.
pub(super) struct Records<R> {
    input: R,
    core: Reader,
    delimiter: u8,
    /// The line of the next byte of `input`, from 1.
    next_line: u64,
    /// Whether the byte before that was a carriage return that ended a line.
    after_return: bool,
    /// Bytes of `input` taken so far.
    position: u64,
    /// The line on which the current record starts.
    start: u64,
    /// The byte at which it starts.
    start_position: u64,
    /// The current record as it stands in the input.
    raw: Vec<u8>,
    text: Vec<u8>,
    ends: Vec<usize>,
    fields: usize,
    max_fields: usize,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        Self {
            input,
            core: ReaderBuilder::new().delimiter(delimiter).build(),
            delimiter,
            next_line: 1,
            after_return: false,
            position: 0,
            start: 1,
            start_position: 0,
            raw: Vec::new(),
            text: vec![0; 1024],
            ends: vec![0; 64],
            fields: 0,
            max_fields: MAX_FIELDS,
        }
    }

    /// With an input that starts in the middle of a text, on this line and at this byte.
    pub(super) fn starting_at(mut self, line: u64, position: u64) -> Self {
        (self.next_line, self.position) = (line, position);
        self
    }

    /// With another limit on the fields of a record, [`MAX_FIELDS`] at most.
    pub(super) fn with_max_fields(mut self, max_fields: usize) -> Self {
        self.max_fields = max_fields.clamp(1, MAX_FIELDS);
        self.ends.truncate(self.max_fields);
        self
    }

    /// Goes on to the next record; false at the end of the text. Blank lines are no records.
    pub(super) fn advance(&mut self) -> Result<bool, RecordError> {
        self.fields = 0;
        self.skip_line_ends()?;
        (self.start, self.start_position) = (self.next_line, self.position);
        self.raw.clear();
        let mut written = 0;
        loop {
            let input = filled(&mut self.input)?;
            let at_end = input.is_empty();
            // A line end put after the last record shows whether that is inside quotes.
            let last = !self.raw.is_empty();
            let (result, read, more_text, more_fields) = self.core.read_record(
                if at_end && last { b"\n" } else { input },
                &mut self.text[written..],
                &mut self.ends[self.fields..],
            );
            let read = if at_end { 0 } else { read };
            let ends_in_return = input[..read].last() == Some(&b'\r');
            self.next_line += count_line_feeds(&input[..read]);
            self.raw.extend_from_slice(&input[..read]);
            self.consume(read);
            written += more_text;
            self.fields += more_fields;
            if self.raw.len() > MAX_BYTES {
                let lines = self.next_line > self.start;
                return Err(RecordError::TooLong { line: self.start, lines });
            }
            match result {
                ReadRecordResult::InputEmpty if at_end => {
                    return Err(RecordError::OpenQuote { line: self.start });
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(2 * self.text.len(), 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() >= self.max_fields => {
                    let (line, limit) = (self.start, self.max_fields);
                    return Err(RecordError::TooWide { line, limit });
                }
                ReadRecordResult::OutputEndsFull => {
                    self.ends.resize(self.max_fields.min(2 * self.ends.len()), 0);
                }
                ReadRecordResult::Record => {
                    if ends_in_return {
                        self.next_line += 1;
                        self.after_return = true;
                    }
                    return Ok(true);
                }
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    /// How many fields the current record has.
    pub(super) fn len(&self) -> usize {
        self.fields
    }

    /// The fields of the current record, without quotes.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.ends[..self.fields].iter().scan(0, |start, end| {
            let field = &self.text[*start..*end];
            *start = *end;
            Some(field)
        })
    }

    /// The bytes of all fields of the current record, without quotes and delimiters.
    pub(super) fn text(&self) -> &[u8] {
        match self.fields {
            0 => &[],
            fields => &self.text[..self.ends[fields - 1]],
        }
    }

    /// The lines on which the current record starts and ends.
    pub(super) fn lines(&self) -> (u64, u64) {
        (self.start, self.start + count_line_feeds(self.text()))
    }

    /// Whether text follows a closing quote in the current record. Over several lines, that is what
    /// a quote never closed does when it meets the next one.
    pub(super) fn has_text_after_quotes(&self) -> bool {
        let (mut quoted, mut start) = (false, true);
        let mut bytes = self.raw.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if quoted {
                if byte == b'"' && bytes.next_if_eq(&b'"').is_none() {
                    quoted = false;
                    match bytes.peek() {
                        None | Some(b'\n' | b'\r') => {}
                        Some(next) if *next == self.delimiter => {}
                        Some(_) => return true,
                    }
                }
            } else {
                quoted = start && byte == b'"';
            }
            start = !quoted && byte == self.delimiter;
        }
        false
    }

    /// The line on which the current record starts.
    pub(super) fn line(&self) -> u64 {
        self.start
    }

    /// The byte of the text at which the current record starts.
    pub(super) fn start_position(&self) -> u64 {
        self.start_position
    }

    fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.position += bytes as u64;
    }

    fn skip_line_ends(&mut self) -> Result<(), RecordError> {
        loop {
            let input = filled(&mut self.input)?;
            match input.first() {
                Some(b'\n') if self.after_return => self.after_return = false,
                Some(b'\n') => self.next_line += 1,
                Some(b'\r') => {
                    self.next_line += 1;
                    self.after_return = true;
                }
                _ => {
                    self.after_return = false;
                    return Ok(());
                }
            }
            self.consume(1);
        }
    }
}

fn filled(input: &mut impl BufRead) -> Result<&[u8], RecordError> {
    // A loop over `fill_buf` that returns its result is refused by the borrow checker.
    while let Err(error) = input.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(RecordError::Io(error));
        }
    }
    input.fill_buf().map_err(RecordError::Io)
}

fn count_line_feeds(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// Starting line, last line and fields of each record.
    fn split(text: &str) -> Vec<(u64, u64, Vec<String>)> {
        // One byte at a time, so that every boundary of a buffer is tried.
        let mut records = Records::new(BufReader::with_capacity(1, text.as_bytes()), b',');
        let mut all = Vec::new();
        while records.advance().unwrap() {
            let (start, end) = records.lines();
            let fields = records.fields().map(|f| String::from_utf8_lossy(f).into_owned());
            all.push((start, end, fields.collect()));
        }
        all
    }

    fn starts(text: &str) -> Vec<u64> {
        split(text).iter().map(|(start, ..)| *start).collect()
    }

    #[test]
    fn lines_are_those_of_an_editor() {
        assert_eq!(starts("a\nb\nc"), [1, 2, 3]);
        assert_eq!(starts("a\r\nb\r\nc\r\n"), [1, 2, 3]);
        assert_eq!(starts("a\rb\rc"), [1, 2, 3]);
        assert_eq!(starts("\n\na\n\n\nb\n\n"), [3, 6]);
        assert_eq!(starts("\r\n\r\na\r\n\r\nb"), [3, 5]);
        assert_eq!(starts("\"a\nb\",1\n\nc,2"), [1, 4]);
        assert_eq!(starts("\"a\r\nb\",1\r\n\r\nc,2"), [1, 4]);
        assert_eq!(split("\"a\n\nb\",1\n")[0].1, 3);
        assert!(starts("").is_empty());
        assert!(starts("\n\r\n").is_empty());
    }

    #[test]
    fn quotes_hold_delimiters_line_ends_and_doubled_quotes() {
        assert_eq!(
            split("\"a,b\",\"say \"\"no\"\"\",5\" pipe,\n"),
            [(1, 1, ["a,b", "say \"no\"", "5\" pipe", ""].map(str::to_owned).to_vec())]
        );
    }

    #[test]
    fn a_quote_never_closed_is_found_at_the_end() {
        let end = |text: &str| {
            let mut records = Records::new(text.as_bytes(), b',');
            loop {
                match records.advance() {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(RecordError::OpenQuote { line }) => return Some(line),
                    Err(error) => panic!("{error:?}"),
                }
            }
        };
        assert_eq!(end("a,b\n\n1,\"x\n2,y\n"), Some(3));
        assert_eq!(end("a,b\n1,\"x"), Some(2));
        assert_eq!(end("a,b\n1,\""), Some(2));
        assert_eq!(end("a,b\n1,\"x\""), None);
        assert_eq!(end("a,b\n1,\"x\"\n"), None);
        assert_eq!(end("a,b\n1,5\" pipe"), None);
    }

    #[test]
    fn a_record_is_refused_when_it_gets_too_long() {
        let endless = |start: &'static str, fill: u8| {
            let input = io::Read::chain(start.as_bytes(), io::repeat(fill));
            let mut records = Records::new(BufReader::new(input), b',');
            loop {
                if let Err(error) = records.advance() {
                    return format!("{error:?}");
                }
            }
        };
        assert_eq!(endless("a\n\nb", b'x'), "TooLong { line: 3, lines: false }");
        assert_eq!(endless("a\n\"b\n", b'x'), "TooLong { line: 2, lines: true }");
        assert_eq!(endless("a\nb", b','), "TooWide { line: 2, limit: 1048576 }");
    }
}
