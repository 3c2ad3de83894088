//! From the target columns of a table to what a loss takes.

mod cells;
mod classes;
mod encoder;
mod form;
mod scan;
#[cfg(test)]
mod tests;

pub use self::encoder::{EncodedTargets, TargetEncoder};
pub use self::form::{TargetForm, TargetKind};
pub(crate) use self::scan::TargetScan;
