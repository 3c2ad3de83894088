//! What the competitors are given: a folder with the network, its first weights, and rows.
//!
//! | file | holds |
//! |---|---|
//! | `problem.json` | [`Problem`] |
//! | `weights.f32` | for each layer its weights `[inputs, outputs]`, then its biases |
//! | `train_features.f32`, `test_features.f32` | `[rows, inputs]` |
//! | `train_labels.u32`, `test_labels.u32` | a class index for each row |
//! | `logits.f32` | what Kiln predicted, `[rows, outputs]`, where that is compared |
//!
//! Numbers are little-endian and row-major, without a header.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::Context;
use kiln::{
    backend::{self, Job, TrainBackend},
    data::{Dataset, Targets},
    model::{MlpConfig, ModelError},
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct Problem {
    /// Widths, from the features to the logits.
    pub(super) layers: Vec<usize>,
    pub(super) batch_size: usize,
    pub(super) threads: usize,
}

impl Problem {
    pub(super) fn model(&self) -> MlpConfig {
        let [d_input, hidden @ .., d_output] = &self.layers[..] else {
            panic!("a network has an input and an output");
        };
        MlpConfig::new(*d_input, *d_output).with_hidden(hidden.to_vec())
    }

    /// `784-64-10`, say.
    pub(super) fn network(&self) -> String {
        self.layers.iter().map(usize::to_string).collect::<Vec<_>>().join("-")
    }

    /// Writes the folder: problem, weights, and rows by the names of their parts.
    pub(super) fn write(&self, folder: &Path, parts: &[(&str, &Dataset)]) -> anyhow::Result<()> {
        fs::write(folder.join("problem.json"), serde_json::to_string(self)?)?;
        let weights = backend::run(None, FirstWeights(self.model()))??;
        write_floats(folder, "weights", &weights)?;
        for (part, rows) in parts {
            write_floats(folder, &format!("{part}_features"), rows.features())?;
            let Targets::Classes { indices, .. } = rows.targets() else {
                panic!("rows have one class each");
            };
            let path = folder.join(format!("{part}_labels.u32"));
            write(&path, indices.iter().map(|class| class.to_le_bytes()))?;
        }
        Ok(())
    }

    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(folder.join("problem.json"))?)?)
    }

    pub(super) fn read_rows(&self, folder: &Path, part: &str) -> anyhow::Result<Dataset> {
        let features = read(&folder.join(format!("{part}_features.f32")), f32::from_le_bytes)?;
        let indices = read(&folder.join(format!("{part}_labels.u32")), u32::from_le_bytes)?;
        let model = self.model();
        let targets = Targets::Classes { indices, num_classes: model.d_output };
        Ok(Dataset::new(features, model.d_input, targets)?)
    }
}

pub(super) fn write_floats(folder: &Path, name: &str, values: &[f32]) -> anyhow::Result<()> {
    write(&folder.join(format!("{name}.f32")), values.iter().map(|value| value.to_le_bytes()))
}

fn write(path: &Path, numbers: impl Iterator<Item = [u8; 4]>) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for number in numbers {
        file.write_all(&number)?;
    }
    Ok(file.flush()?)
}

fn read<T>(path: &Path, number: fn([u8; 4]) -> T) -> anyhow::Result<Vec<T>> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    let (numbers, _) = bytes.as_chunks::<4>();
    Ok(numbers.iter().map(|bytes| number(*bytes)).collect())
}

/// The weights that Kiln's training begins with, for all to begin with.
struct FirstWeights(MlpConfig);

impl Job for FirstWeights {
    type Output = Result<Vec<f32>, ModelError>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let tensors = self.0.init::<B>(&device)?.tensors();
        Ok(tensors.iter().flat_map(|(_, tensor)| tensor.iter::<f32>()).collect())
    }
}
