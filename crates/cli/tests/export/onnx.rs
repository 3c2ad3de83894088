//! `kiln export --format onnx`: checked by onnxruntime where it is there; `crates/export` has it run by tract.

use std::{fs, path::Path};

use burn_flex::Flex;
use kiln::{
    classifier::Classifier,
    export::{Inputs, Onnx},
};
use serde_json::Value;

use crate::common::{Folder, python};
use crate::tables::real_tables;

/// Most that a probability may differ by.
const BAR: f64 = 1e-5;

#[test]
fn graphs_of_real_tables_say_by_whom_they_were_checked() {
    for table in real_tables() {
        let (folder, file) = (Folder::new(), &table.file);
        folder.write(file, table.content);
        let header = if table.header { "--header" } else { "--no-header" };
        folder.succeeds(&format!(
            "train {file} {header} --target {} -o m.safetensors --epochs 2 -q",
            table.target
        ));
        let told = folder.succeeds(&format!(
            "export m.safetensors --format onnx -o m.onnx --check {file} {header} --json"
        ));
        let told: Value = serde_json::from_str(&told).unwrap();

        let device = Default::default();
        let classifier = Classifier::<Flex>::load(folder.path("m.safetensors"), &device).unwrap();
        let plain = Onnx::new(&classifier, Inputs::Columns).unwrap().encode();
        let written = fs::read(folder.path("m.onnx")).unwrap();
        // What was checked stands behind all the rest.
        assert!(written.starts_with(&plain), "{file}");
        let rest = String::from_utf8_lossy(&written[plain.len()..]);
        if told["check"].is_null() {
            eprintln!("not tested: {file} by onnxruntime");
            assert_eq!(rest, "", "{file}");
            continue;
        }
        let said: Value = serde_json::from_str(&rest[rest.find('{').unwrap()..]).unwrap();
        assert!(rest.contains("kiln.check"), "{file}");
        assert_eq!(said, told["check"], "{file}");
        let difference = said["largest_difference"].as_f64().unwrap();
        assert!(difference <= BAR, "{file}: {difference}");
        assert_eq!(said["decisions_differ"], 0, "{file}");
    }
}

#[test]
fn the_recipe_for_python_predicts_what_kiln_predicts() {
    let docs = include_str!("../../../../docs/export.md");
    let (_, recipe) = docs.split_once("### From Python\n\n```python\n").unwrap();
    let (recipe, _) = recipe.split_once("```\n").unwrap();
    let folder = Folder::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for name in ["fruit.csv", "fruit-new.csv"] {
        fs::copy(examples.join(name), folder.path(name)).unwrap();
    }
    folder.succeeds("train fruit.csv --target kind -o fruit.safetensors --epochs 5 -q");
    folder.succeeds("export fruit.safetensors --format onnx -o fruit.onnx");
    let expected = folder.succeeds("predict fruit.safetensors fruit-new.csv");

    let script = format!(
        "import os, sys\nos.chdir(sys.stdin.read())\ntry:\n    import onnxruntime, pandas\n\
         except ImportError as error:\n    print(f'not tested: no {{error.name}}', file=sys.stderr)\n    sys.exit(77)\n\
         {recipe}\nfor kind, row in zip(kinds, probabilities):\n    print(kind, *row, sep=',')\n"
    );
    let Some(found) = python(&script, folder.path("").to_str().unwrap()) else { return };
    let found: Vec<&str> = found.lines().collect();
    let expected: Vec<&str> = expected.lines().skip(1).collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let (found_kind, found) = found.split_once(',').unwrap();
        let (kind, expected) = expected.split_once(',').unwrap();
        assert_eq!(found_kind, kind);
        for (found, expected) in found.split(',').zip(expected.split(',')) {
            let (found, expected): (f64, f64) = (found.parse().unwrap(), expected.parse().unwrap());
            assert!((found - expected).abs() <= BAR, "{found}, not {expected}");
        }
    }
}
