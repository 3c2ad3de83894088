//! Bytes as a model file; and files whose checksum is right, so that what is behind it is reached.

#![no_main]

use std::collections::BTreeMap;

use burn_flex::Flex;
use kiln::classifier::{Classifier, Manifest};
use kiln_fuzz::{FileTensor, check, model_file};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

/// Most weights that are made for a manifest.
const MAX_WEIGHTS: usize = 1 << 14;

// An even first byte: the rest is a file. An odd one: the rest is a manifest, a NUL byte, one that says
// how the tensors are spoilt, and their values, again and again.
fuzz_target!(|bytes: &[u8]| {
    let [mode, rest @ ..] = bytes else { return };
    if mode % 2 == 0 {
        load(rest);
    } else {
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        let Ok(manifest) = std::str::from_utf8(&rest[..end]) else { return };
        let (spoil, values) = match rest.get(end + 1..) {
            Some([spoil, values @ ..]) => (*spoil, values),
            _ => (0, &[][..]),
        };
        load(&model_file(manifest, &tensors(manifest, spoil, values)));
    }
});

/// The tensors that the manifest asks for, or something near.
fn tensors(manifest: &str, spoil: u8, values: &[u8]) -> BTreeMap<String, FileTensor> {
    let mut tensors = BTreeMap::new();
    let Ok(manifest) = serde_json::from_str::<Manifest>(manifest) else { return tensors };
    if manifest.network.validate().is_err() {
        return tensors;
    }
    let mut weights = 0_usize;
    let mut values = values.iter().chain([0, 0, 0].iter()).copied().cycle();
    for (name, shape) in manifest.network.tensor_shapes() {
        let count = shape.iter().fold(1_usize, |count, dim| count.saturating_mul(*dim));
        weights = weights.saturating_add(count);
        if weights > MAX_WEIGHTS {
            return tensors;
        }
        let bytes =
            (0..count).flat_map(|_| small(values.next().unwrap_or(0)).to_le_bytes()).collect();
        tensors.insert(name, FileTensor { dtype: "F32", shape, bytes });
    }
    let Some((name, tensor)) = tensors.iter_mut().nth(usize::from(spoil >> 3)) else {
        return tensors;
    };
    let name = name.clone();
    match spoil & 7 {
        1 => tensor.dtype = "I32",
        2 => tensor.shape.reverse(),
        3 => tensor.shape.push(1),
        4 => tensor.bytes[..4].copy_from_slice(&f32::MAX.to_le_bytes()),
        5 => tensor.bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes()),
        6 => drop(tensors.remove(&name)),
        7 => {
            let tensor = tensors.remove(&name).expect("it is there");
            tensors.insert(name + "2", tensor);
        }
        _ => {}
    }
    tensors
}

/// From -16 to 15.875, and the ends of the range.
fn small(byte: u8) -> f32 {
    match byte {
        0x7f => f32::MAX,
        0x80 => f32::MIN,
        0x81 => f32::from_bits(1),
        _ => f32::from(byte as i8) / 8.0,
    }
}

fn load(file: &[u8]) {
    let device = Default::default();
    let Ok(classifier) = Classifier::<Flex>::from_bytes(file, "fuzz.safetensors", &device) else {
        return;
    };
    let again = classifier.to_bytes();
    let second =
        Classifier::<Flex>::from_bytes(&again, "again", &device).expect("what was written");
    assert_eq!(second.manifest(), classifier.manifest());
    assert_eq!(second.to_bytes(), again);

    let columns: Vec<String> = classifier.manifest().feature_columns().map(str::to_owned).collect();
    if columns.len() > 64 || classifier.manifest().network.d_input > 4096 {
        return;
    }
    for value in
        [json!(null), json!(0), json!(-1e300), json!(f64::MIN_POSITIVE), json!("a"), json!(true)]
    {
        let row: Map<String, Value> =
            columns.iter().map(|column| (column.clone(), value.clone())).collect();
        let rows = [row.clone(), Map::new(), row];
        if let Ok(probabilities) = classifier.predict_proba(&rows[..]) {
            assert_eq!(probabilities.rows().len(), 3);
            assert!(probabilities.values().iter().all(|p| (0.0..=1.0).contains(p)));
        }
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        if let Ok(rows) = kiln::classifier::Input::rows(&rows[..], &names) {
            if let Ok(binding) = classifier.bind("fuzz", &columns) {
                check(&classifier, &rows, &classifier.predict_rows(&binding, &rows));
            }
        }
    }
}
