//! Models of images: their columns are the pixels of a square.

use kiln_table::{ColumnKind, Transform};

use crate::Model;

/// A smaller square is hardly a picture.
const FEWEST_PIXELS: usize = 64;

/// The picture that the columns of a model are.
pub(crate) struct Image {
    /// Pixels in a row, and rows.
    pub(crate) side: usize,
    /// The value of full ink.
    pub(crate) maximum: u32,
    /// Which pixel each feature column is, row by row from the top.
    pub(crate) pixels: Vec<usize>,
}

impl Image {
    /// The columns seem to be a picture where they are a square of numbers, none of them below zero,
    /// whose names differ only in digits. Pixels that never vary, those of the margin, are in the schema
    /// but are no features.
    pub(crate) fn of(model: &Model) -> Option<Self> {
        let columns = &model.manifest().schema.columns;
        let pattern = without_digits(&columns.iter().find(|c| c.kind.is_feature())?.name);
        let mut pixels = Vec::new();
        let mut count = 0;
        for column in columns {
            let alike = without_digits(&column.name) == pattern;
            match column.kind {
                ColumnKind::Numeric if alike => {
                    pixels.push(count);
                    count += 1;
                }
                ColumnKind::Ignored => count += usize::from(alike),
                ColumnKind::Target | ColumnKind::Weight => {}
                ColumnKind::Numeric | ColumnKind::Categorical | ColumnKind::Boolean => return None,
            }
        }
        let side = count.isqrt();
        if count < FEWEST_PIXELS || side * side != count {
            return None;
        }
        Some(Self { side, maximum: maximum(model)?, pixels })
    }
}

/// The smallest usual value of full ink that explains the scales.
fn maximum(model: &Model) -> Option<u32> {
    let mut largest = 0.0_f64;
    for feature in model.manifest().preprocessor.features() {
        let Transform::Numeric(numeric) = &feature.transform else { continue };
        let Some(scale) = numeric.scale else { continue };
        if scale.center < 0.0 {
            return None;
        }
        largest = largest.max(scale.center).max(scale.spread);
    }
    [1, 16, 255].into_iter().find(|maximum| f64::from(*maximum) >= largest)
}

/// A run of digits counts as one, for `1x1` and `28x28` are names of one picture.
fn without_digits(name: &str) -> String {
    let mut text = String::new();
    for char in name.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }) {
        if !(char == '0' && text.ends_with('0')) {
            text.push(char);
        }
    }
    text
}
