use std::{fmt::Display, str::FromStr};

/// What was asked for makes no sense, whatever the data: the process ends with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(super) String);

impl UsageError {
    pub(crate) fn new(message: String) -> Self {
        Self(message)
    }
}

/// A value of a library type by its name.
pub(super) fn named<T>(name: &str) -> Result<T, UsageError>
where
    T: FromStr,
    T::Err: Display,
{
    name.parse().map_err(|error: T::Err| UsageError(error.to_string()))
}
