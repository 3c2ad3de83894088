//! Bytes as a checkpoint; and checkpoints of a real run that are changed behind their checksum.

#![no_main]

use std::{collections::BTreeMap, fs, path::PathBuf, sync::OnceLock};

use burn::backend::Autodiff;
use burn::tensor::TensorData;
use burn_flex::Flex;
use kiln::{
    data::{Dataset, Targets},
    model::{EmbeddingConfig, MlpConfig, Normalization, Task},
    store::{Archive, decode, encode},
    train::{
        BatchSize, Checkpoints, Every, Hooks, Keep, OptimizerConfig, TrainConfig, TrainError,
        fit_with,
    },
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const FORMAT: &str = "kiln-checkpoint";

/// A checkpoint within the second restart, of a network that the kernels train and of one that Burn does.
struct Base {
    folder: tempfile::TempDir,
    runs: [(Normalization, Archive); 2],
}

fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let run = |normalization| {
            let folder = tempfile::tempdir().expect("a folder");
            let every = Every::Iterations(1);
            let mut checkpoints =
                Checkpoints::create(folder.path()).expect("a new folder").every(every).keep(usize::MAX);
            train(normalization, &mut checkpoints).expect("a run");
            let file = folder.path().join("checkpoint-2-0000000004.safetensors");
            let bytes = fs::read(file).expect("a checkpoint of that place");
            (normalization, decode(&bytes, FORMAT, 1).expect("what was written"))
        };
        let runs = [Normalization::None, Normalization::Layer].map(run);
        Base { folder: tempfile::tempdir().expect("a folder"), runs }
    })
}

fn dataset() -> Dataset {
    let features = (0..24).map(|i| if i % 3 == 2 { (i / 3 % 2) as f32 } else { i as f32 / 24.0 });
    let targets = Targets::Classes { indices: vec![0, 1, 0, 1, 1, 0, 1, 0], num_classes: 2 };
    Dataset::new(features.collect(), 3, targets).expect("whole rows")
}

fn train(normalization: Normalization, checkpoints: &mut Checkpoints) -> Result<(), TrainError> {
    let model = MlpConfig::new(3, 1)
        .with_hidden(vec![3])
        .with_embeddings(vec![EmbeddingConfig::new(2, 2)])
        .with_normalization(normalization);
    let config = TrainConfig::new()
        .with_optimizer(OptimizerConfig::adam())
        .with_batch_size(BatchSize::Rows(3))
        .with_keep(Keep::Best)
        .with_restarts(2)
        .with_num_epochs(2);
    let hooks = Hooks { checkpoints: Some(checkpoints), ..Hooks::default() };
    let (device, valid) = (Default::default(), Some(dataset()));
    fit_with::<Autodiff<Flex>>(&model, Task::Binary, &config, dataset(), valid, &device, hooks)
        .map(drop)
}

// The first byte: 0 for a file, which follows; else which run. Then how its tensors are spoilt; a JSON text
// that is merged into its manifest, up to a NUL byte; and places and values of bytes of the optimizer's state.
fuzz_target!(|bytes: &[u8]| match bytes {
    [0, file @ ..] => load(Normalization::None, file),
    [run, spoil, rest @ ..] => {
        let (normalization, archive) = &base().runs[usize::from(run % 2)];
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        let mut manifest: Value = serde_json::from_str(&archive.manifest).expect("a manifest");
        if let Ok(patch) = serde_json::from_slice(&rest[..end]) {
            merge(&mut manifest, patch);
        }
        let mut tensors = archive.tensors.clone();
        spoil_tensors(&mut tensors, *spoil, rest.get(end + 1..).unwrap_or_default());
        load(*normalization, &encode(FORMAT, &manifest.to_string(), &tensors));
    }
    _ => {}
});

/// RFC 7386, but that a list is merged item by item.
fn merge(value: &mut Value, patch: Value) {
    match (value, patch) {
        (Value::Object(fields), Value::Object(patch)) => {
            for (key, patch) in patch {
                if patch.is_null() && fields.get(&key).is_some_and(Value::is_null) {
                    fields.remove(&key);
                } else {
                    merge(fields.entry(key).or_insert(Value::Null), patch);
                }
            }
        }
        (Value::Array(items), Value::Array(patch)) => {
            items.iter_mut().zip(patch).for_each(|(item, patch)| merge(item, patch));
        }
        (value, patch) => *value = patch,
    }
}

fn spoil_tensors(tensors: &mut BTreeMap<String, TensorData>, spoil: u8, bytes: &[u8]) {
    if let Some(data) = tensors.get_mut("optimizer") {
        let mut state: Vec<u8> = data.iter().collect();
        for change in bytes.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % state.len();
            state[at] = change[2];
        }
        *data = TensorData::new(state.clone(), [state.len()]);
    }
    let Some((name, data)) = tensors.iter_mut().nth(usize::from(spoil >> 3)) else { return };
    let name = name.clone();
    let len = data.num_elements();
    match spoil & 7 {
        1 => *data = TensorData::new(vec![0_u8; len], [len]),
        2 => *data = TensorData::new(vec![0.5_f32; len], [len, 1]),
        3 => *data = TensorData::new(vec![0.5_f64; len + 1], [len + 1]),
        4 => *data = TensorData::full(data.shape.clone(), f32::MAX),
        5 => *data = TensorData::full(data.shape.clone(), f32::NAN),
        6 => drop(tensors.remove(&name)),
        7 => *data = TensorData::new(Vec::<f32>::new(), [0]),
        _ => {}
    }
}

/// Whatever the file is, it is refused with a message, or the run comes to its end.
fn load(normalization: Normalization, file: &[u8]) {
    let folder: PathBuf = base().folder.path().join("run");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("checkpoint-2-0000000004.safetensors"), file).expect("written");
    if let Ok(checkpoints) = Checkpoints::resume(&folder) {
        let _ = train(normalization, &mut checkpoints.every(Every::Epochs(usize::MAX)));
    }
}
