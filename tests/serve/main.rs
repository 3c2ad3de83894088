//! `kiln serve` as its clients see it.

mod answers;
#[path = "../common/mod.rs"]
mod common;
mod hostile;
mod interface;
mod lifecycle;
mod server;
