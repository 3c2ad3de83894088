//! `kiln train --stream`: files that are read anew in every epoch.

use std::{fmt::Write, fs, path::Path};

use serde_json::Value;

use crate::common::{Folder, good, shared};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The lines of a file with a header, every fifth in the second part.
fn split(text: &str) -> [String; 2] {
    let (header, rows) = text.split_once('\n').expect("a header");
    let mut parts = [format!("{header}\n"), format!("{header}\n")];
    for (row, line) in rows.lines().enumerate() {
        writeln!(parts[usize::from(row % 5 == 0)], "{line}").unwrap();
    }
    parts
}

/// Accuracy and log loss on the test rows.
fn scores(folder: &Folder, flags: &str) -> [f64; 2] {
    let flags = format!("--test test.csv --header --target last -o m -q --json {flags}");
    let summary = json(&folder.succeeds(&format!("train train.csv {flags}")));
    ["accuracy", "log_loss"].map(|name| summary["test"][name].as_f64().expect("a number"))
}

#[test]
fn streamed_rows_are_learned_as_well_as_rows_in_memory() {
    let Some(tables) = shared("KILN_TABULAR_DIR", "tabular") else { return };
    let read = |name| fs::read_to_string(tables.join(name)).expect("a table");
    // Names and four classes; numbers, two classes and no header.
    let cars = read("car.data");
    let mammography = format!("a,b,c,d,e,f,class\n{}", read("mammography.csv"));
    for (name, text, near) in
        [("car", cars, [0.02, 0.06]), ("mammography", mammography, [0.005, 0.01])]
    {
        let folder = Folder::new();
        let [train, test] = split(&text);
        folder.write("train.csv", train);
        folder.write("test.csv", test);
        let (streamed, memory) = (scores(&folder, "--stream"), scores(&folder, ""));
        for ((streamed, memory), near) in streamed.into_iter().zip(memory).zip(near) {
            assert!((streamed - memory).abs() < near, "{name}: {streamed} {memory}");
        }
    }
}

#[test]
fn a_report_is_of_the_rows_held_out() {
    let folder = Folder::new();
    folder.write("good.csv", good().repeat(4).replace("\na,b,class\n", "\n"));
    let run = folder.run(
        "train good.csv --target class --stream -o m --epochs 3 --report r.html --json \
         --valid-fraction 0.25",
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.starts_with("reading good.csv once, to find what is in it\n"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("good.csv: CSV, comma-separated, with a header, 240 rows, 3 columns"),
        "{}",
        run.stderr
    );
    let summary = json(&run.stdout);
    let rows = |name: &str| summary[name].as_u64().expect("a number");
    assert_eq!(rows("train_rows") + rows("valid_rows"), 240);
    assert!((40..80).contains(&rows("valid_rows")), "{summary}");
    assert_eq!(summary["valid"]["rows"], summary["valid_rows"]);
    assert!(folder.read("r.html").contains("majority class"));

    let evaluate = "evaluate m good.csv --train good.csv";
    let message =
        "the model was trained on streamed rows, which are not compared with: leave out --train";
    folder.fails(evaluate, message);
    let model = json(&folder.succeeds("inspect m --json"));
    assert_eq!(model["training"]["config"]["streamed"], true);
}

#[test]
fn what_can_not_be_streamed_is_refused() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    folder.write("train.toml", "stream = true\n");
    let reason = "which can be read from its start only; expected a CSV file that is not compressed, \
                  or a Parquet file";
    folder.fails(
        "train - --stream --target class -o m -q",
        &format!("- is standard input, {reason}"),
    );
    let archive = fs::File::create(folder.path("good.csv.gz")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(archive, flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, good().as_bytes()).unwrap();
    encoder.finish().unwrap();
    folder.fails(
        "train good.csv.gz --config train.toml --target class -o m -q",
        &format!("good.csv.gz is compressed by gzip, {reason}"),
    );
    folder.fails(
        "cross-validate good.csv --config train.toml --target class -q",
        "cross-validation keeps all rows in memory, found `stream`",
    );
    folder.write("bad.csv", good() + "1,2\n");
    folder.fails(
        "train bad.csv --stream --target class -o m -q",
        "bad.csv line 62: 2 fields, expected 3 as in the header",
    );
}

/// A table of so many rows of 30 columns.
fn large(path: &Path, rows: usize) {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};

    let batch = |first: usize, rows: usize| {
        let number = |row: usize, column: usize| {
            let bits = ((first + row) * 31 + column).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (bits >> 40) as f64 / (1 << 24) as f64
        };
        let mut columns: Vec<(String, ArrayRef)> = (0..29)
            .map(|column| {
                let numbers: Float64Array =
                    (0..rows).map(|row| Some(number(row, column))).collect();
                (format!("x{column}"), Arc::new(numbers) as ArrayRef)
            })
            .collect();
        let class = |row| i64::from(number(row, 0) + number(row, 1) > 1.0);
        let classes: Int64Array = (0..rows).map(|row| Some(class(row))).collect();
        columns.push(("class".to_owned(), Arc::new(classes)));
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let file = fs::File::create(path).unwrap();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, batch(0, 1).schema(), None).unwrap();
    for first in (0..rows).step_by(50_000) {
        writer.write(&batch(first, 50_000.min(rows - first))).unwrap();
    }
    writer.close().unwrap();
}

/// The most memory that the run of a command took, in MiB.
#[cfg(target_os = "linux")]
fn peak(folder: &Folder, args: &str) -> u64 {
    use std::process::{Command, Stdio};

    let mut child = Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(args.split_whitespace())
        .current_dir(folder.path("."))
        .stdout(Stdio::null())
        .spawn()
        .expect("kiln runs");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        if let Some(status) = child.try_wait().expect("can be waited for") {
            break status;
        }
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) >> 10);
        std::thread::yield_now();
    };
    assert!(ended.success(), "kiln {args}");
    peak
}

/// The numbers are those of files that are far larger: what is in memory at a time does not grow with them.
#[cfg(target_os = "linux")]
#[test]
fn a_stream_takes_a_bounded_memory() {
    let folder = Folder::new();
    large(&folder.path("large.parquet"), 1_500_000);
    let train = "train large.parquet --target class -o m -q --epochs 1 --hidden 8 --dropout 0 \
                 --batch-size 4096 --valid-fraction 0.01";
    let streamed = peak(&folder, &format!("{train} --stream"));
    // The features alone take 166 MiB, and the table as it is read twice as much.
    assert!(streamed < 400, "{streamed} MiB");
}
