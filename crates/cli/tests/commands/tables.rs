//! Train, evaluate, predict and cross-validate on tables of the world.

use std::{fs, io::Write};

use kiln::table::{Cell, Cells, ReadOptions, Table};
use serde_json::Value;

use crate::common::{Folder, shared};

/// A folder with one of the tables of `KILN_TABULAR_DIR` in it.
fn with_table(name: &str) -> Option<Folder> {
    let content = fs::read(shared("KILN_TABULAR_DIR", "tabular")?.join(name)).expect("a table");
    let folder = Folder::new();
    folder.write(name, content);
    Some(folder)
}

/// Trained on penguins for three epochs.
fn penguins() -> Option<Folder> {
    let folder = with_table("penguins.csv")?;
    folder.succeeds("train penguins.csv --target species -o m.safetensors --epochs 3 -q");
    Some(folder)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The values of each column, each number in the digits of an `f32`.
fn cells(folder: &Folder, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let table = Table::read(&folder.path(name), &ReadOptions::default()).unwrap();
    let mut columns = vec![Vec::new(); table.columns().len()];
    for rows in table.chunks() {
        for (column, values) in columns.iter_mut().enumerate() {
            let cells = Cells::new(rows.batch.column(column));
            values.extend((0..rows.batch.num_rows()).map(|row| match cells.get(row) {
                Cell::Missing => String::new(),
                Cell::Text(text) => {
                    text.parse::<f32>().map_or_else(|_| text.to_owned(), |value| value.to_string())
                }
                Cell::Number(value) => (value as f32).to_string(),
                Cell::Integer(value) => value.to_string(),
                Cell::Boolean(value) => value.to_string(),
            }));
        }
    }
    (table.columns().to_vec(), columns)
}

#[test]
fn penguins_are_learned_evaluated_and_predicted() {
    let Some(folder) = penguins() else { return };
    let report = json(&folder.succeeds("evaluate m.safetensors penguins.csv --json"));
    assert_eq!(report["classes"], serde_json::json!(["Adelie", "Chinstrap", "Gentoo"]));
    assert_eq!(report["rows"], 344);
    let accuracy = report["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.8, "{accuracy}");

    folder.succeeds("predict m.safetensors penguins.csv -o out.csv --keep species,year");
    let out = folder.read("out.csv");
    let mut lines = out.lines();
    assert_eq!(
        lines.next().unwrap(),
        "species,year,prediction,probability_Adelie,probability_Chinstrap,probability_Gentoo"
    );
    let input = folder.read("penguins.csv");
    let mut hits = 0;
    for (given, row) in input.lines().skip(1).zip(lines.by_ref()) {
        let given: Vec<&str> = given.split(',').collect();
        let row: Vec<&str> = row.split(',').collect();
        assert_eq!([row[0], row[1]], [given[0], given[7]], "rows are in the order of the input");
        let probabilities: Vec<f32> = row[3..].iter().map(|p| p.parse().unwrap()).collect();
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{row:?}");
        let best = (0..3).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b])).unwrap();
        assert_eq!(row[2], ["Adelie", "Chinstrap", "Gentoo"][best]);
        hits += usize::from(row[2] == given[0]);
    }
    assert_eq!(lines.next(), None);
    assert_eq!(hits as f64 / 344.0, accuracy);
}

#[test]
fn csv_parquet_and_json_lines_say_the_same() {
    let Some(folder) = penguins() else { return };
    for name in ["out.csv", "out.parquet", "out.jsonl"] {
        folder.succeeds(&format!("predict m.safetensors penguins.csv -o {name} --keep island"));
    }
    let (names, csv) = cells(&folder, "out.csv");
    assert_eq!((names.clone(), csv.clone()), cells(&folder, "out.parquet"));
    let lines = folder.read("out.jsonl");
    assert_eq!(lines.lines().count(), csv[0].len());
    for (row, line) in lines.lines().enumerate() {
        let object = json(line);
        for (name, column) in names.iter().zip(&csv) {
            match &object[name.as_str()] {
                Value::String(text) => assert_eq!(text, &column[row]),
                number => {
                    assert_eq!(
                        number.as_f64().unwrap() as f32,
                        column[row].parse::<f32>().unwrap()
                    );
                }
            }
        }
    }
    assert_eq!(
        folder.succeeds("predict m.safetensors penguins.csv --keep island"),
        folder.read("out.csv")
    );
}

#[test]
fn compressed_files_and_standard_input_are_read_like_the_plain_file() {
    let Some(folder) = penguins() else { return };
    let plain = folder.succeeds("predict m.safetensors penguins.csv");
    let content = fs::read(folder.path("penguins.csv")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&content).unwrap();
    folder.write("penguins.gz", gzip.finish().unwrap());
    folder.write("penguins.zst", zstd::encode_all(&content[..], 1).unwrap());
    for name in ["penguins.gz", "penguins.zst"] {
        assert_eq!(folder.succeeds(&format!("predict m.safetensors {name}")), plain, "{name}");
    }
    for name in ["penguins.csv", "penguins.gz", "penguins.zst"] {
        let run = folder.run_with("predict m.safetensors -", Some(&folder.path(name)));
        assert_eq!((run.code, run.stdout), (Some(0), plain.clone()), "{name} on standard input");
    }
    folder.succeeds("train penguins.gz --target species -o gz.safetensors --epochs 3 -q");
    assert_eq!(folder.succeeds("predict gz.safetensors penguins.csv"), plain);
}

#[test]
fn a_table_without_a_header_is_learned_by_position() {
    let Some(folder) = with_table("iris.csv") else { return };
    folder.succeeds("train iris.csv --target last -o m.safetensors --epochs 3 -q");
    let report = json(&folder.succeeds("evaluate m.safetensors iris.csv --json"));
    assert_eq!(report["rows"], 150);
    let out = folder.succeeds("predict m.safetensors iris.csv --no-header --keep column_5");
    assert!(out.starts_with("column_5,prediction,probability_Iris-setosa,"), "{out}");
}

#[test]
fn cross_validation_measures_every_row_once() {
    let Some(folder) = with_table("penguins.csv") else { return };
    let run = "cross-validate penguins.csv --target species --epochs 2 --json -q";
    let folds = |report: &Value, key: &str| -> Vec<Value> {
        report["folds"].as_array().unwrap().iter().map(|fold| fold[key].clone()).collect()
    };
    let report = json(&folder.succeeds(&format!("{run} --folds 3")));
    assert_eq!(folds(&report, "fold"), ["1", "2", "3"]);
    assert_eq!(folds(&report, "rows"), [115, 115, 114]);
    let accuracy = &report["metrics"]["accuracy"];
    let each: Vec<f64> =
        accuracy["folds"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let mean = each.iter().sum::<f64>() / 3.0;
    assert!((accuracy["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    let squares: f64 = each.iter().map(|value| (value - mean).powi(2)).sum();
    assert!((accuracy["std"].as_f64().unwrap() - (squares / 2.0).sqrt()).abs() < 1e-12);

    let report = json(&folder.succeeds(&format!("{run} --fold-column year")));
    assert_eq!(folds(&report, "fold"), ["2007", "2008", "2009"]);
    assert_eq!(folds(&report, "rows"), [110, 114, 120]);
}
