use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::error::DataError;
use crate::gzip::decompressed;

/// The type code of unsigned bytes, the only element type read here.
const UNSIGNED_BYTE: u8 = 0x08;
const MAX_DIMS: usize = 4;
/// Most values accepted, 1 GiB of them: twenty times MNIST.
const MAX_VALUES: usize = 1 << 30;

/// What an IDX file of unsigned bytes holds: an array of any shape.
///
/// The format is Y. LeCun's, described under "FILE FORMATS FOR THE MNIST DATABASE" at
/// <http://yann.lecun.com/exdb/mnist/>: two zero bytes, a type code, the number of dimensions, each
/// dimension as a big-endian `u32`, then the values, the last dimension varying fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// Length of each dimension, 1 to 4 of them.
    pub dims: Vec<usize>,
    /// The values, row-major, as many as the product of `dims`.
    pub values: Vec<u8>,
}

/// Reads an IDX file of unsigned bytes, plain or compressed with gzip.
///
/// Gzip is recognised by the file's first two bytes, not by its name.
///
/// # Errors
///
/// A file that can't be opened or read; a header that is not one of an IDX file of unsigned bytes
/// with 1 to 4 dimensions and at most 2^30 values; fewer or more values than the header says.
pub fn read_idx(path: impl AsRef<Path>) -> Result<Idx, DataError> {
    let path = path.as_ref();
    let file =
        File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    read_idx_from(BufReader::new(file), path)
}

/// Reads IDX data of unsigned bytes, plain or compressed with gzip, from `reader`.
///
/// `path` names the data in errors; it is not opened. Memory grows with what is read, not with what
/// the header promises.
///
/// # Errors
///
/// As [`read_idx`].
///
/// # Examples
///
/// ```
/// let bytes = [0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9];
/// let idx = kiln_data::read_idx_from(&bytes[..], "example")?;
/// assert_eq!(idx.dims, [1, 3]);
/// assert_eq!(idx.values, [7, 8, 9]);
/// # Ok::<(), kiln_data::DataError>(())
/// ```
pub fn read_idx_from(reader: impl Read, path: impl AsRef<Path>) -> Result<Idx, DataError> {
    let path = path.as_ref();
    let mut reader = decompressed(reader).map_err(|error| read_error(error, path))?;
    let dims = read_dims(&mut reader, path)?;

    let count = dims.iter().try_fold(1usize, |count, &dim| {
        count.checked_mul(dim).filter(|&count| count <= MAX_VALUES)
    });
    let Some(expected) = count else {
        return Err(DataError::idx(
            path,
            format_args!("IDX dimensions {dims:?} mean more than {MAX_VALUES} values"),
        ));
    };

    // One byte more than expected, to see that nothing follows. For gzip, reaching the end is also
    // what verifies the checksum.
    let values = read_up_to(&mut reader, expected + 1, path)?;
    if values.len() < expected {
        return Err(DataError::idx(
            path,
            format_args!(
                "{} values, expected {expected} for IDX dimensions {dims:?}",
                values.len()
            ),
        ));
    }
    if values.len() > expected {
        return Err(DataError::idx(
            path,
            format_args!("more bytes after the {expected} values of IDX dimensions {dims:?}"),
        ));
    }
    Ok(Idx { dims, values })
}

fn read_dims(reader: &mut impl Read, path: &Path) -> Result<Vec<usize>, DataError> {
    let magic = read_up_to(reader, 4, path)?;
    let &[zero, also_zero, code, rank] = magic.as_slice() else {
        return Err(header_cut_off(path, magic.len()));
    };
    if [zero, also_zero] != [0, 0] {
        return Err(DataError::idx(
            path,
            format_args!(
                "starts with bytes {:?}, expected [0, 0] (an IDX file)",
                [zero, also_zero]
            ),
        ));
    }
    if code != UNSIGNED_BYTE {
        return Err(DataError::idx(
            path,
            format_args!("IDX element type is {code:#04x}, expected 0x08 (unsigned byte)"),
        ));
    }
    let rank = usize::from(rank);
    if !(1..=MAX_DIMS).contains(&rank) {
        return Err(DataError::idx(
            path,
            format_args!("{rank} IDX dimensions, expected 1 to {MAX_DIMS}"),
        ));
    }
    let dims = read_up_to(reader, 4 * rank, path)?;
    if dims.len() < 4 * rank {
        return Err(header_cut_off(path, magic.len() + dims.len()));
    }
    let (dims, _) = dims.as_chunks::<4>();
    Ok(dims.iter().map(|&dim| u32::from_be_bytes(dim) as usize).collect())
}

/// The next bytes, `limit` of them or fewer where the data end before.
fn read_up_to(reader: &mut impl Read, limit: usize, path: &Path) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    reader.take(limit as u64).read_to_end(&mut bytes).map_err(|error| read_error(error, path))?;
    Ok(bytes)
}

fn read_error(source: io::Error, path: &Path) -> DataError {
    // To `read_to_end` a plain file's end is no error, so only the gzip decoder reports this.
    if source.kind() == io::ErrorKind::UnexpectedEof {
        return DataError::idx(path, "the gzip stream is cut off");
    }
    DataError::Read { path: path.to_owned(), source }
}

fn header_cut_off(path: &Path, bytes: usize) -> DataError {
    DataError::idx(path, format_args!("ends after {bytes} bytes, inside the IDX header"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use std::io::Write;

    use expect_test::expect;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use rand::RngExt;

    use crate::random::seeded_rng;

    const SMALL: [u8; 18] = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 10, 20, 30, 40, 50, 255];

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("a Vec takes all");
        encoder.finish().expect("a Vec takes all")
    }

    fn message(bytes: &[u8]) -> String {
        read_idx_from(bytes, "a.idx").expect_err("must be refused").to_string()
    }

    fn header(dims: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        bytes
    }

    #[test]
    fn plain_and_gzip_read_the_same() {
        let expected = Idx { dims: vec![2, 3], values: vec![10, 20, 30, 40, 50, 255] };
        assert_eq!(read_idx_from(&SMALL[..], "a.idx").expect("valid"), expected);
        assert_eq!(read_idx_from(&gzip(&SMALL)[..], "a.idx").expect("valid"), expected);
    }

    #[test]
    fn a_dimension_of_0_means_no_values() {
        let idx = read_idx_from(&header(&[0, 5])[..], "a.idx").expect("valid");
        assert_eq!(idx, Idx { dims: vec![0, 5], values: vec![] });
    }

    #[test]
    fn truncation_anywhere_is_an_error() {
        for end in 0..SMALL.len() {
            let expected = if end < 12 {
                format!("a.idx: ends after {end} bytes, inside the IDX header")
            } else {
                format!("a.idx: {} values, expected 6 for IDX dimensions [2, 3]", end - 12)
            };
            assert_eq!(message(&SMALL[..end]), expected);
        }
        let packed = gzip(&SMALL);
        for end in 2..packed.len() {
            expect!["a.idx: the gzip stream is cut off"].assert_eq(&message(&packed[..end]));
        }
    }

    #[test]
    fn trailing_bytes_are_an_error() {
        let longer = [&SMALL[..], &[0]].concat();
        let expected = "a.idx: more bytes after the 6 values of IDX dimensions [2, 3]";
        assert_eq!(message(&longer), expected);
        assert_eq!(message(&gzip(&longer)), expected);

        let junk_after_gzip = [gzip(&SMALL), vec![1; 20]].concat();
        expect!["cannot read a.idx"].assert_eq(&message(&junk_after_gzip));
    }

    #[test]
    fn wrong_header_is_an_error() {
        expect!["a.idx: starts with bytes [80, 75], expected [0, 0] (an IDX file)"]
            .assert_eq(&message(b"PK\x03\x04"));
        expect!["a.idx: IDX element type is 0x0d, expected 0x08 (unsigned byte)"]
            .assert_eq(&message(&[0, 0, 0x0d, 1, 0, 0, 0, 0]));
        expect!["a.idx: 0 IDX dimensions, expected 1 to 4"].assert_eq(&message(&[0, 0, 8, 0]));
        expect!["a.idx: 5 IDX dimensions, expected 1 to 4"].assert_eq(&message(&[0, 0, 8, 5]));
    }

    #[test]
    fn hostile_dimensions_are_refused_before_reading() {
        expect!["a.idx: IDX dimensions [4294967295, 4294967295, 4294967295, 4294967295] mean more than 1073741824 values"]
            .assert_eq(&message(&header(&[u32::MAX; 4])));
        expect!["a.idx: IDX dimensions [1073741825] mean more than 1073741824 values"]
            .assert_eq(&message(&header(&[(1 << 30) + 1])));
        expect!["a.idx: 0 values, expected 1073741824 for IDX dimensions [1073741824]"]
            .assert_eq(&message(&header(&[1 << 30])));
    }

    #[test]
    fn damaged_gzip_is_an_error() {
        let mut packed = gzip(&SMALL);
        let checksum = packed.len() - 8;
        packed[checksum] ^= 1;
        let error = read_idx_from(&packed[..], "a.idx").expect_err("must be refused");
        expect!["cannot read a.idx"].assert_eq(&error.to_string());
        expect!["corrupt gzip stream does not have a matching checksum"]
            .assert_eq(&error.source().expect("a source").to_string());
    }

    #[test]
    fn changed_bytes_never_give_a_wrong_count() {
        let mut rng = seeded_rng(0, *b"idx-test", 0);
        for _ in 0..5000 {
            let mut bytes = if rng.random() { SMALL.to_vec() } else { gzip(&SMALL) };
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
            }
            if let Ok(idx) = read_idx_from(&bytes[..], "a.idx") {
                assert_eq!(idx.values.len(), idx.dims.iter().product::<usize>());
            }
        }
    }

    #[test]
    fn missing_file_is_an_error_with_its_path() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("none");
        let error = read_idx(&path).expect_err("must be refused");
        assert_eq!(error.to_string(), format!("cannot read {}", path.display()));
        assert!(error.source().is_some());
    }
}
