//! From the rows of a table to the matrix a network takes.

mod bins;
mod boolean;
mod categorical;
mod config;
mod fit;
mod numeric;
#[cfg(test)]
mod tests;
mod transform;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::cells::Cell;
use crate::error::TableError;

pub use bins::Bins;
pub use boolean::BOOLEAN_TEXTS;
pub(crate) use boolean::{boolean_pair, cell_boolean};
pub(crate) use categorical::{Categorical, fit as fit_categories};
pub use categorical::{Embedded, OneHot};
pub use config::{PreprocessConfig, Scaling};
pub use numeric::{Numeric, Scale};
pub use transform::{Binding, Transformed};

/// Most columns a matrix may have.
const MAX_COLUMNS: usize = 1_000_000;

/// Turns rows of a table into a dense matrix, with constants fitted on training rows.
///
/// It is plain data. One read from a file is to be [`validate`](Self::validate)d before it is used.
///
/// Missing values and categories never seen have a place in the matrix; a value that can't be read
/// is a [`RowProblem`](crate::RowProblem).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessor {
    missing: Vec<String>,
    features: Vec<Feature>,
}

/// One column of a table and what becomes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// The column's name.
    pub name: String,
    /// Texts that mean a missing value here, beside those of the whole table.
    pub missing: Vec<String>,
    /// What becomes of the values.
    pub transform: Transform,
}

/// What becomes of the values of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// A number.
    Numeric(Numeric),
    /// True is 1, false is -1, a missing value is 0.
    ///
    /// True may be written `true`, `t`, `yes`, `y` or `1`, false likewise.
    Boolean,
    /// One of few names.
    OneHot(OneHot),
    /// One of many names.
    Embedding(Embedded),
}

/// The size of the table of vectors that an embedded feature needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedding {
    /// How many vectors: the categories, and index 0.
    pub num_categories: usize,
    /// Width of each.
    pub d_embedding: usize,
}

impl Preprocessor {
    /// What becomes of these columns; `missing` are texts that mean a missing value in every one.
    ///
    /// # Errors
    ///
    /// As [`Preprocessor::validate`].
    pub fn new(missing: Vec<String>, features: Vec<Feature>) -> Result<Self, TableError> {
        let preprocessor = Self { missing, features };
        preprocessor.validate()?;
        Ok(preprocessor)
    }

    /// Columns of the matrix: the dense ones, then one of indices for each embedded feature.
    pub fn d_input(&self) -> usize {
        self.features.iter().map(Feature::width).sum()
    }

    /// The tables of vectors that the last columns of the matrix index, in order.
    pub fn embeddings(&self) -> Vec<Embedding> {
        let embedding = |feature: &Feature| match &feature.transform {
            Transform::Embedding(Embedded { categories, d_embedding }) => {
                Some(Embedding { num_categories: categories.len() + 1, d_embedding: *d_embedding })
            }
            _ => None,
        };
        self.features.iter().filter_map(embedding).collect()
    }

    /// One name per column of the matrix: `age`, `age is missing`, `island=Biscoe`.
    pub fn feature_names(&self) -> Vec<String> {
        let (embedded, dense): (Vec<&Feature>, Vec<&Feature>) =
            self.features.iter().partition(|feature| feature.is_embedded());
        dense.into_iter().chain(embedded).flat_map(Feature::names).collect()
    }

    /// Which columns of the matrix each of [`features`](Self::features) became.
    pub fn feature_ranges(&self) -> Vec<std::ops::Range<usize>> {
        let mut ranges = vec![0..0; self.features.len()];
        let mut end = 0;
        // As in the matrix: the dense ones first.
        for embedded in [false, true] {
            let features = self.features.iter().zip(&mut ranges);
            for (feature, range) in features.filter(|(of, _)| of.is_embedded() == embedded) {
                *range = end..end + feature.width();
                end = range.end;
            }
        }
        ranges
    }

    /// The columns of a table that it needs.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(|feature| feature.name.as_str())
    }

    /// What becomes of each of these columns.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Texts that mean a missing value in every column.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Checks what a file may have got wrong: constants, categories, sizes.
    ///
    /// # Errors
    ///
    /// [`TableError::Invalid`] for a feature, [`TableError::Data`] for no features or too many.
    pub fn validate(&self) -> Result<(), TableError> {
        if self.features.is_empty() {
            return Err(mismatch("d_input is 0".to_owned(), "at least 1 feature".to_owned()));
        }
        let mut names = HashSet::new();
        for feature in &self.features {
            let problem = match &feature.transform {
                _ if !names.insert(&feature.name) => Some("it is there twice".to_owned()),
                Transform::Numeric(numeric) => numeric.problem(),
                Transform::Boolean => None,
                Transform::OneHot(one_hot) => one_hot.problem(),
                Transform::Embedding(embedded) => embedded.problem(),
            };
            if let Some(problem) = problem {
                return Err(TableError::Invalid {
                    part: format!("preprocessing of column {:?}", feature.name),
                    problem,
                });
            }
        }
        match self.d_input() {
            0..=MAX_COLUMNS => Ok(()),
            found => Err(mismatch(
                format!("preprocessing makes {found} feature columns"),
                format!("at most {MAX_COLUMNS}"),
            )),
        }
    }
}

impl Feature {
    fn is_embedded(&self) -> bool {
        matches!(self.transform, Transform::Embedding(_))
    }

    fn width(&self) -> usize {
        match &self.transform {
            Transform::Numeric(numeric) => numeric.width(),
            Transform::Boolean | Transform::Embedding(_) => 1,
            Transform::OneHot(one_hot) => one_hot.width(),
        }
    }

    fn names(&self) -> Vec<String> {
        match &self.transform {
            Transform::Numeric(numeric) => numeric.names(&self.name),
            Transform::Boolean | Transform::Embedding(_) => vec![self.name.clone()],
            Transform::OneHot(one_hot) => one_hot.names(&self.name),
        }
    }
}

/// A cell as messages show it: text in quotes, and not all of a long one.
pub(crate) fn shown(cell: Cell) -> String {
    const CHARS: usize = 60;
    match cell {
        Cell::Missing => "a missing value".to_owned(),
        Cell::Text(text) => match text.char_indices().nth(CHARS) {
            Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
            None => format!("{text:?}"),
        },
        Cell::Integer(value) => value.to_string(),
        Cell::Number(value) => format!("{value:?}"),
        Cell::Boolean(value) => value.to_string(),
    }
}

fn mismatch(found: String, expected: String) -> TableError {
    kiln_data::DataError::Mismatch { found, expected }.into()
}
