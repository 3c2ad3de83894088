//! What the `kiln` command says of bad input: the whole message, the exit code, and that nothing is
//! half-written.

#[path = "../common/mod.rs"]
mod common;
mod data;
mod export;
mod model;
mod output;
mod predict;
mod report;
mod settings;
mod target;
