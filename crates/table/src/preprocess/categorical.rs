use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::config::{MAX_CATEGORIES, PreprocessConfig};
use crate::cells::Cell;

/// Largest width that [`fit`] gives an embedding.
const MAX_D_EMBEDDING: usize = 16;

/// Largest width that a file may give one.
const D_EMBEDDING_LIMIT: usize = 1024;

/// One of few names: a 0/1 column for each, and perhaps one that tells that it was missing.
///
/// Two categories where no training row lacked one share a single column: -1 the first, 1 the
/// second. A category never seen is 0 in all columns, and so is a missing value where no training
/// row lacked one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneHot {
    /// The categories, in order of their text.
    pub categories: Vec<String>,
    /// Whether a 0/1 column tells that the value is missing: where training rows lacked one.
    pub missing_column: bool,
}

/// One of many names: one column, which holds the index of a vector to be learnt.
///
/// Index 0 stands for a missing value and for every category not listed. Categories that only one
/// training row has are not listed, so that index 0 is trained too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedded {
    /// The categories, in order of their text; the first has index 1.
    pub categories: Vec<String>,
    /// Width of the vectors: `round(1.6 · n^0.56)` for `n` indices, as in fastai, 16 at most.
    pub d_embedding: usize,
}

pub(crate) enum Categorical {
    OneHot(OneHot),
    Embedded(Embedded),
}

/// `None` where the values tell nothing: all are the same, or no two.
pub(crate) fn fit(
    counts: HashMap<String, usize>,
    any_missing: bool,
    config: &PreprocessConfig,
) -> Option<Categorical> {
    if counts.len() + usize::from(any_missing) < 2 {
        return None;
    }
    if counts.len() <= config.one_hot_up_to {
        let mut categories: Vec<String> = counts.into_keys().collect();
        categories.sort_unstable();
        return Some(Categorical::OneHot(OneHot { categories, missing_column: any_missing }));
    }
    let mut repeated: Vec<(String, usize)> =
        counts.into_iter().filter(|(_, count)| *count > 1).collect();
    repeated.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    repeated.truncate(config.max_categories);
    let mut categories: Vec<String> = repeated.into_iter().map(|(category, _)| category).collect();
    categories.sort_unstable();
    let indices = categories.len() + 1;
    let d_embedding = ((1.6 * (indices as f64).powf(0.56)).round() as usize).min(MAX_D_EMBEDDING);
    (!categories.is_empty()).then_some(Categorical::Embedded(Embedded { categories, d_embedding }))
}

impl OneHot {
    fn is_sign(&self) -> bool {
        self.categories.len() == 2 && !self.missing_column
    }

    pub(super) fn width(&self) -> usize {
        if self.is_sign() { 1 } else { self.categories.len() + usize::from(self.missing_column) }
    }

    pub(super) fn names(&self, feature: &str) -> Vec<String> {
        let first = usize::from(self.is_sign());
        let each =
            self.categories.iter().skip(first).map(|category| format!("{feature}={category}"));
        each.chain(self.missing_column.then(|| format!("{feature} is missing"))).collect()
    }

    /// Writes into zeros.
    pub(super) fn write(&self, found: Found, out: &mut [f32]) {
        match found {
            Found::Category(index) if self.is_sign() => out[0] = index as f32 * 2.0 - 1.0,
            Found::Category(index) => out[index as usize] = 1.0,
            Found::Missing if self.missing_column => out[self.categories.len()] = 1.0,
            Found::Missing | Found::Unseen => {}
        }
    }

    pub(super) fn problem(&self) -> Option<String> {
        repeated_category(&self.categories)
    }
}

impl Embedded {
    pub(super) fn write(found: Found, out: &mut [f32]) {
        out[0] = match found {
            Found::Category(index) => (index + 1) as f32,
            Found::Missing | Found::Unseen => 0.0,
        };
    }

    pub(super) fn problem(&self) -> Option<String> {
        if !(1..=D_EMBEDDING_LIMIT).contains(&self.d_embedding) {
            return Some(format!(
                "d_embedding is {}, expected 1 to {D_EMBEDDING_LIMIT}",
                self.d_embedding
            ));
        }
        repeated_category(&self.categories)
    }
}

fn repeated_category(categories: &[String]) -> Option<String> {
    if !(1..=MAX_CATEGORIES).contains(&categories.len()) {
        return Some(format!("{} categories, expected 1 to {MAX_CATEGORIES}", categories.len()));
    }
    let mut sorted: Vec<&str> = categories.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let pair = sorted.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(format!("category {:?} is there twice", pair[0]))
}

/// What a cell of a categorical column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The category of this index.
    Category(u32),
    Missing,
    /// A category never seen in the training rows, or not listed.
    Unseen,
}

/// Finds the categories of the cells of a column.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    /// Categories and texts for a missing value, so that one search finds either.
    found: HashMap<String, Found>,
}

impl Lookup {
    pub(super) fn new<'a>(categories: &[String], missing: impl Iterator<Item = &'a str>) -> Self {
        let mut found = HashMap::with_capacity(categories.len());
        for (index, category) in categories.iter().enumerate() {
            found.insert(category.clone(), Found::Category(index as u32));
        }
        found.extend(missing.map(|text| (text.to_owned(), Found::Missing)));
        Self { found }
    }

    pub(super) fn find(&self, cell: Cell, scratch: &mut String) -> Found {
        match cell.text(scratch) {
            None => Found::Missing,
            Some(text) => self.found.get(text).copied().unwrap_or(Found::Unseen),
        }
    }
}
