//! What `kiln inspect` says of files.

use serde_json::Value;

use crate::common::{Folder, good};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn a_data_file_is_described_by_columns_and_classes() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    let text = folder.succeeds("inspect good.csv --target class");
    let first = "good.csv: CSV, comma-separated, with a header, 60 rows, 3 columns\n";
    assert!(text.starts_with(first), "{text}");
    assert!(text.contains("x: 30 (50.0 %)\n  y: 30 (50.0 %)\n"), "{text}");
    let data = json(&folder.succeeds("inspect good.csv --target class --json"));
    let kinds: Vec<&Value> =
        data["schema"]["columns"].as_array().unwrap().iter().map(|c| &c["kind"]).collect();
    assert_eq!(kinds, ["numeric", "numeric", "target"]);
    folder.write("t.tsv", good().replace(',', "\t"));
    let text = folder.succeeds("inspect t.tsv");
    assert!(text.starts_with("t.tsv: CSV, tab-separated, with a header, 60 rows"), "{text}");
}

#[test]
fn a_model_file_is_described_by_its_parts() {
    let folder = Folder::with_model();
    let text = folder.succeeds("inspect model.safetensors");
    for part in [
        "task: binary\n",
        "target: class\n",
        "classes: x, y\n",
        "trained on 60 rows of good.csv (in 4 folds, of which each network left out one)",
        // What was chosen, where nothing was said.
        "\n  preset = \"default\"\n",
        "\n  members = 16\n  bag_folds = 4\n",
        "\n  learning_rate = 0.005\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let model = json(&folder.succeeds("inspect model.safetensors --json"));
    assert_eq!(model["format_version"], 4);
    assert_eq!(model["training"]["epochs"], 3);
    assert!(model["metrics"]["accuracy"].is_number(), "{model}");
}
