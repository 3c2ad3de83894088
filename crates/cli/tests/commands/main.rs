//! The commands as they are meant to be used, on real tables and on small ones made here.

#[path = "../common/mod.rs"]
mod common;
mod ensemble;
mod import;
mod inspect;
mod numbers;
mod report;
mod reproduce;
mod stream;
mod tables;
mod targets;
mod tune;
