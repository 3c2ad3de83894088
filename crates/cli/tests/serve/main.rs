//! `kiln serve` as its clients see it.

mod answers;
#[path = "../common/mod.rs"]
mod common;
mod hostile;
mod hostile_arrow;
mod hostile_connections;
mod interface;
mod lifecycle;
mod page;
mod server;
