//! Whole runs, as one program: Burn's generic code is compiled once for all of them.

mod fit;
mod members;
mod numbers;
mod properties;
mod ranks;
mod resume;
mod threads;
