use serde::{Deserialize, Serialize};

use crate::error::TableError;

/// Most categories an embedding may have. Their indices are exact in an `f32` up to 2^24.
pub(super) const MAX_CATEGORIES: usize = 1_000_000;

/// How numeric features are scaled; after both, values are clipped smoothly to [-3, 3].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// By mean and population standard deviation.
    Standard,
    /// By median and interquartile range, which outliers don't move; by half the range where the
    /// quartiles are equal. From RealMLP (Holzmüller et al. 2024, arXiv:2407.04491).
    #[default]
    Robust,
}

/// How features are to be prepared.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `scaling` | `Robust` | scaling of numeric features | |
/// | `numeric_bins` | 0 | columns, about so many, that tell how far a number is through its bins; see [`Bins`](super::Bins) | 0 to 256 |
/// | `one_hot_up_to` | 12 | categories up to which a feature gets a column for each; with more it is embedded | 0 to 1,000 |
/// | `max_categories` | 10,000 | categories, the most frequent ones, that an embedding tells apart | 1 to 1,000,000 |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreprocessConfig {
    /// Scaling of numeric features.
    pub scaling: Scaling,
    /// Bins of numeric features; 0 for none.
    pub numeric_bins: usize,
    /// Categories up to which a feature gets a column for each.
    pub one_hot_up_to: usize,
    /// Categories that an embedding tells apart.
    pub max_categories: usize,
}

impl Default for PreprocessConfig {
    fn default() -> Self {
        Self {
            scaling: Scaling::default(),
            numeric_bins: 0,
            one_hot_up_to: 12,
            max_categories: 10_000,
        }
    }
}

impl PreprocessConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// [`TableError::Setting`].
    pub fn validate(&self) -> Result<(), TableError> {
        let ranges = [
            ("numeric_bins", self.numeric_bins, 0, 256),
            ("one_hot_up_to", self.one_hot_up_to, 0, 1000),
            ("max_categories", self.max_categories, 1, MAX_CATEGORIES),
        ];
        match ranges.into_iter().find(|(_, found, low, high)| !(low..=high).contains(&found)) {
            None => Ok(()),
            Some((name, found, low, high)) => Err(TableError::setting(
                name,
                format_args!("{name} is {found}, expected {low} to {high}"),
            )),
        }
    }
}
