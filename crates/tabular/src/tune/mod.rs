//! A search for the settings that suit a table.
//!
//! A [`Space`] says which settings are searched, and over what; [`search()`] tries some of them, keeps each
//! [`Trial`] in a [`Journal`], and gives up early on those that fall behind. The trials choose by the
//! validation loss, which is therefore too good for the one that is chosen: what it is worth is measured on
//! rows that no trial has seen. `docs/tune.md` says how, and why so.

mod error;
mod hyperparameter;
mod importance;
mod journal;
mod page;
mod propose;
mod run;
mod search;
mod space;
mod study;
#[cfg(test)]
mod tests;
mod trial;

pub use error::TuneError;
pub use hyperparameter::{Hyperparameter, Value};
pub use importance::{Importance, importance};
pub use journal::{Journal, Searched};
pub use page::section;
pub use run::search;
pub use search::{Found, Limits, Search, Stopped};
pub use space::{Range, Setting, Space};
pub use trial::{Trial, TrialState, best};
