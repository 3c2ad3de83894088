//! Classifiers of every kind, with weights drawn at random.

use std::collections::BTreeMap;

use arrow_array::{Float64Array, RecordBatch, StringArray};
use burn::tensor::TensorData;
use burn_flex::Flex;
use kiln::{
    classifier::{Classifier, FORMAT_VERSION, Manifest, task_of},
    model::{Activation, Mlp, MlpConfig, Normalization},
    table::Rows,
};
use serde_json::{Value, json};

pub(crate) const ACTIVATIONS: [Activation; 11] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu { negative_slope: 0.01 },
    Activation::Gelu,
    Activation::Silu,
    Activation::Elu { alpha: 1.3 },
    Activation::Selu,
    Activation::Mish,
    Activation::Softplus,
    Activation::Tanh,
    Activation::Sigmoid,
];

pub(crate) const NORMALIZATIONS: [Normalization; 3] =
    [Normalization::None, Normalization::Batch, Normalization::Layer];

/// The target's form and columns, by what is predicted.
pub(crate) fn targets() -> [Value; 3] {
    [
        json!({"columns": ["class"], "form": {"binary": {"classes": ["no", "yes"]}}, "missing": []}),
        json!({"columns": ["class"], "form": {"sparse": {"classes": ["a", "b\"}", "c"]}}, "missing": []}),
        json!({"columns": ["red", "big"], "form": "labels", "missing": []}),
    ]
}

/// One column of each kind, the embedded one if asked for; names that are hard to write in other languages.
pub(crate) fn classifier(
    activation: Activation,
    normalization: Normalization,
    target: Value,
    embedded: bool,
) -> Classifier<Flex> {
    of_members(1, activation, normalization, target, embedded)
}

/// The same of several networks.
pub(crate) fn of_members(
    members: usize,
    activation: Activation,
    normalization: Normalization,
    target: Value,
    embedded: bool,
) -> Classifier<Flex> {
    let mut features = vec![
        json!({"name": "mass (g)", "missing": ["-999"], "transform": {"numeric": {"median": 2.5,
            "scale": {"center": 2.0, "spread": 1.5}, "bins": {"edges": [-3.5, 1.0, 2.5, 4.0], "means": [0.9, 0.5, 0.125]}, "missing_column": true}}}),
        json!({"name": "type", "missing": [], "transform": "boolean"}),
        json!({"name": "Type", "missing": ["?"], "transform": {"one_hot":
            {"categories": ["NA", "b\"}", "ö", "x"], "missing_column": true}}}),
        json!({"name": "2", "missing": [], "transform": {"one_hot":
            {"categories": ["f", "m"], "missing_column": false}}}),
        json!({"name": "raw", "missing": [], "transform": {"numeric": {"median": 0.5,
            "scale": {"center": 0.5, "spread": 2.0, "clip": false}, "missing_column": false}}}),
        json!({"name": "constant", "missing": [], "transform": {"numeric": {"median": 1.0,
            "scale": null, "missing_column": true}}}),
    ];
    if embedded {
        let embedding = json!({"categories": ["Oslo", "Rome", "1"], "d_embedding": 3});
        features.insert(
            1,
            json!({"name": "city", "missing": [], "transform": {"embedding": embedding}}),
        );
    }
    let kind = |feature: &Value| match &feature["transform"] {
        Value::String(_) => "boolean",
        transform if transform.get("numeric").is_some() => "numeric",
        _ => "categorical",
    };
    let mut columns: Vec<Value> = features
        .iter()
        .map(|f| json!({"name": f["name"], "kind": kind(f), "reason": "", "missing": f["missing"]}))
        .collect();
    for name in target["columns"].as_array().unwrap() {
        columns.push(json!({"name": name, "kind": "target", "reason": "", "missing": []}));
    }
    let mut manifest: Manifest = serde_json::from_value(json!({
        "format_version": FORMAT_VERSION, "kiln_version": "0.1.0", "task": "binary",
        "schema": {"missing": ["NA"], "columns": columns},
        "preprocessor": {"missing": ["NA"], "features": features},
        "target": target,
        "threshold": 0.4, "temperature": 1.7, "loss": {}, "network": {"d_input": 1, "d_output": 1},
        "training": {"source": "", "rows": 0, "valid_rows": 0, "seed": 0, "epochs": 0,
            "kept_epoch": 0, "stop_reason": "", "backend": "flex", "config": null},
        "metrics": null,
    }))
    .unwrap();
    manifest.task = task_of(&manifest.target);
    manifest.network = MlpConfig::new(manifest.preprocessor.d_input(), manifest.task.d_output())
        .with_embeddings(kiln::classifier::embeddings_of(&manifest.preprocessor))
        .with_hidden(vec![16, 8])
        .with_activation(activation)
        .with_normalization(normalization)
        .with_seed(5);
    manifest.members = members;
    let models: Vec<Mlp<Flex>> = (0..members)
        .map(|member| moved(manifest.network.clone().with_seed(5 + member as u64)))
        .collect();
    Classifier::new(manifest, &models, &Default::default()).unwrap()
}

fn moved(network: MlpConfig) -> Mlp<Flex> {
    let device = Default::default();
    let model: Mlp<Flex> = network.init(&device).unwrap();
    // Biases and normalization start at 0 and 1, which hides their places.
    let moved = model.tensors().into_iter().enumerate().map(|(i, (name, data))| {
        let shape = data.shape.to_vec();
        let shift = |(j, value): (usize, f32)| {
            if shape.len() == 1 {
                value + 0.1 + 0.3 * ((i + 3 * j) as f32).sin().abs()
            } else {
                value
            }
        };
        let values: Vec<f32> = data.iter::<f32>().enumerate().map(shift).collect();
        (name, TensorData::new(values, shape))
    });
    let mut tensors: BTreeMap<String, TensorData> = moved.collect();
    network.from_tensors(|name| tensors.remove(name), &device).unwrap()
}

/// Rows of its columns: usual, far out, missing, unseen.
pub(crate) fn drawn_rows() -> Rows {
    let texts =
        |texts: &[Option<&str>]| std::sync::Arc::new(StringArray::from(texts.to_vec())) as _;
    let numbers =
        |numbers: &[Option<f64>]| std::sync::Arc::new(Float64Array::from(numbers.to_vec())) as _;
    let mass = [Some(2.0), Some(-3.25), Some(1e12), Some(-1e300), None, Some(-999.0), Some(4.5)];
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("mass (g)", numbers(&mass), true),
        (
            "type",
            texts(&[Some("yes"), Some("no"), None, Some("1"), Some("f"), Some("T"), Some("n")]),
            true,
        ),
        (
            "Type",
            texts(&[
                Some("b\"}"),
                Some("ö"),
                Some("x"),
                Some("?"),
                Some(" "),
                Some("q"),
                Some("NA"),
            ]),
            true,
        ),
        (
            "2",
            texts(&[Some("f"), Some(" m "), None, Some("F"), Some("m"), Some("f"), Some("NA")]),
            true,
        ),
        (
            "raw",
            numbers(&[Some(0.5), Some(-9.5), None, Some(8.0), Some(1.0), Some(0.0), Some(-2.0)]),
            true,
        ),
        ("constant", numbers(&[Some(1.0), None, Some(1.0), None, None, Some(3.0), None]), true),
        (
            "city",
            texts(&[
                Some("Rome"),
                Some("1"),
                None,
                Some("Bonn"),
                Some("Oslo"),
                Some("NA"),
                Some(""),
            ]),
            true,
        ),
    ])
    .unwrap();
    Rows { batch, first_row: 0, lines: Vec::new(), picked: Vec::new(), problems: Vec::new() }
}

/// The rows as the preprocessor reads them.
pub(crate) fn preprocessed(classifier: &Classifier<Flex>) -> Vec<f32> {
    let rows = drawn_rows();
    let schema = rows.batch.schema();
    let columns: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let binding = classifier.bind("rows", &columns).unwrap();
    let transformed = classifier.manifest().preprocessor.transform(&binding, &rows);
    assert_eq!(transformed.problems, []);
    transformed.features
}
