//! `kiln train --members`: several networks, one classifier.

use serde_json::Value;

use crate::common::{Folder, good};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The rows of a CSV file but for its header, each as its numbers; texts are left out.
fn numbers(text: &str) -> Vec<Vec<f64>> {
    let line = |line: &str| line.split(',').filter_map(|cell| cell.parse().ok()).collect();
    text.lines().skip(1).map(line).collect()
}

#[test]
fn networks_left_out_of_a_fold_say_how_good_they_are() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    let train =
        "train good.csv --target class --members 8 --bag-folds 4 --epochs 5 -q -o m.safetensors";
    let said = folder.succeeds(&format!("{train} --report r.html"));
    let rows = good().lines().count() - 1;
    for part in [
        format!("trained 8 networks on {rows} rows, 18 features, "),
        format!("on {rows} rows, each by the networks that were not trained on it"),
        "logistic".to_owned(),
    ] {
        assert!(said.contains(&part), "{part:?} in {said}");
    }
    let page = folder.read("r.html");
    for part in ["each by the networks that left out its fold of 4", "8 of 128-128, mish"] {
        assert!(page.contains(part), "{part}");
    }
    let text = folder.succeeds("inspect m.safetensors");
    for part in [
        "each of 8 networks, whose probabilities are averaged (mish):",
        &format!(
            "trained on {rows} rows of good.csv (in 4 folds, of which each network left out one)"
        ),
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let model = json(&folder.succeeds("inspect m.safetensors --json"));
    assert_eq!(model["members"], 8);
    let again = std::fs::read(folder.path("m.safetensors")).unwrap();
    folder.succeeds(train);
    assert!(std::fs::read(folder.path("m.safetensors")).unwrap() == again, "the same file");

    // What was said of the rows while training is what is said of them later.
    let said = json(&folder.succeeds(&format!("{train} --json")));
    let later = json(&folder.succeeds("evaluate m.safetensors good.csv --json --train good.csv"));
    assert_eq!(said["valid"]["rows"], rows);
    assert_eq!(later["shared_rows"], rows);
    assert_eq!(said["valid"]["shared_rows"], 0);
}

#[test]
fn networks_of_several_seeds_share_held_out_rows() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    let train = |flags: &str| {
        let flags = format!(
            "--target class --epochs 2 --calibration none -q -o m.safetensors --json {flags}"
        );
        let summary = json(&folder.succeeds(&format!("train good.csv {flags}")));
        folder.succeeds("predict m.safetensors good.csv -o p.csv -q");
        (summary, numbers(&folder.read("p.csv")))
    };
    let (one, _) = train("--preset fast");
    let (several, mean) = train("--members 3 --valid-fraction 0.15");
    assert_eq!(several["members"], 3);
    assert_eq!(several["train_rows"], one["train_rows"]);
    assert_eq!(several["valid_rows"], one["valid_rows"]);
    assert_eq!(several["parameters"].as_u64(), one["parameters"].as_u64().map(|of| 3 * of));
    for row in mean {
        let [negative, positive] = row[..] else { panic!("{row:?}") };
        assert!((negative + positive - 1.0).abs() < 1e-6, "{negative} {positive}");
    }
}

#[test]
fn an_ensemble_goes_on_where_it_was_cut_off() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    let train = "train good.csv --target class --members 4 --bag-folds 2 --epochs 4 -q";
    folder.succeeds(&format!("{train} -o straight.safetensors"));
    folder.succeeds(&format!(
        "{train} -o m.safetensors --checkpoint-dir run --checkpoint-every 1iterations"
    ));
    folder.succeeds("train --resume run -q");
    let [straight, resumed] =
        ["straight", "m"].map(|name| folder.path(&format!("{name}.safetensors")));
    assert!(std::fs::read(straight).unwrap() == std::fs::read(resumed).unwrap());
}

#[test]
fn every_program_is_told_of_all_networks() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    let flags = "--members 2 --bag-folds 2 --numeric-bins 4 --hidden 16 --epochs 3 -q";
    folder.succeeds(&format!("train good.csv --target class -o m.safetensors {flags}"));
    let text = folder.succeeds("inspect m.safetensors");
    assert!(text.contains("smoothly clipped, 4 bins; missing is"), "{text}");
    folder.succeeds("export m.safetensors --format onnx -o m.onnx --check good.csv");
    folder.succeeds("export m.safetensors --format rust -o m.rs");
    assert!(folder.read("m.rs").contains("fn member_1("));
    let said = folder.succeeds("export m.safetensors --format pytorch -o p.safetensors");
    assert!(said.contains("model = nn.ModuleList([nn.Sequential("), "{said}");
    assert!(
        said.contains("probabilities = sum(network(features).sigmoid() for m, network"),
        "{said}"
    );
}

#[test]
fn wrong_ensembles_are_told() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    let train = "train good.csv --target class -o m.safetensors -q";
    for (flags, code, message) in [
        ("--members 0", 2, "`members` is 0, expected at least 1"),
        ("--members 6 --bag-folds 4", 1, "found 6 networks for 4 folds, expected a multiple of 4"),
        ("--members 1 --bag-folds 1", 1, "found 1 folds, expected 2 to 60, the number of rows"),
        ("--members 2 --stream", 2, "`members` is 2, expected 1 for streamed rows"),
        ("--numeric-bins 300", 1, "numeric_bins is 300, expected 0 to 256"),
    ] {
        folder.fails_with(code, &format!("{train} {flags}"), message);
    }
    folder.write("c.toml", "bag_folds = 2\nmembers = 2\nvalid_fraction = 0.2\n");
    folder.fails_with(
        2,
        &format!("{train} --config c.toml"),
        "`bag_folds` holds rows out of each network, which goes neither with validation rows of their own \
         (`valid`, `valid_fraction`) nor with `stream`",
    );
    assert_eq!(folder.names(), ["c.toml", "good.csv"]);
}
