//! The file as Python's `safetensors` sees it.

mod common;

use std::process::Command;

use burn_flex::Flex;

#[test]
fn python_reads_weights_metadata_and_checksum() {
    let python = |args: &[&std::ffi::OsStr]| Command::new("python3").args(args).output();
    let has = python(&["-c".as_ref(), "import numpy, safetensors".as_ref()]);
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no python3 with numpy and safetensors");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let classifier = common::classifier::<Flex>();
    classifier.save(&path).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/read_model.py");
    let output = python(&[script.as_ref(), path.as_ref()]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected: String = classifier
        .tensors()
        .into_iter()
        .map(|(name, data)| {
            let values: Vec<f64> = data.iter::<f32>().map(f64::from).collect();
            (name, format!("{:?} {:.6}\n", data.shape.to_vec(), values.iter().sum::<f64>()))
        })
        .collect::<std::collections::BTreeMap<_, _>>()
        .into_iter()
        .map(|(name, text)| format!("{name} {text}"))
        .collect();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("0.1.0 True\n{expected}"));
}
