//! Rust files, compiled by the compiler that `RUSTC` names, or `rustc`: as modules of a `no_std` library, and of a
//! program that predicts the rows that it reads.

use std::{
    env,
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use burn_flex::Flex;
use kiln::{
    classifier::Classifier,
    export::{FieldType, RustSource},
    model::MlpConfig,
    table::{BOOLEAN_TEXTS, Cell, Cells, ReadOptions, Rows, Table, parse_number},
};

use crate::common::{Folder, good};
use crate::models::{ACTIVATIONS, NORMALIZATIONS, classifier, drawn_rows, of_members, targets};

const BAR: f32 = 1e-5;

/// A model and the rows that it is asked about.
struct Case {
    name: String,
    classifier: Classifier<Flex>,
    rows: Vec<Rows>,
}

/// Compiles all as modules of one library and one program, and compares what they say with Kiln.
fn compare(cases: &[Case]) {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    if Command::new(&rustc).arg("--version").output().is_err() {
        eprintln!("skipped: {} does not start", rustc.display());
        return;
    }
    let folder = Folder::new();
    let sources: Vec<RustSource> =
        cases.iter().map(|case| RustSource::new(&case.classifier).unwrap()).collect();
    let mut library = "#![no_std]\n".to_owned();
    let mut program = READ.to_owned();
    let mut calls = String::new();
    for (i, source) in sources.iter().enumerate() {
        folder.write(&format!("m{i}.rs"), source.text());
        library += &format!("pub mod m{i};\n");
        program += &format!("mod m{i};\n");
        let fields = source.fields().iter().map(|field| {
            let read = match field.field_type {
                FieldType::Number | FieldType::Boolean => "cells.next().unwrap().map(parse)",
                FieldType::Text => "cells.next().unwrap()",
            };
            format!("{}: {read}, ", field.name)
        });
        let fields: String = fields.collect();
        let said = match cases[i].classifier.manifest().task {
            kiln::model::Task::MultiLabel { .. } => "p.labels",
            _ => "p.index",
        };
        calls += &format!(
            "\"{i}\" => {{ let p = m{i}::predict(&m{i}::Row {{ {fields} }}); \
             println!(\"{{:?}}\\t{{:?}}\", {said}, p.probabilities); }}\n"
        );
    }
    program += &MAIN.replace("CALLS", &calls);
    folder.write("library.rs", library);
    folder.write("program.rs", program);
    let compile = |args: &[&str]| {
        let output = Command::new(&rustc)
            .args(["--edition", "2024", "-D", "warnings"])
            .args(args)
            .current_dir(folder.path(""))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    compile(&["--crate-type", "lib", "--emit", "metadata", "library.rs"]);
    compile(&["-C", "opt-level=1", "program.rs", "-o", "program"]);

    let given = cases.iter().zip(&sources).enumerate().map(|(i, (case, source))| {
        case.rows.iter().map(|rows| lines(i, source, rows)).collect::<String>()
    });
    folder.write("rows.txt", given.collect::<String>());
    let output = Command::new(folder.path("program"))
        .stdin(Stdio::from(fs::File::open(folder.path("rows.txt")).unwrap()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer = String::from_utf8(output.stdout).unwrap();
    let mut answer = answer.lines();
    let (mut largest, mut compared) = (0.0_f32, 0);
    for case in cases {
        for rows in &case.rows {
            let schema = rows.batch.schema();
            let columns: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
            let binding = case.classifier.bind("rows", &columns).unwrap();
            let expected = case.classifier.predict_rows(&binding, rows);
            assert_eq!(expected.problems, [], "{}", case.name);
            for (row, expected) in expected.probabilities.rows().enumerate() {
                let about = format!("{}, row {row}", case.name);
                let (decided, found) = answer.next().unwrap().split_once('\t').unwrap();
                let found: Vec<f32> = list(found).map(|p| p.parse().unwrap()).collect();
                assert_eq!(found.len(), expected.len(), "{about}");
                for (found, expected) in found.iter().zip(expected) {
                    let difference = (found - expected).abs();
                    assert!(difference <= BAR, "{about}: {found}, not {expected}");
                    largest = largest.max(difference);
                }
                // What its own probabilities decide: those near a tie may fall to either side.
                let classes = case.classifier.classes();
                let decision = match case.classifier.decide(&found).unwrap() {
                    kiln::classifier::Prediction::Class(class) => {
                        classes.iter().position(|known| *known == class).unwrap().to_string()
                    }
                    kiln::classifier::Prediction::Labels(labels) => {
                        let on = classes.iter().map(|label| labels.contains(label));
                        format!("{:?}", on.collect::<Vec<bool>>())
                    }
                };
                assert_eq!(decided, decision, "{about}");
                compared += 1;
            }
        }
    }
    assert_eq!(answer.next(), None);
    println!(
        "{} models, {compared} rows: probabilities differ by {largest:e} at most",
        cases.len()
    );
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.trim_matches(['[', ']']).split(", ")
}

const READ: &str = "\
fn parse<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().unwrap()
}
";

/// Cells are parted by tabs; a missing one is `-`, others begin with `=`.
const MAIN: &str = "\
fn main() {
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (model, cells) = line.split_once('\\t').unwrap();
        let mut cells = cells.split('\\t').map(|cell| cell.strip_prefix('='));
        match model {
CALLS            other => panic!(\"{other}\"),
        }
    }
}
";

/// The fields of each row, as `MAIN` reads them.
fn lines(model: usize, source: &RustSource, rows: &Rows) -> String {
    let schema = rows.batch.schema();
    let columns: Vec<Cells<'_>> = source
        .fields()
        .iter()
        .map(|field| {
            let (index, _) = schema.column_with_name(&field.column).unwrap();
            Cells::new(rows.batch.column(index).as_ref())
        })
        .collect();
    let mut text = String::new();
    let mut scratch = String::new();
    for row in 0..rows.batch.num_rows() {
        text += &model.to_string();
        for (field, cells) in source.fields().iter().zip(&columns) {
            let cell = match (field.field_type, cells.get(row)) {
                (_, Cell::Missing) => None,
                (FieldType::Number, Cell::Text(text)) => {
                    parse_number(text).map(|number| number.to_string())
                }
                (FieldType::Boolean, cell) => {
                    let text = cell.text(&mut scratch).unwrap_or_default();
                    let is = |other: &str| text.eq_ignore_ascii_case(other);
                    let pairs = BOOLEAN_TEXTS.iter();
                    let mut known = pairs.filter(|(no, yes)| is(no) || is(yes));
                    known.next().map(|(_, yes)| is(yes).to_string())
                }
                (_, cell) => cell.text(&mut scratch).map(str::to_owned),
            };
            text += &cell.map_or("\t-".to_owned(), |cell| format!("\t={cell}"));
        }
        text.push('\n');
    }
    text
}

#[test]
fn every_kind_of_network_says_what_kiln_says() {
    let mut cases = Vec::new();
    for (i, activation) in ACTIVATIONS.into_iter().enumerate() {
        for (j, normalization) in NORMALIZATIONS.into_iter().enumerate() {
            // Each activation and each normalization with each kind of target.
            let target = targets()[(i + j) % 3].clone();
            let classifier = classifier(activation, normalization, target, (i + j) % 2 == 0);
            let name =
                format!("{activation:?}, {normalization:?}, {:?}", classifier.manifest().task);
            cases.push(Case { name, classifier, rows: vec![drawn_rows()] });
        }
    }
    for (i, target) in targets().into_iter().enumerate() {
        let classifier = of_members(3, ACTIVATIONS[7], NORMALIZATIONS[i], target, i != 1);
        let name = format!("3 networks, {:?}", classifier.manifest().task);
        cases.push(Case { name, classifier, rows: vec![drawn_rows()] });
    }
    compare(&cases);
}

#[test]
fn real_tables_are_predicted_as_by_kiln() {
    let fruit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/fruit.csv");
    let mut tables = vec![("fruit", fruit, "kind")];
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tabular");
    let shared = env::var_os("KILN_TABULAR_DIR").map_or(shared, Into::into);
    for (name, target) in [("penguins", "species"), ("titanic", "Survived"), ("german", "last")] {
        let path = shared.join(format!("{name}.csv"));
        if path.exists() {
            tables.push((name, path, target));
        } else {
            eprintln!("skipped: {} is not there (see KILN_TABULAR_DIR)", path.display());
        }
    }
    let folder = Folder::new();
    // Numbers alone, and no hidden layer.
    folder.write("good.csv", good());
    tables.push(("good", folder.path("good.csv"), "class --hidden none"));
    let cases: Vec<Case> = tables
        .into_iter()
        .map(|(name, path, target)| {
            fs::copy(&path, folder.path("t.csv")).unwrap();
            folder.succeeds(&format!(
                "train t.csv --target {target} -o {name}.safetensors --epochs 5 -q"
            ));
            let said =
                folder.succeeds(&format!("export {name}.safetensors --format rust -o {name}.rs"));
            assert!(said.starts_with(&format!("{name}.rs: Rust, ")), "{said}");
            let path = folder.path(&format!("{name}.safetensors"));
            let classifier = Classifier::load(path, &Default::default()).unwrap();
            let source = RustSource::new(&classifier).unwrap();
            assert_eq!(folder.read(&format!("{name}.rs")), source.text());
            let table = Table::read(&folder.path("t.csv"), &ReadOptions::default()).unwrap();
            Case { name: name.to_owned(), classifier, rows: table.chunks().to_vec() }
        })
        .collect();
    compare(&cases);
}

#[test]
fn a_network_too_large_for_source_text_is_refused() {
    let target = targets()[0].clone();
    let mut manifest =
        classifier(ACTIVATIONS[1], NORMALIZATIONS[0], target, false).manifest().clone();
    let d_input = manifest.network.d_input;
    manifest.network = MlpConfig::new(d_input, 1).with_hidden(vec![1000, 1000]);
    let device = Default::default();
    let model = manifest.network.init::<Flex>(&device).unwrap();
    let classifier = Classifier::new(manifest, &[model], &device).unwrap();
    assert_eq!(
        RustSource::new(&classifier).unwrap_err().to_string(),
        "the network has 1017001 parameters, expected at most 1000000 in Rust source: ONNX takes more"
    );
}
