//! Trained classifiers: preprocessing, a network, and class names, in one file.
//!
//! `Classifier::load(path, &device)?.predict(&table)?` is the whole of it:
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow_array::{Float64Array, RecordBatch, StringArray};
//! use burn_flex::Flex;
//! use kiln_classifier::{Classifier, ClassifierError};
//! # use kiln_classifier::Manifest;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let manifest: Manifest = serde_json::from_value(serde_json::json!({
//! #     "format_version": 1, "kiln_version": "0.1.0", "task": "binary",
//! #     "schema": {"missing": ["NA"], "columns": [
//! #         {"name": "mass", "kind": "numeric", "reason": "as asked", "missing": []},
//! #         {"name": "island", "kind": "categorical", "reason": "as asked", "missing": []},
//! #         {"name": "sex", "kind": "target", "reason": "as asked", "missing": []}]},
//! #     "preprocessor": {"missing": ["NA"], "features": [
//! #         {"name": "mass", "missing": [], "transform": {"numeric":
//! #             {"median": 4.0, "scale": {"center": 4.0, "spread": 1.0}, "missing_column": false}}},
//! #         {"name": "island", "missing": [], "transform": {"one_hot":
//! #             {"categories": ["Biscoe", "Dream"], "missing_column": false}}}]},
//! #     "target": {"columns": ["sex"], "form": {"binary": {"classes": ["female", "male"]}},
//! #         "missing": ["NA"]},
//! #     "threshold": 0.5, "temperature": 1.0, "loss": {}, "network": {"d_input": 2, "d_output": 1},
//! #     "training": {"source": "penguins.csv", "rows": 9, "valid_rows": 0, "seed": 0, "epochs": 1,
//! #         "kept_epoch": 1, "stop_reason": "", "backend": "flex", "config": null},
//! #     "metrics": null
//! # }))?;
//! # let device = Default::default();
//! # let weights = |name: &str| Some(match name {
//! #     "output.weight" => [[2.0_f32], [0.5]].into(),
//! #     _ => [0.0_f32].into(),
//! # });
//! # let network = manifest.network.from_tensors::<Flex>(weights, &device)?;
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("penguins.safetensors");
//! # Classifier::new(manifest, &[network], &device)?.save(&path)?;
//! let classifier: Classifier<Flex> = Classifier::load(&path, &device)?;
//! let table = RecordBatch::try_from_iter([
//!     ("island", Arc::new(StringArray::from(vec![Some("Dream"), None])) as _),
//!     ("mass", Arc::new(Float64Array::from(vec![5.0, 3.0])) as _),
//! ])?;
//! let sexes = classifier.predict(&table)?;
//! assert_eq!([sexes[0].to_string(), sexes[1].to_string()], ["male", "female"]);
//!
//! let probabilities = classifier.predict_proba(&table)?;
//! assert_eq!(classifier.classes(), ["female", "male"]);
//! assert!((probabilities.values()[1] - 0.917).abs() < 1e-3);
//! # Ok(())
//! # }
//! ```
//!
//! # The file
//!
//! One [safetensors](https://huggingface.co/docs/safetensors) file: nothing in it is executable, and
//! it is the same, byte for byte, for the same classifier. Its tensors are the network's weights, as
//! little-endian `f32`, under the names of [`kiln_model::MlpConfig::tensor_shapes`]: `output.weight`
//! and other weights of linear layers are `[inputs, outputs]`, PyTorch's `Linear` has them
//! transposed. Its metadata has three entries:
//!
//! | Entry | |
//! |---|---|
//! | `format` | `kiln` |
//! | `kiln` | the [`Manifest`], as JSON |
//! | `kiln_sha256` | SHA-256, in lower-case hexadecimal digits, of all that is in the file |
//!
//! [`kiln_store`] says what it is the checksum of. It finds damage, not malice: whoever edits the file can
//! write a new one. So loading checks everything it reads all the same.
//!
//! From Python:
//!
//! ```python
//! import json
//! from safetensors import safe_open
//!
//! with safe_open("penguins.safetensors", framework="numpy") as file:
//!     manifest = json.loads(file.metadata()["kiln"])
//!     weights = {name: file.get_tensor(name) for name in file.keys()}
//! print(manifest["task"], weights["output.weight"].shape)
//! ```

mod classifier;
mod error;
mod file;
mod input;
mod manifest;
mod prediction;

pub use classifier::Classifier;
pub use error::ClassifierError;
pub use input::{Input, Matrix};
pub use manifest::{Epoch, FORMAT_VERSION, Manifest, Training, embeddings_of, task_of};
pub use prediction::{Prediction, Predictions, Probabilities, logit_problem};
