//! Models in the forms of `kiln export`, run by engines that share no code with Kiln.

#[path = "../common/mod.rs"]
mod common;
mod models;
mod onnx;
mod pytorch;
mod rust;
mod tables;
