//! ONNX graphs, run by tract; and, where it is there, by onnxruntime, as `kiln export` does.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use burn_flex::Flex;
use kiln::{
    classifier::{Classifier, Prediction},
    data::{ReadOptions, Rows, Table, Targets, mnist},
    export::{ExportError, InputValues, Inputs, Onnx},
};
use serde_json::{Value, json};
use tract_onnx::prelude::*;

use crate::common::{Folder, python};
use crate::models::{ACTIVATIONS, NORMALIZATIONS, classifier, drawn_rows, targets};

/// Most that a probability may differ by.
const BAR: f32 = 1e-5;

/// Asserts that tract says of the rows what the classifier says, where the classifier can use them.
#[track_caller]
fn assert_same(name: &str, onnx: &Onnx, classifier: &Classifier<Flex>, rows: &Rows) {
    let schema = rows.batch.schema();
    let columns: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let predictions = classifier.predict_rows(&classifier.bind("rows", &columns).unwrap(), rows);

    let graph = tract_onnx::onnx().model_for_read(&mut onnx.encode().as_slice()).unwrap();
    let graph = graph.into_typed().unwrap().into_decluttered().unwrap().into_runnable().unwrap();
    let num_rows = rows.batch.num_rows();
    let given = onnx.inputs().iter().map(|input| {
        let shape = (num_rows, input.columns.len());
        let tensor: Tensor = match input.values(rows) {
            InputValues::Numbers(values) => {
                tract_ndarray::Array2::from_shape_vec(shape, values).unwrap().into()
            }
            InputValues::Texts(values) => {
                tract_ndarray::Array2::from_shape_vec(shape, values).unwrap().into()
            }
        };
        tensor.into_tvalue()
    });
    let answer = graph.run(given.collect()).unwrap();
    let classes = classifier.classes();
    let found = answer[1].to_plain_array_view::<f32>().unwrap();
    assert_eq!(found.shape(), [num_rows, classes.len()], "{name}");
    let found: Vec<f32> = found.iter().copied().collect();
    let decided: Vec<Prediction> = match onnx.outputs().next().unwrap() {
        "class" => {
            let found = answer[0].to_plain_array_view::<String>().unwrap();
            found.iter().map(|class| Prediction::Class(class.clone())).collect()
        }
        "labels" => {
            let on: Vec<bool> =
                answer[0].to_plain_array_view::<bool>().unwrap().iter().copied().collect();
            let labels = |row: &[bool]| {
                let on = classes.iter().zip(row).filter(|(_, on)| **on);
                Prediction::Labels(on.map(|(label, _)| label.clone()).collect())
            };
            on.chunks(classes.len()).map(labels).collect()
        }
        other => panic!("{name}: output {other}"),
    };
    let found = found.chunks(classes.len());
    let mut compared = 0;
    for (row, (expected, found)) in predictions.probabilities.rows().zip(found).enumerate() {
        if expected[0].is_nan() {
            continue;
        }
        compared += 1;
        for (expected, found) in expected.iter().zip(found) {
            assert!((expected - found).abs() <= BAR, "{name}, row {row}: {found}, not {expected}");
        }
        // What the graph's own probabilities decide: those near a tie may fall to either side.
        assert_eq!(Some(&decided[row]), classifier.decide(found).as_ref(), "{name}, row {row}");
    }
    assert!(compared > 0, "{name}");
}

fn folder_of(variable: &str, name: &str) -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    let path = env::var_os(variable).map_or(shared, PathBuf::from);
    if !path.exists() {
        eprintln!("not tested: {} is not there (see {variable})", path.display());
        return None;
    }
    Some(path)
}

/// The name of the target, as `kiln train` takes it.
fn target(table: &Value, content: &str) -> String {
    match (&table["target"], table["header"].as_bool()) {
        (Value::Number(index), Some(true)) => {
            let delimiter = table["delimiter"].as_str().unwrap();
            let header = content.lines().next().unwrap();
            let name = header.split(delimiter).nth(index.as_u64().unwrap() as usize).unwrap();
            name.trim_matches('"').to_owned()
        }
        (Value::Number(index), _) => match index.as_i64().unwrap() {
            -1 => "last".to_owned(),
            index => format!("column_{}", index + 1),
        },
        (name, _) => name.as_str().unwrap().to_owned(),
    }
}

#[test]
fn every_table_is_predicted_from_its_raw_columns() {
    let Some(tables) = folder_of("KILN_TABULAR_DIR", "tabular") else { return };
    let index = fs::read_to_string(tables.join("index.json")).unwrap();
    let index: Vec<Value> = serde_json::from_str(&index).unwrap();
    for table in &index {
        let file = table["file"].as_str().unwrap();
        let folder = Folder::new();
        let content = fs::read_to_string(tables.join(file)).unwrap();
        // Enough of a long table.
        let lines: Vec<&str> = content.lines().take(2000).collect();
        folder.write(file, lines.join("\n"));
        let target = target(table, &content);
        let header = if table["header"] == true { "--header" } else { "--no-header" };
        folder.succeeds(&format!(
            "train {file} {header} --target {target} -o m.safetensors --epochs 2 -q"
        ));
        let told = folder.succeeds(&format!(
            "export m.safetensors --format onnx -o m.onnx --check {file} {header} --json"
        ));

        let classifier =
            Classifier::<Flex>::load(folder.path("m.safetensors"), &Default::default()).unwrap();
        let onnx = Onnx::new(&classifier, Inputs::Columns).unwrap();
        let written = fs::read(folder.path("m.onnx")).unwrap();
        // What was checked is said behind all the rest.
        assert!(written.starts_with(&onnx.encode()), "{file}");
        let written = tract_onnx::onnx().proto_model_for_read(&mut written.as_slice()).unwrap();
        let said = written.metadata_props.into_iter().find(|entry| entry.key == "kiln.check");
        let told: Value = serde_json::from_str(&told).unwrap();
        let said = said.map_or(Value::Null, |entry| serde_json::from_str(&entry.value).unwrap());
        assert_eq!(said, told["check"], "{file}");
        match said["largest_difference"].as_f64() {
            Some(difference) => assert!(difference <= f64::from(BAR), "{file}: {difference}"),
            None => eprintln!("not tested: {file} by onnxruntime"),
        }
        let options = ReadOptions { header: table["header"].as_bool(), ..Default::default() };
        let rows = Table::read(&folder.path(file), &options).unwrap();
        for rows in rows.chunks() {
            assert_same(file, &onnx, &classifier, rows);
        }
    }
}

#[test]
fn every_activation_and_normalization_and_kind_of_column_is_the_same() {
    for activation in ACTIVATIONS {
        for normalization in NORMALIZATIONS {
            for (target, embedded) in targets().into_iter().zip([false, true, true]) {
                let classifier = classifier(activation, normalization, target, embedded);
                let onnx = Onnx::new(&classifier, Inputs::Columns).unwrap();
                let task = classifier.manifest().task;
                let name = format!("{activation:?}, {normalization:?}, {task:?}");
                assert_same(&name, &onnx, &classifier, &drawn_rows());
            }
        }
    }
}

#[test]
fn a_column_named_like_an_output_has_an_input_of_another_name() {
    let [_, _, labels] = targets();
    let classifier = classifier(ACTIVATIONS[1], NORMALIZATIONS[0], labels, false);
    let mut manifest = serde_json::to_value(classifier.manifest()).unwrap();
    for (i, name) in ["probabilities", "labels", "input labels", ""].into_iter().enumerate() {
        manifest["preprocessor"]["features"][i]["name"] = json!(name);
        manifest["schema"]["columns"][i]["name"] = json!(name);
    }
    let manifest = serde_json::from_value(manifest).unwrap();
    let classifier = Classifier::new(manifest, classifier.model(), &Default::default()).unwrap();
    let onnx = Onnx::new(&classifier, Inputs::Columns).unwrap();
    let inputs = onnx.inputs().iter().map(|i| (i.name.as_str(), i.columns[0].as_str()));
    assert_eq!(
        inputs.collect::<Vec<_>>(),
        [
            ("input probabilities", "probabilities"),
            ("input input labels", "labels"),
            ("input labels", "input labels"),
            ("input ", ""),
            ("constant", "constant"),
        ]
    );
    assert_eq!(onnx.outputs().collect::<Vec<_>>(), ["labels", "probabilities"]);
}

#[test]
fn a_matrix_holds_numbers_only() {
    let [_, classes, _] = targets();
    let classifier = classifier(ACTIVATIONS[1], NORMALIZATIONS[0], classes, false);
    let error = Onnx::new(&classifier, Inputs::Matrix).unwrap_err();
    assert!(matches!(error, ExportError::NotNumeric { .. }));
    assert_eq!(
        error.to_string(),
        "column \"type\" is true or false, and a matrix holds numbers only: expected one input per column"
    );
}

#[test]
fn mnist_is_predicted_from_a_matrix_and_from_columns() {
    let Some(images) = folder_of("KILN_DATA_DIR", "mnist") else { return };
    let images = mnist(Some(&images)).unwrap();
    let pixels = images.test.d_input();
    let mut csv: String = (0..pixels).map(|pixel| format!("pixel{pixel},")).collect();
    csv += "digit\n";
    let Targets::Classes { indices, .. } = images.test.targets() else { panic!("no classes") };
    for (row, digit) in images.test.features().chunks(pixels).zip(indices).take(1000) {
        csv.extend(row.iter().map(|ink| format!("{},", (ink * 255.0).round())));
        csv += &format!("{digit}\n");
    }
    let folder = Folder::new();
    folder.write("digits.csv", csv);
    folder.succeeds("train digits.csv --target digit -o m.safetensors --epochs 2 -q");
    let classifier = Classifier::load(folder.path("m.safetensors"), &Default::default()).unwrap();
    let table = Table::read(&folder.path("digits.csv"), &ReadOptions::default()).unwrap();
    for (inputs, name) in [(Inputs::Columns, "columns"), (Inputs::Matrix, "matrix")] {
        folder.succeeds(&format!(
            "export m.safetensors --format onnx --inputs {name} -o {name}.onnx --check digits.csv"
        ));
        let onnx = Onnx::new(&classifier, inputs).unwrap();
        for rows in table.chunks() {
            assert_same(name, &onnx, &classifier, rows);
        }
    }
}

#[test]
fn the_recipe_for_python_predicts_what_kiln_predicts() {
    let docs = include_str!("../../docs/export.md");
    let (_, recipe) = docs.split_once("### From Python\n\n```python\n").unwrap();
    let (recipe, _) = recipe.split_once("```\n").unwrap();
    let folder = Folder::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
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
            let (found, expected): (f32, f32) = (found.parse().unwrap(), expected.parse().unwrap());
            assert!((found - expected).abs() <= BAR, "{found}, not {expected}");
        }
    }
}
