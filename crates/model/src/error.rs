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

    /// A tensor of the network is not among those given.
    #[error("there is no tensor `{name}`")]
    TensorMissing {
        /// The name looked for.
        name: String,
    },

    /// A tensor holds something other than `f32`.
    #[error("tensor `{name}` holds {found}, expected F32")]
    TensorType {
        /// The tensor.
        name: String,
        /// The type of its elements.
        found: String,
    },

    /// A tensor has another shape than the config asks for.
    #[error("tensor `{name}` has shape {found:?}, expected {expected:?}")]
    TensorShape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the config asks for.
        expected: Vec<usize>,
    },

    /// A tensor holds a number that no trained network has.
    #[error("tensor `{name}` holds {found} at {index} (counted from 0), expected {expected}")]
    TensorValue {
        /// The tensor.
        name: String,
        /// The number.
        found: String,
        /// Its place among the elements in row-major order, counted from 0.
        index: usize,
        /// The numbers it may hold.
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
