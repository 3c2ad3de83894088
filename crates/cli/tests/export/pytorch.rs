//! Sequentials, run by PyTorch.
//!
//! The interpreter is `python3`, or what the environment variable `KILN_PYTHON` names.

use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;
use kiln::{
    classifier::{Classifier, Manifest},
    export::PyTorch,
};
use serde_json::{Value, json};

use crate::common::{Folder, python};
use crate::models::{ACTIVATIONS, NORMALIZATIONS, classifier, of_members, preprocessed, targets};

const BAR: f32 = 1e-5;

#[test]
fn logits_of_the_sequential_are_those_of_kiln() {
    let folder = Folder::new();
    let mut given = Vec::new();
    let mut expected = Vec::new();
    let mut add = |about: String, classifier: &Classifier<Flex>| {
        let features = preprocessed(classifier);
        let Manifest { network, task, members, .. } = classifier.manifest();
        let width = network.d_output;
        let shape = [features.len() / network.d_input, width];
        let logits = TensorData::new(classifier.logits(&features), shape);
        // Of several networks, the probabilities are what Python is told to compute.
        let said = match members {
            1 => logits,
            _ => {
                let logits = Tensor::<Flex, 2>::from_data(logits, &Default::default());
                task.probabilities(logits).into_data()
            }
        };
        let rows = |values: &[f32], width| -> Vec<Vec<f32>> {
            values.chunks_exact(width).map(<[f32]>::to_vec).collect()
        };
        let name = format!("{}.safetensors", given.len());
        let file = folder.path(&name);
        let pytorch = PyTorch::new(classifier);
        folder.write(&name, pytorch.encode());
        given.push(json!({
            "file": file,
            "usage": pytorch.usage(file.to_str().unwrap()),
            "features": rows(&features, network.d_input),
        }));
        let about = format!("{about}, {task:?}");
        expected.push((about, rows(&said.to_vec::<f32>().unwrap(), width)));
    };
    for activation in ACTIVATIONS {
        for normalization in NORMALIZATIONS {
            for (target, embedded) in targets().into_iter().zip([false, true, false]) {
                let about = format!("{activation:?}, {normalization:?}");
                add(about, &classifier(activation, normalization, target, embedded));
            }
        }
    }
    for (target, embedded) in targets().into_iter().zip([false, true, false]) {
        let classifier = of_members(3, ACTIVATIONS[7], NORMALIZATIONS[0], target, embedded);
        add("3 networks".to_owned(), &classifier);
    }
    let script = include_str!("pytorch.py");
    let Some(answer) = python(script, &json!(given).to_string()) else { return };
    let found: Vec<Vec<Vec<f32>>> = serde_json::from_str(&answer).unwrap();
    assert_eq!(found.len(), expected.len());
    let mut largest = 0.0_f32;
    for (found, (about, expected)) in found.iter().zip(&expected) {
        assert_eq!(found.len(), expected.len(), "{about}");
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            let difference = (found - expected).abs();
            assert!(difference <= BAR, "{about}: {found}, not {expected}");
            largest = largest.max(difference);
        }
    }
    println!("{} Sequentials: logits differ by {largest:e} at most", found.len());
}

#[test]
fn the_command_prints_what_loads_the_file() {
    let folder = Folder::with_small_model();
    let said = folder.succeeds("export model.safetensors --format pytorch -o m.safetensors");
    assert_eq!(
        said,
        "m.safetensors: weights of a torch.nn.Sequential\n\n\
         state = load_file(\"m.safetensors\")\n\
         model = nn.Sequential(nn.Linear(2, 128), nn.Mish(), nn.Linear(128, 128), nn.Mish(), nn.Linear(128, 1)).eval()\n\
         model.load_state_dict(state)\n\n\
         2 preprocessed features: a, b\n"
    );
    let first = std::fs::read(folder.path("m.safetensors")).unwrap();
    let json = folder.succeeds("export model.safetensors --format pytorch -o m.safetensors --json");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["features"], json!(["a", "b"]));
    assert_eq!(json["usage"][2], "model.load_state_dict(state)");
    assert_eq!(std::fs::read(folder.path("m.safetensors")).unwrap(), first);
    folder.fails(
        "predict m.safetensors good.csv",
        "m.safetensors: not a Kiln model: its metadata does not say `\"format\": \"kiln\"`",
    );
    folder.fails_with(
        2,
        "export model.safetensors --format pytorch -o n.safetensors --check good.csv",
        "`--check` is for `--format onnx` only",
    );
}
