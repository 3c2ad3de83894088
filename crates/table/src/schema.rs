use serde::{Deserialize, Serialize};

/// What a column is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// A feature whose values are numbers.
    Numeric,
    /// A feature whose values are names.
    Categorical,
    /// A feature that is true or false.
    Boolean,
    /// What is to be predicted, or one column of it.
    Target,
    /// The row weights.
    Weight,
    /// Not used.
    Ignored,
}

impl ColumnKind {
    /// Whether a column of this kind is one to learn from.
    pub fn is_feature(self) -> bool {
        matches!(self, Self::Numeric | Self::Categorical | Self::Boolean)
    }
}

/// One column of a table: its name, its use, and how that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSchema {
    /// The name in the header.
    pub name: String,
    /// What it is used for.
    pub kind: ColumnKind,
    /// How that was found, in words: `all 344 values are numbers`, `as asked`.
    pub reason: String,
    /// Texts that mean a missing value in this column, beside those of the whole table.
    pub missing: Vec<String>,
}

/// What the columns of a table are used for, and which texts mean a missing value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The columns, in the order of the file.
    pub columns: Vec<ColumnSchema>,
    /// Texts that mean a missing value in every column.
    pub missing: Vec<String>,
}
