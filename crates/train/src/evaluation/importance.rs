use std::ops::Range;

use rand::seq::SliceRandom;
use serde::Serialize;

use crate::random::importance_rng;

/// What a network loses when it can't see a column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Importance {
    /// Mean increase of the cost over the repeats; about 0, perhaps below, for a column that tells nothing
    /// which the others don't.
    pub mean: f64,
    /// Sample standard deviation over the repeats.
    pub deviation: f64,
}

/// Permutation importance: by how much the cost rises when the values of a column are dealt anew over the
/// rows, so that they mean nothing, the rest staying as it is.
///
/// `features` is row-major `[rows, d_input]`; each of `columns` is the features that one column of the table
/// became, which move together. `cost` is that of a matrix of such features, lower for better, the log loss
/// say. Each column is dealt `repeats` times, from `seed`.
///
/// A column that another one tells as well seems to matter less than it does. Source: Breiman, "Random
/// Forests", 2001; Fisher, Rudin and Dominici, "All models are wrong, but many are useful", 2019.
///
/// # Panics
///
/// If a range reaches beyond `d_input`, or `repeats` is 0.
pub fn permutation_importance(
    features: &[f32],
    d_input: usize,
    columns: &[Range<usize>],
    repeats: usize,
    seed: u64,
    mut cost: impl FnMut(&[f32]) -> f64,
) -> Vec<Importance> {
    assert!(repeats > 0, "repeats must be at least 1");
    let whole = cost(features);
    let rows = features.len() / d_input;
    let mut dealt = features.to_vec();
    let mut order: Vec<usize> = (0..rows).collect();
    let mut all = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let mut rises = Vec::with_capacity(repeats);
        for repeat in 0..repeats {
            order.shuffle(&mut importance_rng(seed, index * repeats + repeat));
            for (row, from) in order.iter().enumerate() {
                let value = &features[from * d_input..][column.clone()];
                dealt[row * d_input..][column.clone()].copy_from_slice(value);
            }
            rises.push(cost(&dealt) - whole);
        }
        for row in 0..rows {
            let value = &features[row * d_input..][column.clone()];
            dealt[row * d_input..][column.clone()].copy_from_slice(value);
        }
        let mean = rises.iter().sum::<f64>() / repeats as f64;
        let squares: f64 = rises.iter().map(|rise| (rise - mean).powi(2)).sum();
        let deviation = (squares / (repeats - 1).max(1) as f64).sqrt();
        all.push(Importance { mean, deviation });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_matters_as_much_as_the_cost_rises_without_it() {
        // The cost looks at columns 0 and 3, and at 0 twice as much; 1 and 2 are one column of the table.
        let features: Vec<f32> = (0..400).map(|value| (value % 7) as f32).collect();
        let cost = |of: &[f32]| {
            let rows = of.chunks_exact(4).zip(features.chunks_exact(4));
            let off = |(a, b): (&[f32], &[f32])| {
                f64::from((2.0 * (a[0] - b[0])).abs() + (a[3] - b[3]).abs())
            };
            rows.map(off).sum::<f64>() / 100.0
        };
        let found = permutation_importance(&features, 4, &[0..1, 1..3, 3..4], 20, 5, cost);
        assert_eq!(found[1], Importance { mean: 0.0, deviation: 0.0 });
        let ratio = found[0].mean / found[2].mean;
        assert!((ratio - 2.0).abs() < 0.3, "{ratio}");
        assert!(found[0].deviation > 0.0 && found[0].deviation < found[0].mean);
        let again = permutation_importance(&features, 4, &[0..1, 1..3, 3..4], 20, 5, cost);
        assert_eq!(found, again);
    }
}
