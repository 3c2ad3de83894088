mod checkpoints;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod console;
pub(crate) mod cross_validate;
pub(crate) mod devices;
pub(crate) mod evaluate;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod man;
pub(crate) mod options;
mod output;
mod outputs;
pub(crate) mod plan;
pub(crate) mod predict;
mod processes;
mod report;
pub(crate) mod serve;
mod summary;
pub(crate) mod train;
pub(crate) mod tune;

/// What a process that ends with this error ends with.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<options::UsageError>() { 2 } else { 1 }
}
