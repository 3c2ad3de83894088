//! Trained classifiers in the forms that other programs read.
//!
//! [`Onnx`] is a graph from the columns of a table to classes and probabilities, with the preprocessing in it:
//!
//! ```
//! use burn_flex::Flex;
//! use kiln_classifier::{Classifier, Manifest};
//! use kiln_export::{Inputs, Onnx};
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
//! # let classifier = Classifier::new(manifest, &[network], &device)?;
//! let onnx = Onnx::new(&classifier, Inputs::Columns)?;
//! let names: Vec<&str> = onnx.inputs().iter().map(|input| input.name.as_str()).collect();
//! assert_eq!(names, ["mass", "island"]);
//! std::fs::write(tempfile::tempdir()?.path().join("penguins.onnx"), onnx.encode())?;
//! # Ok(())
//! # }
//! ```
//!
//! [`PyTorch`] is the network alone, as weights that `torch.nn.Sequential` loads. [`RustSource`] is a
//! file of Rust that needs `core` alone.

mod error;
mod network;
mod onnx;
mod pytorch;
mod rust;

pub use error::ExportError;
pub use onnx::{GraphInput, InputValues, Inputs, OPSET, Onnx, ValueType};
pub use pytorch::PyTorch;
pub use rust::{Field, FieldType, RustSource};
