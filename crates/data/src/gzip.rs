use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;

/// The first two bytes of a gzip stream (RFC 1952, section 2.3.1).
pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What `reader` holds, decompressed if its first two bytes say that it is gzip.
///
/// Anything but another gzip member after a gzip stream is an error when it is read, and so is a
/// stream that is cut off (of kind [`io::ErrorKind::UnexpectedEof`]).
pub(crate) fn decompressed<'a>(mut reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut start = Vec::new();
    reader.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start)?;
    let is_gzip = start == MAGIC;
    let whole = Cursor::new(start).chain(reader);
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}
