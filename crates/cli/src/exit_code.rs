use crate::options;

/// Exit code for this error.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<options::UsageError>() { 2 } else { 1 }
}
