//! Files of rows that are not what they should be.

use std::time::{Duration, Instant};

use crate::common::{Folder, good, good_but};

const TRAIN: &str = "--target class -o model.safetensors --epochs 2 -q";

#[track_caller]
fn refused(content: impl AsRef<[u8]>, message: &str) {
    let folder = Folder::new();
    folder.write("t.csv", content);
    folder.fails(&format!("train t.csv {TRAIN}"), message);
}

/// Trains on it, and gives what is said on stderr but for the columns.
#[track_caller]
fn warnings(content: impl AsRef<[u8]>) -> Vec<String> {
    let folder = Folder::new();
    folder.write("t.csv", content);
    let run = folder.run("train t.csv --target class -o model.safetensors --epochs 2");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let lines = run.stderr.lines().filter(|line| line.starts_with("warning"));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_file_that_is_not_there_is_said_with_the_nearest_name() {
    let folder = Folder::new();
    folder.fails(&format!("train iris.csv {TRAIN}"), "iris.csv: no such file");
    folder.write("iris.csv", good());
    folder.fails(
        &format!("train irsi.csv {TRAIN}"),
        "irsi.csv: no such file; did you mean iris.csv?",
    );
}

#[test]
fn a_folder_is_no_file() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("rows")).unwrap();
    folder.fails(&format!("train rows {TRAIN}"), "rows is a folder, expected a file");
}

#[test]
fn a_file_without_rows_is_refused() {
    refused("", "t.csv is empty, expected a table");
    refused("\n\n", "t.csv is empty, expected a table");
    refused("\u{feff}", "t.csv is empty, expected a table");
    refused("a,b,class\n", "t.csv has no rows, only names of columns");
}

#[test]
fn a_ragged_row_is_named_by_its_line() {
    refused(good_but(5, "1,2"), "t.csv line 5: 2 fields, expected 3 as in the header");
    refused(good_but(61, "1,2,x,4"), "t.csv line 61: 4 fields, expected 3 as in the header");
}

#[test]
fn another_encoding_is_refused_with_what_converts_it() {
    let utf16: Vec<u8> =
        format!("\u{feff}{}", good()).encode_utf16().flat_map(u16::to_le_bytes).collect();
    refused(
        &utf16,
        "t.csv is UTF-16 (convert it: iconv -f utf-16 -t utf-8), expected UTF-8 text (CSV) or \
         Parquet",
    );
    let nul = "t.csv has NUL bytes, as UTF-16 and binary files do, expected UTF-8 text (CSV) or \
               Parquet";
    refused(&utf16[2..], nul);
    refused(good_but(5, "1,\0,x"), nul);
    let latin: Vec<u8> = good_but(5, "1,2,café").chars().map(|c| c as u8).collect();
    refused(
        latin,
        "t.csv line 5, column \"class\": \"caf\\xe9\" is not UTF-8 (is the file Latin-1? convert \
         it: iconv -f latin1 -t utf-8)",
    );
}

#[test]
fn a_nul_byte_far_behind_the_start_is_found() {
    let mut content = good();
    let rows = good().split_once('\n').unwrap().1.to_owned();
    content += &rows.repeat(200);
    let line = content.lines().count() + 1;
    content += "1,\0,x\n";
    refused(
        content,
        &format!("t.csv line {line}, column \"b\": \"\\0\" has a NUL byte, expected text"),
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    let folder = Folder::new();
    folder.write("bom.csv", format!("\u{feff}{}", good()));
    folder.succeeds(&format!("train bom.csv --target class --numeric a {}", &TRAIN[15..]));
}

#[test]
fn a_quote_never_closed_is_named_by_the_line_on_which_it_opens() {
    for row in ["1,\"2,x", "1,2,\"x"] {
        refused(
            good_but(5, row),
            "t.csv line 5: a quote in the record that starts here is never closed; the rest of the \
             file is one field",
        );
    }
}

#[test]
fn a_line_of_100_megabytes_is_refused_without_reading_it_all() {
    let folder = Folder::new();
    folder.write("t.csv", vec![b'x'; 100 << 20]);
    let begin = Instant::now();
    folder.fails(&format!("train t.csv {TRAIN}"), "t.csv line 1: longer than 16 MiB");
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_name_used_for_two_columns_is_refused() {
    refused(
        good().replacen("a,b", "a,a", 1),
        "t.csv: columns 1 and 2 (counted from 1) are both named \"a\", expected different names",
    );
}

#[test]
fn a_column_without_values_is_left_out() {
    let folder = Folder::new();
    folder.write(
        "t.csv",
        good().replacen("a,b", "a,b,none", 1).replace(",x", ",,x").replace(",y", ",,y"),
    );
    let run = folder.run("train t.csv --target class -o m.safetensors --epochs 2");
    assert_eq!(run.code, Some(0));
    assert!(
        run.stderr.contains("  none   ignored      every value is missing\n"),
        "{}",
        run.stderr
    );
    let rows: String = (0..60).map(|row| format!(",{}\n", row % 2)).collect();
    refused(
        format!("none,class\n{rows}"),
        "t.csv: no features are left; not used are \"none\" (every value is missing)",
    );
}

#[test]
fn a_number_that_is_not_finite_is_refused() {
    for value in ["1e400", "inf", "-inf"] {
        refused(
            good_but(5, &format!("{value},0.5,x")),
            &format!(
                "t.csv line 5, column \"a\": {value:?} is not finite, expected a finite number; \
                 --missing {value} takes it for a missing value"
            ),
        );
    }
    assert!(warnings(good_but(5, "nan,0.5,x")).is_empty(), "nan is a missing value");
}

#[test]
fn text_among_numbers_is_missing_with_a_warning() {
    for (value, cell) in [("1,5", "\"1,5\""), ("0x10", "0x10"), ("abc", "abc")] {
        assert_eq!(
            warnings(good_but(5, &format!("{cell},0.5,x"))),
            [format!(
                "warning: column \"a\": {value:?} (line 5) among numbers: taken for missing; \
                 --categorical a keeps all values as names"
            )]
        );
    }
}

#[test]
fn ten_thousand_columns_are_no_trouble() {
    let names: Vec<String> = (0..10_000).map(|column| format!("c{column}")).collect();
    let mut text = names.join(",") + ",class\n";
    for row in 0..30 {
        for column in 0..10_000 {
            text += &format!("{},", (row * 7 + column * 13) % 10 + row % 2);
        }
        text += if row % 2 == 0 { "x\n" } else { "y\n" };
    }
    let folder = Folder::new();
    folder.write("wide.csv", text);
    let begin = Instant::now();
    let run = folder.run("train wide.csv --target class -o m.safetensors --epochs 1 --hidden 8");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("  and 9961 more (--verbose shows all)\n"), "{}", run.stderr);
    folder.succeeds("predict m.safetensors wide.csv -o out.csv");
    assert_eq!(folder.read("out.csv").lines().count(), 31);
    assert!(begin.elapsed() < Duration::from_secs(120), "{:?}", begin.elapsed());
}

#[test]
fn a_column_of_a_million_names_is_left_out_and_can_be_asked_for() {
    let mut text = "id,a,class\n".to_owned();
    for row in 0..1_000_000 {
        text += &format!("name{row},{},{}\n", row % 7, row % 2);
    }
    let folder = Folder::new();
    folder.write("t.csv", text);
    let train = "train t.csv --target class --preset fast -o m.safetensors --epochs 1 --hidden none \
                 --batch-size all";
    let run = folder.run(train);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let left_out = "  id     ignored      nearly every value is different\n";
    assert!(run.stderr.contains(left_out), "{}", run.stderr);

    folder.succeeds(&format!("{train} --categorical id -q"));
    let size = std::fs::metadata(folder.path("m.safetensors")).unwrap().len();
    assert!(size < 1 << 20, "{size} bytes: names that occur once are not learned");
}
