//! Weights that come back, and weights from elsewhere.

use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::TensorData;
use kiln::store::encode_plain;

use crate::common::Folder;

/// A file of these tensors.
fn write(folder: &Folder, name: &str, tensors: &[(&str, TensorData)]) {
    let tensors: BTreeMap<String, TensorData> =
        tensors.iter().map(|(name, data)| ((*name).to_owned(), data.clone())).collect();
    folder.write(name, encode_plain(&BTreeMap::new(), &tensors));
}

/// logit = 2·(a − 1)/2 − (b − 3)/4 + 0.5
fn line(folder: &Folder) {
    let tensors = [("0.weight", [[2.0_f32, -1.0]].into()), ("0.bias", [0.5_f32].into())];
    write(folder, "line.safetensors", &tensors);
}

fn predictions(folder: &Folder, model: &str, rows: &str) -> String {
    folder.write("rows.csv", rows);
    folder.succeeds(&format!("predict {model} rows.csv"))
}

#[test]
fn exported_weights_come_back_as_the_same_model() {
    let folder = Folder::with_small_model();
    let rows = folder.read("good.csv");
    let expected = predictions(&folder, "model.safetensors", &rows);
    folder.succeeds("export model.safetensors --format pytorch -o torch.safetensors");
    for like in ["", " --like model.safetensors"] {
        folder.succeeds(&format!("import torch.safetensors -o back.safetensors{like}"));
        assert_eq!(predictions(&folder, "back.safetensors", &rows), expected);
    }
    let said = folder.succeeds("inspect back.safetensors");
    assert!(said.contains("\nimported from torch.safetensors\n"), "{said}");
}

#[test]
fn a_network_with_normalization_and_vectors_of_categories_comes_back() {
    let folder = Folder::new();
    let mut rows = "a,city,class\n".to_owned();
    for row in 0..300 {
        rows += &format!("{}.5,c{},{}\n", row * 37 % 60, row % 60, ["x", "y", "z"][row * row % 3]);
    }
    folder.write("t.csv", &rows);
    for normalization in ["batch", "layer"] {
        folder.succeeds(&format!(
            "train t.csv --target class --preset fast --numeric-bins 0 --normalization {normalization} --epochs 2 -q \
             -o model.safetensors"
        ));
        folder.succeeds("export model.safetensors --format pytorch -o torch.safetensors");
        folder.succeeds("import torch.safetensors -o back.safetensors");
        let expected = predictions(&folder, "model.safetensors", &rows);
        assert_eq!(predictions(&folder, "back.safetensors", &rows), expected);
    }
}

#[test]
fn flags_say_what_weights_do_not() {
    let folder = Folder::new();
    line(&folder);
    let flags = "--classes no,yes --columns a,b --mean 1,3 --std 2,4 --target bought";
    let said = folder.succeeds(&format!("import line.safetensors -o model.safetensors {flags}"));
    assert!(
        said.starts_with("model.safetensors: 2 columns, classes: no, yes\nlayers: 0\n"),
        "{said}"
    );
    let answer = predictions(&folder, "model.safetensors", "b,a\n3,1\n-5,3\n,\n");
    let logits = [0.5_f64, 2.0 + 2.0 + 0.5, 0.5];
    assert_eq!(answer.lines().count(), 4, "{answer}");
    for (line, logit) in answer.lines().skip(1).zip(logits) {
        let cells: Vec<&str> = line.split(',').collect();
        let probability: f64 = cells[2].parse().unwrap();
        assert!((probability - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6, "{answer}");
        assert_eq!(cells[0], "yes");
    }
    // Measured, and served elsewhere, as any other.
    folder.write("known.csv", "a,b,bought\n3,-5,yes\n-9,1,no\n");
    folder.succeeds("evaluate model.safetensors known.csv --report report.html");
    let report = fs::read_to_string(folder.path("report.html")).unwrap();
    assert!(report.contains("other software, imported from line.safetensors"), "{report}");
    assert!(!report.contains("0 rows of"), "{report}");
    folder.succeeds("export model.safetensors --format rust -o model.rs");
    let inspected = folder.succeeds("inspect model.safetensors");
    assert!(inspected.contains("(x - 3.000000) / 4.000000; missing is 3"), "{inspected}");
}

/// Two weights and a bias that PyTorch saved, as `nn.Linear(2, 1)` draws them.
#[test]
fn a_file_of_pytorch_is_imported() {
    let folder = Folder::new();
    let saved = Path::new(env!("CARGO_MANIFEST_DIR")).join("../import/tests/torch");
    fs::copy(saved.join("parameters.pt"), folder.path("line.pt")).unwrap();
    folder.succeeds("import line.pt -o model.safetensors --classes no,yes");
    let [a, b, bias] = [-0.127165630_f64, -0.562451362, -0.587798058];
    let answer = predictions(&folder, "model.safetensors", "column_1,column_2\n0,0\n2,0\n0,-3\n");
    for (line, logit) in answer.lines().skip(1).zip([bias, 2.0 * a + bias, -3.0 * b + bias]) {
        let probability: f64 = line.split(',').nth(2).unwrap().parse().unwrap();
        assert!((probability - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6, "{answer}");
    }
    fs::copy(saved.join("checkpoint.pt"), folder.path("checkpoint.pt")).unwrap();
    folder.fails(
        "import checkpoint.pt -o m.safetensors --classes no,yes",
        "checkpoint.pt cannot be imported: the entry `epoch` is no tensor, expected a dictionary of tensors: \
         `torch.save(model.state_dict(), FILE)` writes one",
    );
}

#[test]
fn labels_are_outputs_of_their_own() {
    let folder = Folder::new();
    let tensors = [
        ("dense/kernel", [[1.0_f32, -1.0]].into()),
        ("dense/bias", [0.0_f32, 0.0].into()),
        ("dense_1/kernel", [[1.0_f32, 0.0], [0.0, 1.0]].into()),
        ("dense_1/bias", [-1.0_f32, -1.0].into()),
    ];
    write(&folder, "keras.safetensors", &tensors);
    folder
        .succeeds("import keras.safetensors -o m.safetensors --labels hot,cold --activation relu");
    let answer = predictions(&folder, "m.safetensors", "column_1\n3\n-3\n0\n");
    let rows: Vec<Vec<&str>> = answer.lines().skip(1).map(|row| row.split(',').collect()).collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), ["hot", "cold", ""]);
    for (row, logits) in rows.iter().zip([[2.0_f64, -1.0], [-1.0, 2.0], [-1.0, -1.0]]) {
        for (cell, logit) in row[1..].iter().zip(logits) {
            let probability: f64 = cell.parse().unwrap();
            assert!((probability - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6, "{answer}");
        }
    }
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let folder = Folder::with_small_model();
    line(&folder);
    let import = "import line.safetensors -o m.safetensors";
    let fails = |flags: &str, message: &str| folder.fails(&format!("{import} {flags}"), message);
    let usage = |flags: &str, message: &str| {
        folder.fails_with(2, &format!("{import} {flags}"), message);
    };
    usage(
        "",
        "weights do not tell what their 1 outputs mean: expected `--classes`, `--labels` or `--like`",
    );
    usage("--classes a,b --epsilon 0", "`--epsilon` is 0, expected a finite number above 0");
    fails("--classes a", "`--classes` names 1, expected two for a single output");
    fails("--labels a,b", "`--labels` names 2, expected one for each of 1 outputs");
    fails("--classes a,b --columns x", "`--columns` names 1, expected one for each of 2 inputs");
    fails("--classes a,a", "target classes: two classes have the same name");
    fails(
        "--classes a,b --std 1,2,3",
        "`--std` has 3 numbers, expected one, or one for each of 2 inputs",
    );
    fails(
        "--classes a,b --std 0",
        "preprocessing of column \"column_1\": spread is 0, expected a finite number above 0",
    );
    folder.fails(
        "import line.safetensors -o line.safetensors --classes a,b",
        "cannot write line.safetensors: it is another file of the same command, expected a name of its own",
    );
    folder.fails(
        "import good.csv -o m.safetensors --classes a,b",
        "good.csv cannot be imported: it does not start as safetensors files do",
    );
    folder.write("model.pt", "PK\x03\x04\0\0");
    folder.fails(
        "import model.pt -o m.safetensors --classes a,b",
        "model.pt cannot be imported: it is damaged or cut off (invalid Zip archive: Could not find EOCD)",
    );
    write(&folder, "nan.safetensors", &[("0.weight", [[f32::NAN]].into())]);
    folder.fails(
        "import nan.safetensors -o m.safetensors --classes a,b",
        "nan.safetensors cannot be imported: tensor `output.weight` holds NaN at 0 (counted from 0), expected a \
         finite number",
    );
    let hidden = [("0.weight", [[1.0_f32]].into()), ("2.weight", [[1.0_f32]].into())];
    write(&folder, "hidden.safetensors", &hidden);
    folder.fails_with(
        2,
        "import hidden.safetensors -o m.safetensors --classes a,b",
        "weights do not tell the activation of the hidden layers: expected `--activation`",
    );
    // The model has more layers, and columns of its own.
    folder.fails(
        "import hidden.safetensors -o m.safetensors --like model.safetensors",
        "hidden.safetensors cannot be imported: network.d_input is 1, expected 2",
    );
    // A file cut off anywhere.
    folder.succeeds("export model.safetensors --format pytorch -o torch.safetensors");
    let whole = fs::read(folder.path("torch.safetensors")).unwrap();
    for end in (0..whole.len()).step_by(whole.len() / 20) {
        folder.write("cut.safetensors", &whole[..end]);
        let run = folder.run("import cut.safetensors -o m.safetensors");
        assert!(
            run.code == Some(1) && run.stderr.starts_with("error: cut.safetensors cannot"),
            "{}",
            run.stderr
        );
    }
}
