use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Bins, PreprocessConfig, Scaling, shown};
use kiln_data::quantile;

use crate::cells::Cell;
use crate::number::parse_number;

/// A number: one column, scaled and smoothly clipped unless the scale says otherwise, perhaps one for each
/// of its bins, and perhaps one that tells whether it was missing.
///
/// A missing value becomes the median of the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numeric {
    /// The median of the training rows.
    pub median: f64,
    /// How values are scaled; `None`, and no column, where all those of the training rows are equal.
    pub scale: Option<Scale>,
    /// The columns that tell how far it is through each of its bins: only where there is a scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<Bins>,
    /// Whether a 0/1 column tells that the value is missing: where training rows lacked one.
    pub missing_column: bool,
}

/// `clip((x - center) / spread)` with `clip(z) = z / sqrt(1 + (z / 3)²)`, which keeps small values
/// as they are and lets no value leave [-3, 3]; or without `clip`.
///
/// From RealMLP (Holzmüller, Grinsztajn and Steinwart 2024, arXiv:2407.04491).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// What becomes 0.
    pub center: f64,
    /// What becomes a distance of 1, before clipping; above 0.
    pub spread: f64,
    /// Whether values are clipped: not for a network that was trained elsewhere, on
    /// `(x - center) / spread`.
    #[serde(default = "clipped", skip_serializing_if = "Clone::clone")]
    pub clip: bool,
}

/// What files say that do not say it.
fn clipped() -> bool {
    true
}

impl Numeric {
    /// `None` where the values tell nothing: there are none, or all are equal and none is missing.
    pub(super) fn fit(
        mut values: Vec<f64>,
        any_missing: bool,
        config: &PreprocessConfig,
    ) -> Option<Self> {
        let scaling = config.scaling;
        // Before the values are sorted, so that the sum is taken in the order of the file.
        let standard = matches!(scaling, Scaling::Standard).then(|| Scale::standard(&values));
        values.sort_unstable_by(f64::total_cmp);
        let (first, last) = (*values.first()?, *values.last()?);
        let varies = first != last;
        (varies || any_missing).then(|| Self {
            median: quantile(&values, 0.5),
            scale: varies.then(|| standard.unwrap_or_else(|| Scale::robust(&values))),
            bins: match config.numeric_bins {
                0 => None,
                bins => {
                    Bins::fit(&values.iter().map(|value| (*value, 1)).collect::<Vec<_>>(), bins)
                }
            },
            missing_column: any_missing,
        })
    }

    pub(super) fn width(&self) -> usize {
        let bins = self.bins.as_ref().map_or(0, Bins::width);
        usize::from(self.scale.is_some()) + bins + usize::from(self.missing_column)
    }

    pub(super) fn names(&self, feature: &str) -> Vec<String> {
        let value = self.scale.map(|_| feature.to_owned());
        let missing = self.missing_column.then(|| format!("{feature} is missing"));
        let bins = self.bins.iter().flat_map(|bins| bins.names(feature));
        value.into_iter().chain(bins).chain(missing).collect()
    }

    pub(super) fn write(&self, value: Option<f64>, out: &mut [f32]) {
        if let (Some(scale), Some(first)) = (&self.scale, out.first_mut()) {
            *first = scale.apply(value.unwrap_or(self.median));
        }
        if let Some(bins) = &self.bins {
            bins.write(value.unwrap_or(self.median), &mut out[1..][..bins.width()]);
        }
        if let (true, Some(last)) = (self.missing_column, out.last_mut()) {
            *last = f32::from(u8::from(value.is_none()));
        }
    }

    pub(super) fn problem(&self) -> Option<String> {
        if !self.median.is_finite() {
            return Some(format!("median is {}, expected a finite number", self.median));
        }
        match &self.scale {
            Some(Scale { center, .. }) if !center.is_finite() => {
                Some(format!("center is {center}, expected a finite number"))
            }
            Some(Scale { spread, .. }) if !(spread.is_finite() && *spread > 0.0) => {
                Some(format!("spread is {spread}, expected a finite number above 0"))
            }
            None if self.bins.is_some() => Some("bins without a scale".to_owned()),
            None if !self.missing_column => Some("it gives no column, expected 1 or 2".to_owned()),
            _ => self.bins.as_ref().and_then(Bins::problem),
        }
    }
}

impl Scale {
    /// Mean and population standard deviation.
    fn standard(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let sum: f64 = values.iter().sum();
        let center =
            if sum.is_finite() { sum / n } else { values.iter().map(|value| value / n).sum() };
        // Distances as a share of the largest: the squares of huge ones would be infinite, and
        // those of tiny ones 0.
        let distance = |value: &f64| (value - center).clamp(f64::MIN, f64::MAX);
        let largest = values.iter().map(|value| distance(value).abs()).fold(0.0, f64::max);
        let squares: f64 = values.iter().map(|value| (distance(value) / largest).powi(2)).sum();
        Self::of(center, largest * (squares / n).sqrt())
    }

    /// Median and interquartile range; half the range where the quartiles are equal.
    fn robust(sorted: &[f64]) -> Self {
        let quartiles = [0.25, 0.5, 0.75].map(|fraction| quantile(sorted, fraction));
        Self::of_quartiles(quartiles, [sorted[0], sorted[sorted.len() - 1]])
    }

    pub(crate) fn of_quartiles([q25, median, q75]: [f64; 3], [min, max]: [f64; 2]) -> Self {
        Self::of(median, if q25 == q75 { max / 2.0 - min / 2.0 } else { q75 - q25 })
    }

    pub(crate) fn of(center: f64, spread: f64) -> Self {
        Self { center, spread: spread.clamp(f64::MIN_POSITIVE, f64::MAX), clip: true }
    }

    fn apply(&self, value: f64) -> f32 {
        let z = (value - self.center) / self.spread;
        if !self.clip {
            return z.clamp(f32::MIN.into(), f32::MAX.into()) as f32;
        }
        // Beyond 1e9 the result is 3 to the last bit of an f32, and an infinite quotient would
        // make NaN. The rest needs no f64, whose square roots are slow.
        let z = z.clamp(-1e9, 1e9) as f32;
        (z / (1.0 + z * z * (1.0 / 9.0)).sqrt()).clamp(-3.0, 3.0)
    }
}

/// Reads the cells of a numeric column.
#[derive(Debug, Clone)]
pub(super) struct NumberReader {
    /// Texts for a missing value that are numbers, like -999: these mean the number, however it is
    /// written.
    missing_values: Vec<f64>,
    missing_texts: HashSet<String>,
}

impl NumberReader {
    pub(super) fn new<'a>(missing: impl Iterator<Item = &'a str>) -> Self {
        let (mut missing_values, mut missing_texts) = (Vec::new(), HashSet::new());
        for text in missing {
            match parse_number(text) {
                Some(value) => missing_values.push(value),
                None => {
                    missing_texts.insert(text.to_owned());
                }
            }
        }
        Self { missing_values, missing_texts }
    }

    /// The number, `None` where it is missing; `Err` says why it can't be used.
    #[inline]
    pub(super) fn read(&self, cell: Cell) -> Result<Option<f64>, String> {
        let value = match cell {
            Cell::Missing => return Ok(None),
            Cell::Text(text) => match parse_number(text) {
                Some(value) => value,
                None if self.missing_texts.contains(text) => return Ok(None),
                None => return Err(format!("{} is not a number", shown(cell))),
            },
            Cell::Integer(value) => value as f64,
            Cell::Number(value) if value.is_nan() => return Ok(None),
            Cell::Number(value) => value,
            Cell::Boolean(value) => f64::from(u8::from(value)),
        };
        if self.missing_values.contains(&value) {
            return Ok(None);
        }
        if !value.is_finite() {
            return Err(format!("{} is outside the range of numbers", shown(cell)));
        }
        Ok(Some(value))
    }
}
