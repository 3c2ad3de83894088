//! ONNX graphs, run by tract; and, where it is there, by onnxruntime, as `kiln export` does.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use burn_flex::Flex;
use kiln::{
    classifier::{Classifier, Manifest, Prediction},
    data::{ReadOptions, Rows, Table, mnist},
    export::{ExportError, InputValues, Inputs, Onnx},
    model::{Activation, MlpConfig, Normalization},
};
use serde_json::{Value, json};
use tract_onnx::prelude::*;

use crate::common::Folder;

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
        let shape = [num_rows, input.columns.len()];
        match input.values(rows) {
            InputValues::Numbers(values) => Tensor::from_shape(&shape, &values),
            InputValues::Texts(values) => Tensor::from_shape(&shape, &values),
        }
        .unwrap()
        .into_tvalue()
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
        let told: Value = serde_json::from_str(&told).unwrap();
        if told["check"].is_null() {
            eprintln!("not tested: {file} by onnxruntime");
            assert_eq!(written, onnx.encode(), "{file}");
        } else {
            let difference = told["check"]["largest_difference"].as_f64().unwrap();
            assert!(difference <= f64::from(BAR), "{file}: {difference}");
            let check = told["check"].to_string();
            assert_eq!(written, onnx.clone().with_metadata("kiln.check", &check).encode());
        }
        let options = ReadOptions { has_header: table["header"].as_bool(), ..Default::default() };
        let rows = Table::read(&folder.path(file), &options).unwrap();
        for rows in rows.chunks() {
            assert_same(file, &onnx, &classifier, rows);
        }
    }
}

/// A classifier with random weights, normalization included.
fn random(manifest: Value, network: &MlpConfig) -> Classifier<Flex> {
    let device = Default::default();
    let model = network.init::<Flex>(&device).unwrap();
    let mut tensors: std::collections::BTreeMap<_, _> = model.tensors().into_iter().collect();
    for (name, data) in &mut tensors {
        if name.contains("norm") {
            let values = data.as_mut_slice::<f32>().unwrap();
            for (i, value) in values.iter_mut().enumerate() {
                *value = 0.4 + 0.07 * (i * 5 % 17) as f32;
            }
        }
    }
    let model = network.from_tensors::<Flex>(|name| tensors.remove(name), &device).unwrap();
    let mut manifest = manifest;
    manifest["network"] = serde_json::to_value(network).unwrap();
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    Classifier::new(manifest, &model, &device).unwrap()
}

/// A feature of each kind; features of the network: 3 + 1 + 1 + 4 + 1 columns, the last of indices.
fn every_kind(task: Value, target: Value) -> Value {
    let column = |name: &str, kind: &str| {
        json!({"name": name, "kind": kind, "reason": "as asked", "missing": []})
    };
    json!({
        "format_version": 1, "kiln_version": "0.1.0", "task": task,
        "schema": {"missing": ["NA", "-9"], "columns": [
            column("probabilities", "numeric"), column("flat", "numeric"), column("", "boolean"),
            column("sex", "categorical"), column("class", "categorical"),
            column("city", "categorical"), column("y", "target")]},
        "preprocessor": {"missing": ["NA", "-9"], "features": [
            {"name": "city", "missing": ["nowhere"], "transform": {"embedding":
                {"categories": ["Bonn", "NA", "Ulm"], "d_embedding": 2}}},
            {"name": "probabilities", "missing": ["-999", "none"], "transform": {"numeric":
                {"median": 4.0, "scale": {"center": 3.0, "spread": 2.0}, "missing_column": true}}},
            {"name": "", "missing": [], "transform": "boolean"},
            {"name": "sex", "missing": [], "transform": {"one_hot":
                {"categories": ["f", "m"], "missing_column": false}}},
            {"name": "flat", "missing": [], "transform": {"numeric":
                {"median": 1.0, "scale": null, "missing_column": true}}},
            {"name": "class", "missing": ["?"], "transform": {"one_hot":
                {"categories": ["1", "2", "3"], "missing_column": true}}}]},
        "target": target, "threshold": 0.4, "temperature": 1.7, "loss": {}, "network": null,
        "training": {"source": "t.csv", "rows": 9, "valid_rows": 0, "seed": 0, "epochs": 1,
            "kept_epoch": 1, "stop_reason": "", "backend": "flex", "config": null},
        "metrics": null
    })
}

/// Values known, missing in each way, and never seen.
fn rows_of_every_kind() -> Rows {
    let texts = |values: [Option<&str>; 8]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let numbers = [Some(-9.0), Some(-999.0), None, Some(f64::NAN), Some(1e300), Some(-1e300)];
    let numbers = numbers.into_iter().chain([Some(3.5), Some(0.0)]).collect::<Float64Array>();
    let flat = [Some("2"), Some("NA"), Some("-9.0"), None, Some(" 7 "), Some(""), Some("0"), None];
    let booleans = ["TRUE", "no", "NA", "Y", "f", "1", "", "fAlSe"].map(Some);
    let sexes = [Some("f"), Some("m"), Some("x"), None, Some(""), Some("NA"), Some("m"), Some("F")];
    let class = [Some(1.0), Some(2.0), Some(3.0), None, Some(4.0), Some(-9.0), Some(1.5), Some(1.0)];
    let cities = ["Bonn", "NA", "Ulm", "nowhere", "Rome", "", "ulm", "Ulm"].map(Some);
    let columns: [(&str, ArrayRef); 6] = [
        ("probabilities", Arc::new(numbers)),
        ("flat", texts(flat)),
        ("", texts(booleans)),
        ("sex", texts(sexes)),
        ("class", Arc::new(class.into_iter().collect::<Float64Array>())),
        ("city", texts(cities)),
    ];
    let columns = columns.map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    Rows { batch, first_row: 0, lines: Vec::new(), problems: Vec::new() }
}

const D_INPUT: usize = 10;

fn network(d_output: usize) -> MlpConfig {
    MlpConfig::new(D_INPUT, d_output)
        .with_hidden(vec![7, 5])
        .with_embeddings(vec![kiln::model::EmbeddingConfig::new(4, 2)])
}

fn three_classes() -> Value {
    let target = json!({"columns": ["y"], "form": {"sparse": {"classes": ["a", "b", "c"]}}, "missing": []});
    every_kind(json!({"multiclass": {"num_classes": 3}}), target)
}

#[test]
fn every_activation_and_normalization_and_kind_of_column_is_the_same() {
    let names = [
        "relu", "leaky_relu", "gelu", "silu", "elu", "selu", "mish", "softplus", "tanh", "sigmoid",
        "identity",
    ];
    for name in names {
        for norm in [Normalization::None, Normalization::Batch, Normalization::Layer] {
            let activation: Activation = name.parse().unwrap();
            let network = network(3).with_activation(activation).with_normalization(norm);
            let classifier = random(three_classes(), &network);
            let onnx = Onnx::new(&classifier, Inputs::Columns).unwrap();
            let name = format!("{name} {norm:?}");
            assert_same(&name, &onnx, &classifier, &rows_of_every_kind());
        }
    }
}

#[test]
fn every_task_is_decided_as_by_the_classifier() {
    let binary = json!({"columns": ["y"], "form": {"binary": {"classes": ["no", "yes"]}}, "missing": []});
    let binary = random(every_kind(json!("binary"), binary), &network(1));
    let labels = json!({"columns": ["p", "q", "r"], "form": "labels", "missing": []});
    let mut labels = every_kind(json!({"multi_label": {"num_labels": 3}}), labels);
    let columns = labels["schema"]["columns"].as_array_mut().unwrap();
    columns.pop();
    for name in ["p", "q", "r"] {
        columns.push(json!({"name": name, "kind": "target", "reason": "as asked", "missing": []}));
    }
    let labels = random(labels, &network(3));
    for (name, classifier) in [("binary", binary), ("labels", labels)] {
        let onnx = Onnx::new(&classifier, Inputs::Columns).unwrap();
        assert_same(name, &onnx, &classifier, &rows_of_every_kind());
    }
}

#[test]
fn a_column_named_like_an_output_has_an_input_of_another_name() {
    let onnx = Onnx::new(&random(three_classes(), &network(3)), Inputs::Columns).unwrap();
    let inputs = onnx.inputs().iter().map(|i| (i.name.as_str(), i.columns[0].as_str()));
    assert_eq!(
        inputs.collect::<Vec<_>>(),
        [
            ("city", "city"),
            ("input probabilities", "probabilities"),
            ("input ", ""),
            ("sex", "sex"),
            ("flat", "flat"),
            ("input class", "class")
        ]
    );
    assert_eq!(onnx.outputs().collect::<Vec<_>>(), ["class", "probabilities"]);
}

#[test]
fn a_matrix_holds_numbers_only() {
    let error = Onnx::new(&random(three_classes(), &network(3)), Inputs::Matrix).unwrap_err();
    assert!(matches!(error, ExportError::NotNumeric { .. }));
    assert_eq!(
        error.to_string(),
        "column \"city\" is a category, and a matrix holds numbers only: expected one input per column"
    );
}

#[test]
fn mnist_is_predicted_from_a_matrix_and_from_columns() {
    let Some(images) = folder_of("KILN_DATA_DIR", "mnist") else { return };
    let images = mnist(Some(&images), None).unwrap();
    let _ = images;
}
