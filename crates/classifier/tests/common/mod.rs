//! A small classifier of three classes: a number, a boolean, a one-hot and an embedded column.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use kiln_classifier::{Classifier, Manifest};
use kiln_kernels::KilnBackend;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub fn manifest() -> Manifest {
    let column = |name: &str, kind: &str| json!({"name": name, "kind": kind, "reason": "as asked", "missing": []});
    let feature =
        |name: &str, transform: Value| json!({"name": name, "missing": [], "transform": transform});
    serde_json::from_value(json!({
        "format_version": 1,
        "kiln_version": "0.1.0",
        "task": {"multiclass": {"num_classes": 3}},
        "schema": {
            "missing": ["NA"],
            "columns": [
                column("id", "ignored"),
                column("city", "categorical"),
                column("age", "numeric"),
                column("smoker", "boolean"),
                column("sex", "categorical"),
                column("class", "target"),
            ],
        },
        "preprocessor": {
            "missing": ["NA"],
            "features": [
                feature("city", json!({"embedding": {"categories": ["1", "2", "Rome"], "d_embedding": 2}})),
                feature("age", json!({"numeric":
                    {"median": 40.0, "scale": {"center": 40.0, "spread": 10.0}, "missing_column": false}})),
                feature("smoker", json!("boolean")),
                feature("sex", json!({"one_hot": {"categories": ["f", "m"], "missing_column": false}})),
            ],
        },
        "target": {"columns": ["class"], "form": {"sparse": {"classes": ["a", "b", "c"]}}, "missing": []},
        "threshold": 0.5,
        "temperature": 1.5,
        "loss": {},
        "network": {
            "d_input": 4, "d_output": 3, "hidden": [4], "normalization": "batch", "seed": 3,
            "embeddings": [{"num_categories": 4, "d_embedding": 2}],
        },
        "training": {
            "source": "people.csv", "rows": 90, "valid_rows": 10, "seed": 3, "epochs": 7,
            "kept_epoch": 5, "stop_reason": "no better loss for 2 epochs", "backend": "flex",
            "config": {"batch_size": 32, "learning_rate": 0.001},
        },
        "metrics": {"accuracy": 0.75},
    }))
    .unwrap()
}

pub fn classifier<B: KilnBackend>() -> Classifier<B> {
    let manifest = manifest();
    let device = Default::default();
    let network = manifest.network.init::<B>(&device).unwrap();
    Classifier::new(manifest, &[network], &device).unwrap()
}

pub fn rows() -> Vec<Map<String, Value>> {
    let rows = json!([
        {"city": "Rome", "age": 31, "smoker": true, "sex": "f"},
        {"city": 1, "age": 64.5, "smoker": "no", "sex": "m", "id": 7},
        {"city": "Oslo", "age": null, "smoker": 0},
    ]);
    serde_json::from_value(rows).unwrap()
}

pub fn manifest_of(header: &Value) -> Value {
    serde_json::from_str(header["__metadata__"]["kiln"].as_str().unwrap()).unwrap()
}

/// As the crate's documentation defines it, written a second time.
pub fn checksum(manifest: &str, header: &Value, data: &[u8]) -> String {
    let mut all = Vec::new();
    let mut field = |bytes: &[u8]| {
        all.extend((bytes.len() as u64).to_le_bytes());
        all.extend(bytes);
    };
    field(manifest.as_bytes());
    let tensors: std::collections::BTreeMap<&String, &Value> =
        header.as_object().unwrap().iter().filter(|(name, _)| *name != "__metadata__").collect();
    for (name, tensor) in tensors {
        let numbers = |key: &str| -> Vec<u64> {
            tensor[key].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
        };
        field(name.as_bytes());
        field(tensor["dtype"].as_str().unwrap().as_bytes());
        let shape: Vec<u8> = numbers("shape").iter().flat_map(|dim| dim.to_le_bytes()).collect();
        field(&shape);
        let offsets = numbers("data_offsets");
        field(&data[offsets[0] as usize..offsets[1] as usize]);
    }
    Sha256::digest(&all).iter().map(|byte| format!("{byte:02x}")).collect()
}
