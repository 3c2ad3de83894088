use thiserror::Error;

/// What can be wrong with a network, loss or task configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A field holds a value outside its range.
    #[error("`{field}` is {found}, expected {expected}")]
    Field {
        /// The field, as it is spelt in the config; `hidden[1]` for one entry of a list.
        field: String,
        /// The value it holds.
        found: String,
        /// The values it may hold.
        expected: String,
    },
}

impl ModelError {
    pub(crate) fn field(
        field: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Self {
        Self::Field { field: field.into(), found: found.to_string(), expected: expected.into() }
    }
}
