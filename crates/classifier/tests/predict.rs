//! What a classifier says, of every kind of input.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use burn_flex::Flex;
use common::{classifier, manifest, rows};
use kiln_classifier::{Classifier, Matrix, Prediction};
use kiln_table::{Location, Rows};
use serde_json::{Value, json};

/// The rows of `common`, as a table of more columns in another order.
fn table() -> RecordBatch {
    let array = |texts: [Option<&str>; 3]| Arc::new(StringArray::from(texts.to_vec()));
    RecordBatch::try_from_iter([
        ("sex", array([Some("f"), Some("m"), None]) as _),
        ("more", array([None; 3]) as _),
        ("age", Arc::new(Float64Array::from(vec![Some(31.0), Some(64.5), None])) as _),
        ("smoker", Arc::new(BooleanArray::from(vec![true, false, false])) as _),
        ("city", array([Some("Rome"), Some("1"), Some("Oslo")]) as _),
    ])
    .unwrap()
}

#[test]
fn every_input_gives_the_same_probabilities() {
    let classifier = classifier::<Flex>();
    let expected = classifier.predict_proba(&table()).unwrap();
    assert_eq!((expected.num_classes(), expected.rows().len()), (3, 3));
    assert!(expected.rows().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6));

    let mut columns = table().columns().to_vec();
    let types = [DataType::LargeUtf8, DataType::Utf8View, DataType::Float32, DataType::Int8];
    for (column, to) in columns.iter_mut().zip(types) {
        *column = arrow_cast::cast(column, &to).unwrap();
    }
    let names = ["sex", "more", "age", "smoker", "city"];
    let other_types = RecordBatch::try_from_iter(names.into_iter().zip(columns)).unwrap();
    assert_eq!(classifier.predict_proba(&other_types).unwrap(), expected);

    assert_eq!(classifier.predict_proba(&rows()[..]).unwrap(), expected);
    let maps: Vec<BTreeMap<String, Value>> =
        rows().into_iter().map(|row| row.into_iter().collect()).collect();
    assert_eq!(classifier.predict_proba(&maps[..]).unwrap(), expected);

    // Numbers only: city, age, smoker, sex.
    let matrix = Matrix { values: &[2.0, 64.5, 0.0, f32::NAN, 1.0, f32::NAN, 1.0, 5.0], width: 4 };
    let by_name = [
        json!({"city": 2, "age": 64.5, "smoker": false, "sex": null}),
        json!({"city": 1, "smoker": true, "sex": "unseen"}),
    ];
    let by_name: Vec<serde_json::Map<String, Value>> =
        by_name.into_iter().map(|row| serde_json::from_value(row).unwrap()).collect();
    assert_eq!(
        classifier.predict_proba(&matrix).unwrap(),
        classifier.predict_proba(&by_name[..]).unwrap()
    );

    // The class of largest probability, the first of equals.
    let best = expected.rows().map(|row| {
        let best = (0..3).rev().max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        Prediction::Class(["a", "b", "c"][best].to_owned())
    });
    assert_eq!(classifier.predict(&table()).unwrap(), best.collect::<Vec<_>>());
}

#[test]
fn many_rows_are_what_each_is_alone() {
    let classifier = classifier::<Flex>();
    let row = |i: usize| [(i % 4) as f32, i as f32 * 0.01, (i % 2) as f32, f32::NAN];
    let values: Vec<f32> = (0..20_000).flat_map(row).collect();
    let all = classifier.predict_proba(&Matrix { values: &values, width: 4 }).unwrap();
    assert_eq!(all.rows().len(), 20_000);
    for i in [0, 8191, 8192, 16_384, 19_999] {
        let one = classifier.predict_proba(&Matrix { values: &row(i), width: 4 }).unwrap();
        for (one, all) in one.values().iter().zip(all.rows().nth(i).unwrap()) {
            assert!((one - all).abs() < 1e-6, "row {i}");
        }
    }
}

#[test]
fn no_rows_give_no_predictions() {
    let classifier = classifier::<Flex>();
    assert_eq!(classifier.predict(&rows()[..0]).unwrap(), []);
    assert_eq!(classifier.predict(&table().slice(0, 0)).unwrap(), []);
    assert_eq!(classifier.predict(&Matrix { values: &[], width: 4 }).unwrap(), []);
}

#[test]
fn wrong_inputs_say_what_is_wrong() {
    let classifier = classifier::<Flex>();
    let by_name = |rows: Value| {
        let rows: Vec<serde_json::Map<String, Value>> = serde_json::from_value(rows).unwrap();
        classifier.predict(&rows[..]).unwrap_err().to_string()
    };
    assert_eq!(
        by_name(json!([{"city": "Rome", "Age": 3, "smoker": true, "sex": "f"}])),
        "input: no column \"age\"; did you mean \"Age\"?"
    );
    assert_eq!(
        by_name(json!([
            {"city": "Rome", "age": 3, "smoker": true, "sex": "f"},
            {"city": "Rome", "age": "old", "smoker": true, "sex": "f"},
        ])),
        "input row 2, column \"age\": \"old\" is not a number"
    );
    assert_eq!(
        by_name(json!([{"city": "Rome", "age": [3], "smoker": true, "sex": "f"}])),
        "input row 1, column \"age\": found a list, expected a single value"
    );
    assert_eq!(
        by_name(json!([{"city": "Rome", "age": 3, "smoker": {}, "sex": "f"}])),
        "input row 1, column \"smoker\": found an object, expected a single value"
    );
    for (values, width) in [(&[0.0_f32; 6][..], 3), (&[0.0; 6], 4), (&[], 0)] {
        let error = classifier.predict(&Matrix { values, width }).unwrap_err().to_string();
        let values = values.len();
        let expected =
            format!("found {values} values in rows of {width}, expected whole rows of 4");
        assert_eq!(error, expected);
    }
}

#[test]
fn a_bad_row_of_a_chunk_keeps_no_other_from_being_predicted() {
    let classifier = classifier::<Flex>();
    let ages = StringArray::from(vec![Some("31"), Some("old"), None]);
    let mut columns = table().columns().to_vec();
    columns[2] = Arc::new(ages);
    let names = ["sex", "more", "age", "smoker", "city"];
    let batch = RecordBatch::try_from_iter(names.into_iter().zip(columns)).unwrap();
    let rows =
        Rows { batch, first_row: 10, lines: Vec::new(), picked: Vec::new(), problems: Vec::new() };
    let binding = classifier.bind("people.csv", &names.map(str::to_owned)).unwrap();
    let predictions = classifier.predict_rows(&binding, &rows);
    assert_eq!(predictions.problems.len(), 1);
    assert_eq!(predictions.problems[0].location, Location::Row(12));
    let expected = classifier.predict_proba(&table()).unwrap();
    for (row, (found, expected)) in
        predictions.probabilities.rows().zip(expected.rows()).enumerate()
    {
        if row == 1 {
            assert!(found.iter().all(|p| p.is_nan()));
            assert_eq!(classifier.decide(found), None);
        } else {
            assert_eq!(found, expected);
            assert!(classifier.decide(found).is_some());
        }
    }
}

#[test]
fn logits_that_overflow_are_a_problem_of_their_row() {
    let mut manifest = manifest();
    manifest.network.hidden = Vec::new();
    let device = Default::default();
    let network = manifest.network.init::<Flex>(&device).unwrap();
    let tensors = network.tensors();
    let huge = |name: &str| {
        let shape = tensors.iter().find(|(n, _)| n == name)?.1.shape.clone();
        Some(burn::tensor::TensorData::full(shape, f32::MAX))
    };
    let network = manifest.network.from_tensors::<Flex>(huge, &device).unwrap();
    let classifier = Classifier::new(manifest, &[network], &device).unwrap();
    let error = classifier.predict(&table()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "input row 1: a logit of the network is inf, expected finite numbers"
    );
}

#[test]
fn threshold_and_temperature_decide_a_binary_task() {
    let device = Default::default();
    let with = |threshold: f64, temperature: f64| {
        let mut json = serde_json::to_value(manifest()).unwrap();
        json["task"] = json!("binary");
        json["target"]["form"] = json!({"binary": {"classes": ["no", "yes"]}});
        json["network"] = json!({"d_input": 4, "d_output": 1, "embeddings": [{"num_categories": 4, "d_embedding": 2}]});
        json["threshold"] = json!(threshold);
        json["temperature"] = json!(temperature);
        let manifest: kiln_classifier::Manifest = serde_json::from_value(json).unwrap();
        let two = |name: &str| {
            let shape = if name == "output.bias" { vec![1] } else { vec![5, 1] };
            let shape = if name.starts_with("emb") { vec![4, 2] } else { shape };
            let value = if name == "output.bias" { 2.0_f32 } else { 0.0 };
            Some(burn::tensor::TensorData::full(shape, value))
        };
        let network = manifest.network.from_tensors::<Flex>(two, &device).unwrap();
        let classifier = Classifier::new(manifest, &[network], &device).unwrap();
        let row = &rows()[..1];
        let probabilities = classifier.predict_proba(row).unwrap().values().to_vec();
        (probabilities, classifier.predict(row).unwrap()[0].to_string())
    };
    // sigmoid(2) = 0.8808, sigmoid(2 / 4) = 0.6225
    let (p, class) = with(0.5, 1.0);
    assert!((p[0] - 0.1192).abs() < 1e-4 && (p[1] - 0.8808).abs() < 1e-4, "{p:?}");
    assert_eq!(class, "yes");
    assert_eq!(with(0.9, 1.0).1, "no");
    let (p, class) = with(0.63, 4.0);
    assert!((p[1] - 0.6225).abs() < 1e-4, "{p:?}");
    assert_eq!(class, "no");
}

#[test]
fn labels_are_those_above_the_threshold() {
    let device = Default::default();
    let mut json = serde_json::to_value(manifest()).unwrap();
    json["task"] = json!({"multi_label": {"num_labels": 3}});
    json["target"] = json!({"columns": ["x", "y", "z"], "form": "labels", "missing": []});
    json["network"]["hidden"] = json!([]);
    let manifest: kiln_classifier::Manifest = serde_json::from_value(json).unwrap();
    let tensor = |name: &str| {
        Some(match name {
            "output.bias" => [3.0_f32, -3.0, 0.1].into(),
            "output.weight" => burn::tensor::TensorData::full([5, 3], 0.0_f32),
            _ => burn::tensor::TensorData::full([4, 2], 0.0_f32),
        })
    };
    let network = manifest.network.from_tensors::<Flex>(tensor, &device).unwrap();
    let classifier = Classifier::new(manifest, &[network], &device).unwrap();
    let found = classifier.predict(&rows()[..1]).unwrap();
    assert_eq!(found, [Prediction::Labels(vec!["x".to_owned(), "z".to_owned()])]);
    assert_eq!(found[0].to_string(), "x, z");
}
