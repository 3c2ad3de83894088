use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::TableError;
use crate::names::nearest;

/// Text, or a stream that should be text, decompressed.
pub(super) type Text = Box<dyn Read + Send>;

/// What a file holds, by its first bytes.
pub(super) enum Source {
    Text {
        text: Text,
        /// What the file is compressed by, if it is.
        compression: Option<&'static str>,
    },
    Parquet(File),
}

/// The name under which standard input goes in messages.
pub(super) const STDIN: &str = "standard input";

const PARQUET: &[u8] = b"PAR1";
/// RFC 1952, section 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Opens a file.
pub(super) fn open(path: &Path) -> Result<Source, TableError> {
    let read_error = |source| TableError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            TableError::NotFound { path: path.to_owned(), nearest: nearest_file(path) }
        }
        _ => read_error(error),
    })?;
    if file.metadata().map_err(read_error)?.is_dir() {
        return Err(TableError::unreadable(
            &path.display().to_string(),
            "is a folder, expected a file",
        ));
    }
    let start = first_bytes(&mut file).map_err(read_error)?;
    if start == PARQUET {
        file.rewind().map_err(read_error)?;
        return Ok(Source::Parquet(file));
    }
    let name = path.display().to_string();
    let compression = compression(&start);
    let text = decompressed(Cursor::new(start.clone()).chain(file), &start, &name)?;
    Ok(Source::Text { text, compression })
}

fn compression(start: &[u8]) -> Option<&'static str> {
    if start.starts_with(&GZIP) { Some("gzip") } else { (start == ZSTD).then_some("zstd") }
}

/// What a stream holds, decompressed where it is compressed.
pub(super) fn stream(
    mut input: impl Read + Send + 'static,
    name: &str,
) -> Result<Text, TableError> {
    let read_error = |source| TableError::Read { path: name.into(), source };
    let start = first_bytes(&mut input).map_err(read_error)?;
    if start == PARQUET {
        return Err(parquet_stream(name));
    }
    decompressed(Cursor::new(start.clone()).chain(input), &start, name)
}

fn decompressed(
    whole: impl Read + Send + 'static,
    start: &[u8],
    name: &str,
) -> Result<Text, TableError> {
    let mut inner: Text = match compression(start) {
        None => return Ok(Box::new(whole)),
        Some(format @ "gzip") => Box::new(Whole { inner: MultiGzDecoder::new(whole), format }),
        Some(format) => {
            let inner = zstd::Decoder::new(whole)
                .map_err(|source| TableError::Read { path: name.into(), source })?;
            Box::new(Whole { inner, format })
        }
    };
    let start = first_bytes(&mut inner).map_err(|error| read_error(name, error))?;
    if start == PARQUET {
        return Err(parquet_stream(name));
    }
    Ok(Box::new(Cursor::new(start).chain(inner)))
}

/// A decompressor whose error for a stream that is cut off says so.
struct Whole<R> {
    inner: R,
    format: &'static str,
}

/// Carries the name of the format through the layers of readers.
#[derive(Debug, thiserror::Error)]
#[error("the {format} stream is cut off")]
struct CutOff {
    format: &'static str,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                io::Error::new(error.kind(), CutOff { format: self.format })
            }
            _ => error,
        })
    }
}

/// The error for a stream from here that failed.
pub(super) fn read_error(name: &str, error: io::Error) -> TableError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<CutOff>()) {
        Some(CutOff { format }) => {
            TableError::table(name, format_args!("the {format} stream is cut off"))
        }
        None => TableError::Read { path: name.into(), source: error },
    }
}

fn parquet_stream(name: &str) -> TableError {
    TableError::unreadable(
        name,
        "holds Parquet, whose contents stand at its end: write it to a file, uncompressed, and \
         name that",
    )
}

fn first_bytes(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    input.by_ref().take(4).read_to_end(&mut start)?;
    Ok(start)
}

fn nearest_file(path: &Path) -> Option<String> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let found = nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(found).display().to_string())
}
