//! How much memory reading takes, whatever the input claims.

use std::io::{Cursor, Read};

use flate2::{Compression, write::GzEncoder};
use kiln_data::read_idx_from;
use kiln_table::{ReadOptions, Table, TableError, TableReader};

const MIB: u64 = 1 << 20;

/// The most bytes in use at one time.
fn peak<T>(work: impl FnOnce() -> T) -> u64 {
    allocation_counter::measure(|| drop(work())).bytes_max
}

fn gzip(mut text: impl Read) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    std::io::copy(&mut text, &mut encoder).unwrap();
    encoder.finish().unwrap()
}

/// So many rows of `1,x`.
fn rows(count: u64) -> impl Read {
    const ROW: &[u8] = b"1,x\n";
    let mut repeated = ROW.iter().cycle().copied();
    let mut left = count * ROW.len() as u64;
    struct Source<F>(F);
    impl<F: FnMut(&mut [u8]) -> usize> Read for Source<F> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            Ok(self.0(buffer))
        }
    }
    Source(move |buffer: &mut [u8]| {
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        buffer[..length].fill_with(|| repeated.next().unwrap_or_default());
        left -= length as u64;
        length
    })
}

fn reader(input: impl Read + Send + 'static) -> Result<TableReader, TableError> {
    TableReader::from_reader(input, "t.csv", &ReadOptions::default())
}

fn stream_error(input: impl Read + Send + 'static) -> String {
    use std::error::Error;
    let error = reader(input).err().unwrap();
    format!("{error}: {}", error.source().unwrap())
}

fn stream(input: impl Read + Send + 'static) -> usize {
    reader(input).unwrap().map(|rows| rows.unwrap().batch.num_rows()).sum()
}

#[test]
fn idx_takes_room_for_what_is_there_not_for_what_its_header_claims() {
    let header = |values: u32| [&[0, 0, 8, 1], &values.to_be_bytes()[..]].concat();
    assert!(peak(|| read_idx_from(&header(1 << 30)[..], "a.idx")) < 4 << 10);
    // 64 KiB of gzip that go on after the values.
    let bomb = gzip(Cursor::new(header(10)).chain(std::io::repeat(0).take(64 * MIB)));
    assert!(peak(|| read_idx_from(&bomb[..], "a.idx")) < MIB / 4);
}

#[test]
fn a_csv_stream_takes_the_same_memory_however_long_it_is() {
    let count = 1_000_000;
    assert!(peak(|| assert_eq!(stream(rows(count)), count as usize)) < MIB);
    let text = || Cursor::new("a,b\n").chain(rows(count));
    let (gzip, zstd) = (gzip(text()), zstd::encode_all(text(), 3).unwrap());
    assert!(gzip.len() < 20_000 && zstd.len() < 1000);
    assert!(peak(|| assert_eq!(stream(Cursor::new(gzip)), count as usize)) < MIB);
    assert!(peak(|| assert_eq!(stream(Cursor::new(zstd)), count as usize)) < MIB);
}

#[test]
fn a_zstd_stream_that_looks_back_too_far_is_refused() {
    // A frame with a window of 2^(10 + 18) bytes, and one block of raw text.
    let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 18 << 3, 4 << 3 | 1, 0, 0][..], b"1,2\n"].concat();
    let error = stream_error(Cursor::new(frame.clone()));
    assert_eq!(error, "cannot read t.csv: Frame requires too much memory for decoding");
    // The largest that is read, 128 MiB.
    let frame = [&frame[..5], &[17 << 3], &frame[6..]].concat();
    assert_eq!(stream(Cursor::new(frame)), 1);
}

#[test]
fn a_record_without_end_is_given_up() {
    let line = || reader(std::io::repeat(b'x')).err().unwrap();
    assert!(peak(line) < 128 * MIB);
    let text = || Cursor::new("a,b\n1,\"").chain(std::io::repeat(b'x'));
    let quote = || reader(text()).and_then(Table::from_reader).unwrap_err();
    assert!(peak(quote) < 128 * MIB);
}

#[test]
fn a_table_takes_a_few_bytes_for_each_of_the_text_and_a_kilobyte_for_each_column() {
    let read =
        |text: String| peak(|| reader(Cursor::new(text)).and_then(Table::from_reader).unwrap());
    let narrow = "a\n".to_owned() + &"1\n".repeat(1 << 20);
    let bytes = narrow.len() as u64;
    assert!(read(narrow) < 10 * bytes + MIB);

    let columns = 1 << 16;
    let wide = ",".repeat(columns - 1) + "\n" + &"1,".repeat(columns - 1) + "1\n";
    assert!(read(wide) < columns as u64 * 1024 + MIB);
}
