//! ONNX graphs, run by tract. `kiln export` has them run by onnxruntime, where it is there.
//!
//! tract is a dependency of this test alone: among those of `kiln` it would be compiled with every example.

use std::fs;

use burn::backend::Autodiff;
use burn_flex::Flex;
use kiln::{
    classifier::{Classifier, Prediction},
    data::{Targets, mnist},
    export::{ExportError, InputValues, Inputs, Onnx},
    table::{ReadOptions, Rows, SchemaOptions, Table},
    tabular::{Prepared, Preset, Recipe, Validation, train},
    train::Hooks,
};
use serde_json::json;
use tract_onnx::prelude::*;

use models::{ACTIVATIONS, NORMALIZATIONS, classifier, drawn_rows, of_members, targets};
use tables::{folder_of, real_tables};

#[path = "../../cli/tests/export/models.rs"]
#[allow(dead_code, reason = "not every test with this module needs all of it")]
mod models;
#[path = "../../cli/tests/export/tables.rs"]
mod tables;

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

/// Trained for two epochs, as `kiln train` would.
fn trained(table: Table, target: &str) -> Classifier<Flex> {
    let recipe = Recipe::new(Preset::Default, table.num_rows(), table.columns().len());
    let columns = SchemaOptions { target: vec![target.to_owned()], ..SchemaOptions::default() };
    let mut settings = recipe.settings(columns);
    settings.train.num_epochs = 2;
    let prepared = Prepared::new(table, &settings).unwrap();
    let rows: Vec<usize> = (0..prepared.num_rows()).collect();
    let (held_out, device, hooks) = (Validation::HeldOut, Default::default(), Hooks::default());
    let outcome =
        train::<Autodiff<Flex>>(&prepared, &settings, &rows, held_out, "flex", &device, hooks);
    outcome.unwrap().classifier
}

fn read(name: &str, content: &str, header: bool) -> Table {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    Table::read(&path, &ReadOptions { header: Some(header), ..Default::default() }).unwrap()
}

#[test]
fn every_table_is_predicted_from_its_raw_columns() {
    for real in real_tables() {
        let table = read(&real.file, &real.content, real.header);
        let classifier = trained(Table::clone(&table), &real.target);
        let onnx = Onnx::new(&classifier, Inputs::Columns).unwrap();
        for rows in table.chunks() {
            assert_same(&real.file, &onnx, &classifier, rows);
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
fn several_networks_are_one_graph() {
    for (target, embedded) in targets().into_iter().zip([false, true, true]) {
        for normalization in NORMALIZATIONS {
            let classifier = of_members(3, ACTIVATIONS[7], normalization, target.clone(), embedded);
            let onnx = Onnx::new(&classifier, Inputs::Columns).unwrap();
            let name = format!("{normalization:?}, {:?}", classifier.manifest().task);
            assert_same(&name, &onnx, &classifier, &drawn_rows());
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
    let classifier = Classifier::new(manifest, classifier.members(), &Default::default()).unwrap();
    let onnx = Onnx::new(&classifier, Inputs::Columns).unwrap();
    let inputs = onnx.inputs().iter().map(|i| (i.name.as_str(), i.columns[0].as_str()));
    assert_eq!(
        inputs.collect::<Vec<_>>(),
        [
            ("input probabilities", "probabilities"),
            ("input input labels", "labels"),
            ("input labels", "input labels"),
            ("input ", ""),
            ("raw", "raw"),
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
    let table = read("digits.csv", &csv, true);
    let classifier = trained(Table::clone(&table), "digit");
    for (inputs, name) in [(Inputs::Columns, "columns"), (Inputs::Matrix, "matrix")] {
        let onnx = Onnx::new(&classifier, inputs).unwrap();
        for rows in table.chunks() {
            assert_same(name, &onnx, &classifier, rows);
        }
    }
}
