//! Files that claim more than they hold, written by hand.

use std::io::Write;

use expect_test::expect;

use super::*;

/// Bytes that reading a file of a few hundred may take at most, all its buffers included.
const MEMORY: u64 = 2 << 20;

/// A struct of Thrift's compact protocol.
#[derive(Default, Clone)]
struct Struct {
    bytes: Vec<u8>,
    last: u8,
}

fn unsigned(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn signed(value: i64) -> Vec<u8> {
    unsigned((value << 1 ^ value >> 63) as u64)
}

impl Struct {
    fn field(mut self, id: u8, kind: u8, value: &[u8]) -> Self {
        self.bytes.push((id - self.last) << 4 | kind);
        self.last = id;
        self.bytes.extend(value);
        self
    }

    fn i32(self, id: u8, value: i32) -> Self {
        self.field(id, thrift::I32, &signed(value.into()))
    }

    fn i64(self, id: u8, value: i64) -> Self {
        self.field(id, thrift::I64, &signed(value))
    }

    fn text(self, id: u8, text: &str) -> Self {
        let value = [&unsigned(text.len() as u64), text.as_bytes()].concat();
        self.field(id, thrift::BINARY, &value)
    }

    fn nested(self, id: u8, value: Self) -> Self {
        self.field(id, thrift::STRUCT, &value.end())
    }

    fn list(self, id: u8, kind: u8, values: &[Vec<u8>]) -> Self {
        assert!(values.len() < 15);
        let value = [&[(values.len() as u8) << 4 | kind], values.concat().as_slice()].concat();
        self.field(id, thrift::LIST, &value)
    }

    fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

// Numbers of enums of parquet.thrift.
const INT32: i32 = 1;
const BYTE_ARRAY: i32 = 6;
const PLAIN: i32 = 0;
const RLE: i32 = 3;
const DELTA_LENGTH_BYTE_ARRAY: i32 = 6;
const DELTA_BYTE_ARRAY: i32 = 7;
const RLE_DICTIONARY: i32 = 8;
const UNCOMPRESSED: i32 = 0;
const SNAPPY: i32 = 1;
const GZIP: i32 = 2;
const ZSTD: i32 = 6;

fn root(children: i32) -> Vec<u8> {
    Struct::default().text(4, "schema").i32(5, children).end()
}

/// A required column named `c`.
fn column(kind: i32) -> Vec<u8> {
    let column = Struct::default().i32(1, kind).i32(3, 0).text(4, "c");
    if kind == BYTE_ARRAY { column.i32(6, 0).end() } else { column.end() }
}

fn data_page(encoding: i32, values: i32, size: i32, data: &[u8]) -> Vec<u8> {
    let header = Struct::default().i32(1, values).i32(2, encoding).i32(3, RLE).i32(4, RLE);
    let page = Struct::default().i32(1, 0).i32(2, size).i32(3, data.len() as i32);
    [page.nested(5, header).end().as_slice(), data].concat()
}

fn dictionary_page(values: i32, data: &[u8]) -> Vec<u8> {
    let size = data.len() as i32;
    let header = Struct::default().i32(1, values).i32(2, PLAIN);
    let page = Struct::default().i32(1, 2).i32(2, size).i32(3, size);
    [page.nested(7, header).end().as_slice(), data].concat()
}

/// A file of one column chunk.
fn file(kind: i32, codec: i32, rows: i64, pages: &[u8]) -> Vec<u8> {
    file_of_size(kind, codec, rows, pages, pages.len() as i64)
}

/// One whose column chunk claims to have so many bytes.
fn file_of_size(kind: i32, codec: i32, rows: i64, pages: &[u8], size: i64) -> Vec<u8> {
    let chunk = Struct::default()
        .i32(1, kind)
        .list(2, thrift::I32, &[signed(0)])
        .list(3, thrift::BINARY, &[vec![1, b'c']])
        .i32(4, codec)
        .i64(5, rows)
        .i64(6, size)
        .i64(7, size)
        .i64(9, 4);
    let chunk = Struct::default().i64(2, 4).nested(3, chunk);
    let group = Struct::default().list(1, thrift::STRUCT, &[chunk.end()]).i64(2, size).i64(3, rows);
    let footer = Struct::default()
        .i32(1, 1)
        .list(2, thrift::STRUCT, &[root(1), column(kind)])
        .i64(3, rows)
        .list(4, thrift::STRUCT, &[group.end()]);
    with_footer(pages, &footer.end())
}

fn with_footer(pages: &[u8], footer: &[u8]) -> Vec<u8> {
    [b"PAR1", pages, footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat()
}

/// The cells of a file, and the most bytes that were in use while it was read.
fn read(bytes: &[u8]) -> (Result<Vec<String>, String>, u64) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let mut cells = Err(String::new());
    let measured = allocation_counter::measure(|| {
        cells = ParquetChunks::open(file, "t")
            .and_then(|mut chunks| {
                let mut cells = Vec::new();
                while let Some(rows) = chunks.advance()? {
                    let column = crate::Cells::new(rows.batch.column(0));
                    cells.extend((0..rows.batch.num_rows()).map(|row| match column.get(row) {
                        crate::Cell::Text(text) => {
                            format!("Text({:?})", &text[..text.len().min(10)])
                        }
                        cell => format!("{cell:?}"),
                    }));
                }
                Ok(cells)
            })
            .map_err(|error| error.to_string());
    });
    (cells, measured.bytes_max)
}

fn refused(bytes: &[u8]) -> String {
    let (cells, memory) = read(bytes);
    assert!(memory < MEMORY, "{memory} bytes");
    let message = cells.unwrap_err();
    let start = "t is not a Parquet file that can be read: ";
    let reason = message.strip_prefix(start).unwrap_or_else(|| panic!("{message}"));
    reason.replace("Parquet error: ", "").replace("Parquet argument error: ", "")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_file_written_by_hand_is_read() {
    let data: Vec<u8> = [7_i32, -8].into_iter().flat_map(i32::to_le_bytes).collect();
    let page = data_page(PLAIN, 2, 8, &data);
    let (cells, _) = read(&file(INT32, UNCOMPRESSED, 2, &page));
    assert_eq!(cells.unwrap(), ["Integer(7)", "Integer(-8)"]);

    let page = data_page(PLAIN, 2, 8, &gzip(&data));
    let (cells, _) = read(&file(INT32, GZIP, 2, &page));
    assert_eq!(cells.unwrap(), ["Integer(7)", "Integer(-8)"]);

    // Lengths 1, 0, 2: the first, then a block of 128 with a smallest difference of -1 and 2 bits each.
    let data = [&[0x80, 1, 4, 3, 2, 1, 2, 0, 0, 0, 0b1100], &[0; 7][..], b"abc"].concat();
    let page = data_page(DELTA_LENGTH_BYTE_ARRAY, 3, data.len() as i32, &data);
    let (cells, _) = read(&file(BYTE_ARRAY, UNCOMPRESSED, 3, &page));
    assert_eq!(cells.unwrap(), ["Text(\"a\")", "Missing", "Text(\"bc\")"]);
}

#[test]
fn a_page_that_claims_to_be_huge_is_refused_before_room_is_made_for_it() {
    let message = "a page is larger than its compressed bytes can make it";
    for codec in [UNCOMPRESSED, SNAPPY, GZIP, ZSTD] {
        let page = data_page(PLAIN, 2, i32::MAX, &[0; 8]);
        assert_eq!(refused(&file(INT32, codec, 2, &page)), message, "{codec}");
    }
    let page = data_page(PLAIN, 2, -1, &[0; 8]);
    expect!["a page has a size below 0"].assert_eq(&refused(&file(INT32, SNAPPY, 2, &page)));
    let mut page = data_page(PLAIN, 2, 8, &[0; 8]);
    page.truncate(page.len() - 1);
    let message = "a page ends behind the end of its column chunk";
    assert_eq!(refused(&file(INT32, SNAPPY, 2, &page)), message);
}

#[test]
fn a_gzip_page_that_goes_on_and_on_is_refused() {
    let bomb = gzip(&vec![0; 300 << 20]);
    let page = data_page(PLAIN, 2, 8, &bomb);
    let (cells, memory) = read(&file(INT32, GZIP, 2, &page));
    assert!(cells.unwrap_err().ends_with("a page is larger than its header says"));
    assert!(memory < MEMORY, "{memory} bytes");
}

#[test]
fn a_dictionary_that_claims_to_be_huge_is_refused() {
    let pages = [dictionary_page(i32::MAX, &[0; 8]), data_page(RLE_DICTIONARY, 2, 3, &[1, 4, 0])];
    let message = "a dictionary has more values than its bytes can hold";
    for kind in [INT32, BYTE_ARRAY] {
        assert_eq!(refused(&file(kind, UNCOMPRESSED, 2, &pages.concat())), message);
    }
}

#[test]
fn more_lengths_than_values_are_refused() {
    // Blocks of 128 values in 4 parts, and 2^40 values.
    let lengths = [&[0x80, 1, 4][..], &unsigned(1 << 40), &[0; 8]].concat();
    for encoding in [DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY] {
        let page = data_page(encoding, 2, lengths.len() as i32, &lengths);
        let message = refused(&file(BYTE_ARRAY, UNCOMPRESSED, 2, &page));
        assert_eq!(message, "a page has more lengths than values");
    }
}

#[test]
fn texts_that_share_a_long_start_are_refused_when_they_get_too_long() {
    // 2^14 texts, each of which has 64 KiB in common with the one before, in blocks of as many lengths
    // that differ by 0.
    let (count, length) = (1 << 14, 1 << 16);
    let constant = |first: i64, count: u64| {
        [unsigned(count), unsigned(1), unsigned(count), signed(first), signed(0), vec![0]].concat()
    };
    let data = [constant(length, count), constant(0, count)].concat();
    let page = data_page(DELTA_BYTE_ARRAY, count as i32, data.len() as i32, &data);
    let message = refused(&file(BYTE_ARRAY, UNCOMPRESSED, count as i64, &page));
    assert_eq!(message, "the texts of a page are too long together");
}

#[test]
fn long_texts_of_a_dictionary_are_not_multiplied() {
    let length = 1 << 20;
    let text = [&(length as u32).to_le_bytes()[..], &vec![b'x'; length]].concat();
    // Indices of 1 bit: one run of 200 zeros.
    let indices = [&[1][..], &unsigned(200 << 1), &[0]].concat();
    let pages =
        [dictionary_page(1, &text), data_page(RLE_DICTIONARY, 200, indices.len() as i32, &indices)];
    let (cells, memory) = read(&file(BYTE_ARRAY, UNCOMPRESSED, 200, &pages.concat()));
    assert!(cells.unwrap() == ["Text(\"xxxxxxxxxx\")"; 200]);
    // Of a chunk there are 32 MiB, while it grows twice or three times.
    assert!(memory < 100 << 20, "{memory} bytes");
}

#[test]
fn columns_that_a_footer_lacks_are_refused() {
    let footer = |columns: &[Vec<u8>]| {
        let footer = Struct::default().i32(1, 1).list(2, thrift::STRUCT, columns).i64(3, 0);
        with_footer(&[], &footer.list(4, thrift::STRUCT, &[]).end())
    };
    let fewer = "its footer has fewer columns than it says";
    assert_eq!(refused(&footer(&[root(i32::MAX), column(INT32)])), fewer);
    expect!["a column has less than 0 columns in it"].assert_eq(&refused(&footer(&[root(-1)])));
    let more = "its footer has more columns than it says";
    assert_eq!(refused(&footer(&[root(1), column(INT32), column(INT32)])), more);
    expect!["its footer does not list the columns"].assert_eq(&refused(&with_footer(&[], &[0])));

    let mut deep = with_footer(&[], &[]);
    deep.truncate(4);
    let levels = 100_000_u64;
    let nested = Struct::default().i32(3, 0).text(4, "c").i32(5, 1).end();
    let list =
        [&[0xf0 | thrift::STRUCT][..], &unsigned(levels + 1), &nested.repeat(levels as usize)];
    let list = [list.concat(), column(INT32)].concat();
    let footer = Struct::default().i32(1, 1).field(2, thrift::LIST, &list).end();
    expect!["its columns are nested too deep"].assert_eq(&refused(&with_footer(&[], &footer)));
}

#[test]
fn a_column_chunk_outside_the_file_is_refused() {
    let page = data_page(PLAIN, 2, 8, &[0; 8]);
    let file = file_of_size(INT32, UNCOMPRESSED, 2, &page, 1 << 40);
    expect!["a column chunk ends behind the end of the file"].assert_eq(&refused(&file));
}
