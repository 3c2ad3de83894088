/// A field of the `Row`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The column that it holds.
    pub column: String,
    /// What it holds.
    pub field_type: FieldType,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// `Option<f64>`.
    Number,
    /// `Option<bool>`.
    Boolean,
    /// `Option<&str>`: a category, as text.
    Text,
}

impl FieldType {
    /// As it is written in the source.
    pub fn rust_type(self) -> &'static str {
        match self {
            Self::Number => "Option<f64>",
            Self::Boolean => "Option<bool>",
            Self::Text => "Option<&'a str>",
        }
    }
}

impl Field {
    pub(super) fn rust_type(&self) -> &'static str {
        self.field_type.rust_type()
    }

    pub(super) fn described(&self) -> String {
        let kind = match self.field_type {
            FieldType::Number => "a number",
            FieldType::Boolean => "true or false",
            FieldType::Text => "a category, as text",
        };
        // Escaped, so that no name ends the comment.
        format!("`{:?}`: {kind}.", self.column)
    }
}
