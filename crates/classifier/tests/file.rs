//! What a file that is not quite a model does: an error, always.

mod common;

use std::{collections::BTreeMap, error::Error};

use burn::tensor::TensorData;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use common::{classifier, manifest, rows};
use kiln_classifier::{Classifier, ClassifierError, Manifest};
use serde_json::{Value, json};

fn read(bytes: &[u8]) -> Result<Classifier<Flex>, ClassifierError> {
    Classifier::from_bytes(bytes, "m.safetensors", &Default::default())
}

/// The message, and those of its causes.
fn message(bytes: &[u8]) -> String {
    let error = read(bytes).map(|_| "a classifier").unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn header_len(bytes: &[u8]) -> usize {
    8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

/// A file with this header and this data.
fn with_header(header: &Value, data: &[u8]) -> Vec<u8> {
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// The classifier's file, with its header changed and its checksum made anew.
fn edited(edit: impl FnOnce(&mut Value, &mut Value)) -> Vec<u8> {
    let bytes = classifier::<Flex>().to_bytes();
    let (header, data) = bytes[8..].split_at(header_len(&bytes) - 8);
    let mut header: Value = serde_json::from_slice(header).unwrap();
    let mut manifest = common::manifest_of(&header);
    edit(&mut header, &mut manifest);
    let text = manifest.to_string();
    header["__metadata__"]["kiln_sha256"] = json!(common::checksum(&text, &header, data));
    header["__metadata__"]["kiln"] = json!(text);
    with_header(&header, data)
}

#[test]
fn a_classifier_survives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let saved = classifier::<Flex>();
    saved.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), saved.to_bytes());
    assert_eq!(classifier::<Flex>().to_bytes(), saved.to_bytes());

    let loaded: Classifier<Flex> = Classifier::load(&path, &Default::default()).unwrap();
    assert_eq!(loaded.manifest(), saved.manifest());
    assert_eq!(loaded.to_bytes(), saved.to_bytes());
    let expected = saved.predict_proba(&rows()[..]).unwrap();
    assert_eq!(loaded.predict_proba(&rows()[..]).unwrap(), expected);

    let other: Classifier<NdArray> = Classifier::load(&path, &Default::default()).unwrap();
    assert_eq!(other.to_bytes(), saved.to_bytes());
    let found = other.predict_proba(&rows()[..]).unwrap();
    for (found, expected) in found.values().iter().zip(expected.values()) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[test]
fn constants_survive_to_the_last_bit() {
    let mut manifest = manifest();
    manifest.temperature = 1.0_f64.next_up() / 3.0;
    // Without its feature `float_roundtrip`, `serde_json` reads some of these one bit off.
    let numbers = (1..2000).map(|i| f64::from(i).sqrt().sin() * 1e3);
    manifest.metrics = numbers.collect::<Vec<f64>>().into();
    manifest.threshold = 0.1 + 0.2;
    let network = manifest.network.init::<Flex>(&Default::default()).unwrap();
    let classifier = Classifier::new(manifest.clone(), &[network], &Default::default()).unwrap();
    assert_eq!(*read(&classifier.to_bytes()).unwrap().manifest(), manifest);
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let bytes = classifier::<Flex>().to_bytes();
    let header = header_len(&bytes);
    for len in (0..header + 20).chain((header + 20..bytes.len()).step_by(7)) {
        let error = read(&bytes[..len]).map(|_| len).unwrap_err();
        assert!(matches!(error, ClassifierError::NotKiln { .. }), "{len}: {error}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(read(&longer).is_err());
    assert!(read(&bytes).is_ok());
}

#[test]
fn a_flipped_bit_anywhere_is_an_error() {
    let mut bytes = classifier::<Flex>().to_bytes();
    let header = header_len(&bytes);
    let data = (header..bytes.len()).step_by(3);
    for at in (0..header).chain(data) {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert!(read(&bytes).is_err(), "bit {bit} of byte {at}");
            bytes[at] ^= 1 << bit;
        }
    }
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(
        message(&bytes),
        "m.safetensors: its checksum does not match: the file was damaged or edited"
    );
}

#[test]
fn other_files_are_told_from_models() {
    let header = json!({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}});
    for (bytes, expected) in [
        (Vec::new(), "it has 0 bytes"),
        (b"a,b\n".to_vec(), "it has 4 bytes"),
        (b"age,name\n3,Ann\n4,Ben\n".to_vec(), "it does not start as safetensors files do"),
        (
            b"PAR1\x15\x04\x15\x10\x15\x14\x4c\x15".to_vec(),
            "it does not start as safetensors files do",
        ),
        (
            b"\x10\0\0\0\0\0\0\0{}".to_vec(),
            "its header takes 16 bytes, and the file ends after 2: it is cut off",
        ),
        (with_header(&header, &[0; 4]), "its metadata does not say `\"format\": \"kiln\"`"),
        (
            with_header(&json!({"__metadata__": {"format": "pt"}}), &[]),
            "its metadata does not say `\"format\": \"kiln\"`",
        ),
        (
            with_header(&json!({"__metadata__": {"format": "kiln"}}), &[]),
            "its metadata lacks `kiln` or `kiln_sha256`",
        ),
    ] {
        assert_eq!(message(&bytes), format!("m.safetensors: not a Kiln model: {expected}"));
    }
}

#[test]
fn headers_that_lie_are_errors() {
    let tensor = |shape: Value, offsets: Value| {
        let tensor = json!({"dtype": "F32", "shape": shape, "data_offsets": offsets});
        with_header(&json!({"__metadata__": {"format": "kiln"}, "w": tensor}), &[0; 8])
    };
    for bytes in [
        tensor(json!([1u64 << 40]), json!([0, 8])),
        tensor(json!([u64::MAX, u64::MAX]), json!([0, 8])),
        tensor(json!([2]), json!([0, u64::MAX])),
        tensor(json!([2]), json!([8, 0])),
        tensor(json!([1]), json!([4, 8])),
        [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat(),
    ] {
        assert!(message(&bytes).starts_with("m.safetensors: not a Kiln model: "));
    }
    // Deeply nested, which a recursive reader would not survive.
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let file = edited(|_, manifest| manifest["metrics"] = json!(deep));
    assert!(read(&file).is_ok()); // one long text
    let header = format!(r#"{{"__metadata__":{deep}}}"#);
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    assert!(read(&bytes).is_err());
}

#[test]
fn a_newer_format_is_named_whatever_else_it_holds() {
    let file = edited(|_, manifest| {
        manifest["format_version"] = json!(5);
        manifest["news"] = json!(true);
    });
    assert_eq!(
        message(&file),
        "m.safetensors was written by a newer Kiln (format 5), this one reads up to 4"
    );
    let file = edited(|_, manifest| manifest["format_version"] = json!(0));
    assert_eq!(
        message(&file),
        "m.safetensors: its parts do not make a classifier: format_version is 0, expected 1 to 4"
    );
}

#[test]
fn parts_that_do_not_fit_are_named() {
    type Edit = fn(&mut Value, &mut Value);
    let edits: [(Edit, &str); 10] = [
        (
            |_, m| m["network"]["hidden"] = json!([1_000_000_000]),
            "`hidden` is [1000000000] for 5 inputs and 3 outputs, expected at most 2147483647 \
             parameters in all",
        ),
        (
            |_, m| m["network"]["hidden"] = json!([100_000_000]),
            "tensor `hidden.0.weight` has shape [5, 4], expected [5, 100000000]",
        ),
        (
            |_, m| m["network"]["hidden"] = json!([4, 100_000_000]),
            "there is no tensor `hidden.1.weight`",
        ),
        (|_, m| m["network"]["d_input"] = json!(9), "network.d_input is 9, expected 4"),
        (|_, m| m["network"]["d_output"] = json!(2), "network.d_output is 2, expected 3"),
        (
            |_, m| m["network"]["embeddings"][0]["num_categories"] = json!(1 << 24),
            "network.embeddings is [[16777216, 2]], expected [[4, 2]]",
        ),
        (
            |_, m| m["threshold"] = json!(1.0),
            "threshold is 1, expected a number above 0 and below 1",
        ),
        (|_, m| m["temperature"] = json!(0), "temperature is 0, expected a finite number above 0"),
        (
            |_, m| m["task"] = json!("binary"),
            "task is Binary, expected Multiclass { num_classes: 3 }, for 3 classes or labels",
        ),
        (
            |h, _| {
                let tensor = h.as_object_mut().unwrap().remove("output.bias").unwrap();
                h["x"] = tensor;
            },
            "tensor `x` is no part of the network",
        ),
    ];
    for (edit, expected) in edits {
        assert_eq!(
            message(&edited(edit)),
            format!("m.safetensors: its parts do not make a classifier: {expected}")
        );
    }
    let file = edited(|_, manifest| manifest["more"] = json!(1));
    assert!(
        message(&file)
            .starts_with("m.safetensors: its manifest cannot be read: unknown field `more`")
    );
}

#[test]
fn reading_and_writing_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.safetensors");
    let load = |path| Classifier::<Flex>::load(path, &Default::default());
    let error = load(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {}", path.display()));
    let error = load(&folder.path().to_owned()).unwrap_err();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "is a directory");
    let error = classifier::<Flex>().save(folder.path()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write {}", folder.path().display()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn loading_takes_a_small_multiple_of_the_file() {
    let empty = |at: usize| json!({"dtype": "F32", "shape": [0], "data_offsets": [at, at]});
    let files = [
        ("numbers", edited(|_, manifest| manifest["metrics"] = json!(vec![0; 200_000]))),
        ("maps", edited(|_, manifest| manifest["metrics"] = json!(vec![json!({"a": 0}); 50_000]))),
        ("texts", edited(|_, manifest| manifest["schema"]["missing"] = json!(vec![""; 100_000]))),
        ("layers", edited(|_, manifest| manifest["network"]["hidden"] = json!(vec![1; 100_000]))),
        (
            "tensors",
            edited(|header, _| {
                (0..10_000).for_each(|at| header[format!("{at}")] = empty(0));
            }),
        ),
        ("wide", edited(|_, manifest| manifest["network"]["hidden"] = json!([1_u64 << 40]))),
        ("claims", [&99_999_999_u64.to_le_bytes()[..], b"{}"].concat()),
    ];
    for (name, file) in files {
        let memory = allocation_counter::measure(|| drop(read(&file))).bytes_max;
        assert!(memory < 100 * file.len() as u64 + (1 << 16), "{name}: {memory} bytes");
    }
}

/// Two networks, of which the second has other weights.
fn two() -> Classifier<Flex> {
    let one = classifier::<Flex>();
    let manifest = Manifest { members: 2, ..one.manifest().clone() };
    let device = Default::default();
    let other = manifest.network.clone().with_seed(77).init(&device).unwrap();
    Classifier::new(manifest, &[one.members()[0].clone(), other], &device).unwrap()
}

#[test]
fn several_networks_come_back_from_one_file() {
    let written = two();
    let names: Vec<String> = written.tensors().into_keys().collect();
    assert!(names.contains(&"members.0.output.bias".to_owned()), "{names:?}");
    assert!(names.contains(&"members.1.output.bias".to_owned()), "{names:?}");
    let bytes = written.to_bytes();
    let read = Classifier::<Flex>::from_bytes(&bytes, "m", &Default::default()).unwrap();
    assert_eq!(read.manifest(), written.manifest());
    assert!(read.to_bytes() == bytes);
    let features = vec![0.25; written.manifest().network.d_input];
    assert_eq!(read.logits(&features), written.logits(&features));
    let each = [0, 1].map(|member| read.member_logits(member, &features));
    assert_ne!(each[0], each[1]);
    assert_eq!(read.logits(&features), kiln_model::pooled_logits(read.manifest().task, &each));
}

#[test]
fn networks_that_are_not_those_of_the_manifest_are_named() {
    let two = two();
    let device = Default::default();
    let manifest = two.manifest().clone();
    let error = Classifier::new(manifest.clone(), &two.members()[..1], &device).unwrap_err();
    assert_eq!(error.to_string(), "members is 1, expected 2");
    let of = |edit: fn(&mut Manifest), tensors: BTreeMap<String, TensorData>| {
        let mut manifest = manifest.clone();
        edit(&mut manifest);
        let manifest = serde_json::to_string(&manifest).unwrap();
        let bytes = kiln_store::encode("kiln", &manifest, &tensors);
        let error = Classifier::<Flex>::from_bytes(&bytes, "m", &device).unwrap_err();
        error.source().unwrap().to_string()
    };
    assert_eq!(of(|m| m.members = 0, two.tensors()), "members is 0, expected 1 to 1000");
    assert_eq!(of(|m| m.members = 1001, two.tensors()), "members is 1001, expected 1 to 1000");
    let missing = of(|m| m.members = 3, two.tensors());
    assert!(missing.starts_with("there is no tensor `members.2."), "{missing}");
    let single = of(|m| m.members = 1, two.tensors());
    assert_eq!(single, "there is no tensor `embeddings.0.weight`");
    for name in ["members.2.output.bias", "members.00.output.bias", "output.bias", "members.1.x"] {
        let mut tensors = two.tensors();
        tensors.insert(name.to_owned(), TensorData::from([0.0_f32]));
        assert_eq!(of(|_| {}, tensors), format!("tensor `{name}` is no part of the network"));
    }
}
