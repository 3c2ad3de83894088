use serde::{Deserialize, Serialize};

/// Most classes, or target columns, that an encoder takes: a network has an output for each.
pub(super) const MAX_CLASSES: usize = 10_000;

/// The form of targets that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// The one that fits the data.
    #[default]
    Auto,
    /// Two classes in one column, or a label in each of several columns.
    Binary,
    /// A distribution over classes: one class in one column, or a probability in each of several.
    Categorical,
    /// One class index per row, from one column.
    Sparse,
}

/// What the targets are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetForm {
    /// One column of two classes. Targets are class indices, 1 for the positive one.
    Binary {
        /// The negative class, then the positive one.
        classes: [String; 2],
    },
    /// One column of classes. Targets are class indices.
    Sparse {
        /// The classes, in order of their indices.
        classes: Vec<String>,
    },
    /// One column of classes. Targets are one-hot vectors.
    Categorical {
        /// The classes, in order of their places in the vectors.
        classes: Vec<String>,
    },
    /// Several columns, one per class, which hold probabilities that sum to 1: 0 and 1 where rows
    /// have one class each. Targets are these vectors.
    OneHot,
    /// Several columns, each a label of its own, 0 or 1. Targets are these vectors.
    Labels,
}
