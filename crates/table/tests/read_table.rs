//! Reading tables: quirks of real files, and what bad ones are refused with.

use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float32Array, Int32Array, LargeStringArray, RecordBatch, StringViewArray, UInt64Array,
};
use expect_test::expect;
use kiln_table::{Cell, Cells, Format, ReadOptions, Table, TableError, TableReader};

fn reader(text: impl AsRef<[u8]>) -> Result<TableReader, TableError> {
    let text = text.as_ref().to_vec();
    TableReader::from_reader(Cursor::new(text), "t.csv", &ReadOptions::default())
}

fn table(text: impl AsRef<[u8]>) -> Table {
    Table::from_reader(reader(text).unwrap()).unwrap()
}

fn refused(text: impl AsRef<[u8]>) -> String {
    reader(text).and_then(Table::from_reader).unwrap_err().to_string()
}

/// The rows as text, columns between bars.
fn rows(table: &Table) -> Vec<String> {
    let row = |batch: &RecordBatch, row| {
        let cells = batch.columns().iter().map(|array| match Cells::new(array).get(row) {
            Cell::Missing => String::new(),
            Cell::Text(text) => text.to_owned(),
            Cell::Integer(value) => format!("{value}i"),
            Cell::Number(value) => format!("{value}f"),
            Cell::Boolean(value) => value.to_string(),
        });
        cells.collect::<Vec<_>>().join("|")
    };
    let chunks = table.chunks().iter();
    chunks.flat_map(|c| (0..c.batch.num_rows()).map(move |r| row(&c.batch, r))).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn quotes_blanks_and_line_ends_are_read_as_meant() {
    let plain = table("a,b,c\n1,\"x, \"\"y\"\"\",2\n3, z ,");
    assert_eq!(plain.columns(), ["a", "b", "c"]);
    assert_eq!(rows(&plain), ["1|x, \"y\"|2", "3|z|"]);

    let windows = table("\u{feff}a;b\r\n\r\n1,5;\"two\r\nlines\"\r\n2,5;x\r\n\r\n");
    assert_eq!(windows.columns(), ["a", "b"]);
    assert_eq!(rows(&windows), ["1,5|two\r\nlines", "2,5|x"]);
    assert_eq!(windows.chunks()[0].lines, [3, 5]);

    assert_eq!(rows(&table("a\tb\n5\" pipe\t1\n")), ["5\" pipe|1"]);
    assert_eq!(rows(&table("word\nx\n\"\"\n\ny\n")), ["x", "", "y"]);
    assert_eq!(rows(&table("a,b\n1,x\n   \n2,y\n \n")), ["1|x", "2|y"]);
}

#[test]
fn columns_without_a_name_are_numbered() {
    let headless = reader("1,x\n2,y\n").unwrap();
    assert_eq!(headless.columns(), ["column_1", "column_2"]);
    assert_eq!(headless.format(), &Format::Csv { delimiter: b',', header: false });
    assert_eq!(reader(",a\n0,1\n1,2\n").unwrap().columns(), ["column_1", "a"]);
}

#[test]
fn options_come_before_what_is_found() {
    let options = ReadOptions { delimiter: Some(b';'), header: Some(true), ..Default::default() };
    let asked = TableReader::from_reader(Cursor::new("1,2\n3,4\n"), "t.csv", &options).unwrap();
    assert_eq!(asked.columns(), ["1,2"]);
    let options = ReadOptions { delimiter: Some(b'"'), ..Default::default() };
    let Err(error) = TableReader::from_reader(Cursor::new("1,2\n"), "t.csv", &options) else {
        panic!("a quote was taken for a delimiter");
    };
    expect!["the delimiter can be any character of ASCII but a double quote, a line feed and a carriage return"]
        .assert_eq(&error.to_string());
}

#[test]
fn a_limit_on_columns_is_kept() {
    let with = |text: &'static str| {
        let options = ReadOptions { max_columns: Some(3), ..Default::default() };
        TableReader::from_reader(Cursor::new(text), "t.csv", &options)
    };
    let mut three = with("a,b,c\n1,2,3\n1,2,3,4\n").unwrap();
    assert_eq!(three.columns(), ["a", "b", "c"]);
    let error = three.next().unwrap().unwrap_err();
    expect!["t.csv line 3: more than 3 fields"].assert_eq(&error.to_string());
    let Err(error) = with("a,b,c,d\n1,2,3,4\n") else { panic!("four columns were taken") };
    expect!["t.csv line 1: more than 3 fields"].assert_eq(&error.to_string());
}

#[test]
fn rows_that_cannot_be_split_are_null_and_the_others_are_read() {
    let text = b"a,b\n1,x\n2\n3,y,z\n4,caf\xe9\n5,n\0n\n6,z\n";
    // NUL bytes near the start mean another format, so these come late.
    let mut whole = b"a,b\n".to_vec();
    for _ in 0..40_000 {
        whole.extend(b"0,w\n");
    }
    whole.extend(&text[4..]);
    let chunks: Vec<_> = reader(whole).unwrap().map(Result::unwrap).collect();
    let total: usize = chunks.iter().map(|chunk| chunk.batch.num_rows()).sum();
    assert_eq!(total, 40_006);
    assert_eq!(chunks[1].first_row, 8192);
    let last = chunks.last().unwrap();
    let problems: Vec<String> = last.problems.iter().map(|p| p.to_string()).collect();
    assert_eq!(
        problems,
        [
            "line 40003: 1 field, expected 2 as in the header",
            "line 40004: 3 fields, expected 2 as in the header",
            "line 40005, column \"b\": \"caf\\xe9\" is not UTF-8 (is the file Latin-1? convert it: \
             iconv -f latin1 -t utf-8)",
            "line 40006, column \"b\": \"n\\0n\" has a NUL byte, expected text",
        ]
    );
    for problem in &last.problems {
        assert!(last.batch.columns().iter().all(|column| column.is_null(problem.row)));
        assert_eq!(last.location(problem.row), problem.location);
    }
    assert_eq!(last.batch.column(1).null_count(), 4);
}

#[test]
fn bad_text_is_refused_with_its_line() {
    expect!["t.csv is empty, expected a table"].assert_eq(&refused(""));
    expect!["t.csv is empty, expected a table"].assert_eq(&refused("\u{feff}"));
    expect!["t.csv is empty, expected a table"].assert_eq(&refused("\u{feff}\r\n\n"));
    expect!["t.csv is empty, expected a table"].assert_eq(&refused("\n\r\n"));
    expect!["t.csv has no rows, only names of columns"].assert_eq(&refused("a,b\n"));
    expect![
        r#"t.csv: columns 2 and 4 (counted from 1) are both named "b", expected different names"#
    ]
    .assert_eq(&refused("a,b,c,b\n1,2,3,4\n"));
    expect![r#"t.csv line 1: "\xe9t\xe9" is not UTF-8 (is the file Latin-1? convert it: iconv -f latin1 -t utf-8)"#]
        .assert_eq(&refused(b"a,\xe9t\xe9\n1,2\n"));
    expect!["t.csv line 2: 1 field, expected 2 as in the first row"]
        .assert_eq(&refused("1,2\n3\n"));
    expect!["t.csv line 2: text after a closing quote, expected the next field (it goes on to line 4: is a quote on line 2 never closed?)"]
        .assert_eq(&refused("a,b\n1,\"x\n2,y\n3,\"z\n"));
    expect!["t.csv line 2: 3 fields, expected 2 as in the header (it goes on to line 3: is a quote on line 2 never closed?)"]
        .assert_eq(&refused("a,b\n1,\"x\n2,\"y,z\n"));
    expect!["t.csv line 3: a quote in the record that starts here is never closed; the rest of the file is one field"]
        .assert_eq(&refused("a,b\n1,x\n2,\"y\n3,z\n"));
    let long = |start: &str| [start.as_bytes(), &vec![b'x'; 17 << 20]].concat();
    expect!["t.csv line 2: longer than 16 MiB"].assert_eq(&refused(long("a,b\n1,")));
    expect!["t.csv line 2: the record that starts here is longer than 16 MiB; is a quote on that line never closed?"]
        .assert_eq(&refused(long("a,b\n1,\"\n")));
}

#[test]
fn what_is_no_text_is_named() {
    expect!["t.csv is UTF-16 (convert it: iconv -f utf-16 -t utf-8), expected UTF-8 text (CSV) or Parquet"]
        .assert_eq(&refused(b"\xff\xfea\0,\0"));
    expect![
        "t.csv has NUL bytes, as UTF-16 and binary files do, expected UTF-8 text (CSV) or Parquet"
    ]
    .assert_eq(&refused(b"a\0,\0b\0"));
    expect!["t.csv is a zip file or an Excel workbook (export it as CSV), expected UTF-8 text (CSV) or Parquet"]
        .assert_eq(&refused(b"PK\x03\x04abc"));
    let parquet = "t.csv holds Parquet, whose contents stand at its end: write it to a file, \
                   uncompressed, and name that";
    assert_eq!(refused(b"PAR1..."), parquet);
    assert_eq!(refused(gzip(b"PAR1...")), parquet);
}

#[test]
fn compressed_text_is_read_and_cut_off_streams_are_not() {
    let text = "a,b\n1,x\n2,y\n".as_bytes();
    let expected = ["1|x", "2|y"];
    let members = [gzip(&text[..6]), gzip(&text[6..])].concat();
    assert_eq!(rows(&table(&members)), expected);
    let frames = zstd::encode_all(text, 1).unwrap();
    assert_eq!(rows(&table(&frames)), expected);
    for end in 4..frames.len() {
        assert_eq!(refused(&frames[..end]), "t.csv: the zstd stream is cut off", "{end}");
    }
    let members = gzip(text);
    for end in 2..members.len() {
        assert_eq!(refused(&members[..end]), "t.csv: the gzip stream is cut off", "{end}");
    }
    let mut wrong = members.clone();
    *wrong.last_mut().unwrap() ^= 1;
    expect!["cannot read t.csv"].assert_eq(&refused(&wrong));
}

#[test]
fn a_failing_stream_is_an_error_once() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("unplugged"))
        }
    }
    let input = Cursor::new("a,b\n1,2\n".repeat(20_000)).chain(Failing);
    let mut chunks = TableReader::from_reader(input, "t.csv", &ReadOptions::default()).unwrap();
    let error = chunks.by_ref().find_map(Result::err).unwrap();
    expect!["cannot read t.csv"].assert_eq(&error.to_string());
    assert!(chunks.next().is_none());
}

#[test]
fn files_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train.csv"), "a\n1\n").unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let refused = |name: &str| {
        let path = at(name);
        Table::read(Path::new(&path), &ReadOptions::default()).unwrap_err().to_string()
    };
    assert_eq!(
        refused("trian.csv"),
        format!("{}: no such file; did you mean {}?", at("trian.csv"), at("train.csv"))
    );
    assert_eq!(refused("zzz"), format!("{}: no such file", at("zzz")));
    assert_eq!(refused(""), format!("{} is a folder, expected a file", at("")));
}

#[test]
fn wide_tables_come_in_small_chunks() {
    let line = vec!["1"; 300_000].join(",") + "\n";
    let chunks: Vec<_> = reader(line.repeat(5)).unwrap().map(Result::unwrap).collect();
    let heights: Vec<usize> = chunks.iter().map(|chunk| chunk.batch.num_rows()).collect();
    assert_eq!(heights, [3, 2]);
}

fn many_types() -> RecordBatch {
    let words: DictionaryArray<Int8Type> = ["x", "y"].into_iter().collect();
    RecordBatch::try_from_iter([
        ("int", Arc::new(Int32Array::from(vec![Some(1), None])) as ArrayRef),
        ("small", Arc::new(UInt64Array::from(vec![1, 2]))),
        ("large", Arc::new(UInt64Array::from(vec![1, u64::MAX]))),
        ("float", Arc::new(Float32Array::from(vec![0.5, f32::INFINITY]))),
        (
            "decimal",
            Arc::new(Decimal128Array::from(vec![150, -25]).with_precision_and_scale(9, 2).unwrap()),
        ),
        ("date", Arc::new(Date32Array::from(vec![0, 365]))),
        ("bool", Arc::new(BooleanArray::from(vec![true, false]))),
        ("word", Arc::new(words)),
        ("long", Arc::new(LargeStringArray::from(vec![" p ", ""]))),
        ("view", Arc::new(StringViewArray::from(vec!["q", "r"]))),
        ("bytes", Arc::new(BinaryArray::from(vec![&b"a"[..], b"b"]))),
    ])
    .unwrap()
}

const MANY_TYPES: [&str; 2] =
    ["1i|1i|1f|0.5f|1.5f|0i|true|x|p|q|", "|2i|18446744073709552000f|inff|-0.25f|365i|false|y||r|"];

#[test]
fn arrow_batches_become_the_five_types() {
    let table = Table::from_batches("frame", vec![many_types(), many_types()]).unwrap();
    assert_eq!(rows(&table), [MANY_TYPES, MANY_TYPES].concat());
    assert_eq!((table.num_rows(), table.chunks()[1].first_row), (4, 2));
    expect!["row 4"].assert_eq(&table.chunks()[1].location(1).to_string());

    let other = many_types().project(&[0]).unwrap();
    expect![
        r#"frame: batch 1 (counted from 0) has the columns [], expected ["int"] as in the first"#
    ]
    .assert_eq(
        &Table::from_batches("frame", vec![other.clone(), other.project(&[]).unwrap()])
            .unwrap_err()
            .to_string(),
    );
    let none = Table::from_batches("frame", vec![other.slice(0, 0)]).unwrap_err();
    expect!["frame has no rows, only names of columns"].assert_eq(&none.to_string());
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn parquet_is_read_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, parquet(&many_types())).unwrap();
    let reader = TableReader::open(&path, &ReadOptions::default()).unwrap();
    assert_eq!(reader.format(), &Format::Parquet);
    assert_eq!(reader.columns()[..2], ["int", "small"]);
    assert_eq!(rows(&Table::from_reader(reader).unwrap()), MANY_TYPES);

    std::fs::write(&path, parquet(&many_types().slice(0, 0))).unwrap();
    assert_eq!(
        Table::read(&path, &ReadOptions::default()).unwrap_err().to_string(),
        format!("{} has no rows, only names of columns", path.display())
    );
}

#[test]
fn damaged_parquet_is_an_error_or_other_values_but_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    let whole = parquet(&many_types());
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Table::read(&path, &ReadOptions::default())
    };
    for end in (4..whole.len()).step_by(7) {
        let message = read(&whole[..end]).unwrap_err().to_string();
        let expected = format!("{} is not a Parquet file that can be read: ", path.display());
        assert!(message.starts_with(&expected), "{message}");
    }
    for position in (4..whole.len()).step_by(11) {
        for bit in [1, 0x80] {
            let mut wrong = whole.clone();
            wrong[position] ^= bit;
            let _ = read(&wrong);
        }
    }
}
