//! Metrics of probabilities: they tell a confident error from a hesitant one.

use super::check::check_matrix;

/// Mean negative log-likelihood of the actual classes, in mean nats per row; 0 is best, and
/// guessing every class alike gives `ln(num_classes)`.
///
/// ```text
/// log_loss = -1/n sum_i ln clip(p[i, actual_i], eps, 1 - eps)
/// ```
///
/// with `eps` = [`f64::EPSILON`]: one certain error costs 36.04 nats, not infinity. The largest
/// value is therefore 36.04.
///
/// `probabilities` is row-major `[rows, num_classes]`. NaN for no rows, and when the probability
/// of an actual class is NaN.
///
/// # Panics
///
/// When `num_classes` is 0, `probabilities` is not `actual.len() * num_classes` long, or an actual
/// class is not below `num_classes`.
///
/// Source: scikit-learn's `log_loss`, clipping included.
pub fn log_loss(probabilities: &[f64], actual: &[u32], num_classes: usize) -> f64 {
    check_matrix(probabilities, actual, num_classes);
    mean(
        probabilities
            .chunks_exact(num_classes)
            .zip(actual)
            .map(|(row, &actual)| row_log_loss(row, actual)),
    )
}

/// [`log_loss`] of one row.
pub(crate) fn row_log_loss(row: &[f64], actual: u32) -> f64 {
    -row[actual as usize].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

/// Brier score over all classes, in [0, 2]; 0 is best.
///
/// ```text
/// brier = 1/n sum_i sum_c (p[i, c] - [c == actual_i])^2
/// ```
///
/// `probabilities` is row-major `[rows, num_classes]`. NaN for no rows, and when a probability is
/// NaN.
///
/// This is Brier's own definition, and scikit-learn's `brier_score_loss` with
/// `scale_by_half=False`, its default for three classes and more. On two columns `1 - p`, `p` it
/// is twice [`brier_binary`] of `p`.
///
/// # Panics
///
/// When `num_classes` is 0, `probabilities` is not `actual.len() * num_classes` long, or an actual
/// class is not below `num_classes`.
///
/// Source: Brier, "Verification of forecasts expressed in terms of probability", 1950.
pub fn brier(probabilities: &[f64], actual: &[u32], num_classes: usize) -> f64 {
    check_matrix(probabilities, actual, num_classes);
    let rows = probabilities.chunks_exact(num_classes).zip(actual);
    mean(rows.map(|(row, &actual)| row_brier(row, actual)))
}

/// [`brier`] of one row.
pub(crate) fn row_brier(row: &[f64], actual: u32) -> f64 {
    let squared = |(class, p): (usize, &f64)| (p - f64::from(class == actual as usize)).powi(2);
    row.iter().enumerate().map(squared).sum()
}

/// Brier score of the positive class, in [0, 1]; 0 is best, and `p = 0.5` throughout gives 0.25.
///
/// ```text
/// brier = 1/n sum_i (p_i - [i is positive])^2
/// ```
///
/// NaN for no rows, and when a probability is NaN. This is scikit-learn's `brier_score_loss` for
/// two classes, half of [`brier`] on the two columns `1 - p`, `p`.
///
/// # Panics
///
/// When `probabilities` and `positive` differ in length.
pub fn brier_binary(probabilities: &[f64], positive: &[bool]) -> f64 {
    assert_eq!(probabilities.len(), positive.len(), "one probability for each row");
    mean(probabilities.iter().zip(positive).map(|(p, &y)| (p - f64::from(y)).powi(2)))
}

/// How far confidence is from accuracy, in [0, 1]; 0 is best.
///
/// The interval [0, 1] is cut into `bins` of equal width, each `(lower, upper]`, the first holding
/// 0 too. A row falls in the bin of its confidence, the probability of the class predicted, and
///
/// ```text
/// ECE = sum_b n_b / n |accuracy_b - mean confidence_b|
/// ```
///
/// A row outside [0, 1] falls in the nearest bin. NaN for no rows, and when a confidence is NaN.
/// The value depends on `bins` (10 and 15 are usual), so compare only equal ones.
///
/// # Panics
///
/// When `bins` is 0, or `confidence` and `correct` differ in length.
///
/// Source: Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", 2015;
/// the bins are those of Guo et al., "On calibration of modern neural networks", 2017, equation 3.
pub fn expected_calibration_error(confidence: &[f64], correct: &[bool], bins: usize) -> f64 {
    // A bin's n_b cancels: n_b / n |accuracy_b - mean confidence_b| = |sum of the gaps| / n.
    let gaps =
        reliability(confidence, correct, bins).into_iter().map(|bin| bin.right - bin.confidence);
    gaps.map(f64::abs).sum::<f64>() / confidence.len() as f64
}

/// The rows of a bin of confidence.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReliabilityBin {
    /// How many.
    pub rows: usize,
    /// How many of them are right.
    pub right: f64,
    /// The sum of their confidences.
    pub confidence: f64,
}

/// Confidence and accuracy, bin by bin: the bins of [`expected_calibration_error`], in order, those without
/// rows included.
///
/// # Panics
///
/// When `bins` is 0, or `confidence` and `correct` differ in length.
pub fn reliability(confidence: &[f64], correct: &[bool], bins: usize) -> Vec<ReliabilityBin> {
    assert!(bins > 0, "bins must be at least 1");
    assert_eq!(confidence.len(), correct.len(), "one confidence for each row");
    let mut all = vec![ReliabilityBin::default(); bins];
    for (&confidence, &correct) in confidence.iter().zip(correct) {
        let bin = &mut all[calibration_bin(confidence, bins)];
        bin.rows += 1;
        bin.right += f64::from(correct);
        bin.confidence += confidence;
    }
    all
}

/// The bin, from 0, that a confidence falls in.
pub(crate) fn calibration_bin(confidence: f64, bins: usize) -> usize {
    let edge = |bin: usize| bin as f64 / bins as f64;
    // Compared with the edges themselves: `confidence * bins`, rounded, can land in the next bin.
    let near = ((confidence * bins as f64) as usize).min(bins - 1);
    if near > 0 && confidence <= edge(near) {
        near - 1
    } else if near + 1 < bins && confidence > edge(near + 1) {
        near + 1
    } else {
        near
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let rows = values.len() as f64;
    values.sum::<f64>() / rows
}

#[cfg(test)]
mod tests {
    use super::super::reference::{assert_close, load};
    use super::*;

    #[test]
    fn multiclass_metrics_agree_with_scikit_learn() {
        for case in load().multiclass {
            let (p, actual, num_classes) = (&case.probabilities, &case.actual, case.num_classes);
            assert_close(log_loss(p, actual, num_classes), case.log_loss, &case.name);
            assert_close(brier(p, actual, num_classes), case.brier, &case.name);
        }
    }

    #[test]
    fn binary_brier_agrees_with_scikit_learn() {
        for case in load().binary {
            if let Some(expected) = case.brier {
                assert_close(brier_binary(&case.scores, &case.positive), expected, &case.name);
            }
        }
    }

    #[test]
    fn brier_on_two_columns_is_twice_the_binary_one() {
        let case = &load().binary[0];
        let columns: Vec<f64> = case.scores.iter().flat_map(|p| [1.0 - p, *p]).collect();
        let actual: Vec<u32> = case.positive.iter().map(|&y| u32::from(y)).collect();
        let twice = 2.0 * brier_binary(&case.scores, &case.positive);
        assert_close(brier(&columns, &actual, 2), twice, &case.name);
    }

    #[test]
    fn calibration_error_agrees_with_the_reference() {
        let reference = load();
        for case in reference.multiclass {
            let rows = case.probabilities.chunks_exact(case.num_classes);
            let confidence: Vec<f64> =
                rows.map(|row| row.iter().copied().fold(0.0, f64::max)).collect();
            let correct: Vec<bool> =
                case.actual.iter().zip(&case.predicted).map(|(a, p)| a == p).collect();
            for (bins, expected) in case.calibration {
                let found = expected_calibration_error(&confidence, &correct, bins);
                assert_close(found, expected, &case.name);
            }
        }
        for case in reference.binary {
            let (Some(confidence), Some(calibration)) = (case.confidence, case.calibration) else {
                continue;
            };
            let correct: Vec<bool> =
                case.scores.iter().zip(&case.positive).map(|(&s, &y)| (s > 0.5) == y).collect();
            for (bins, expected) in calibration {
                let found = expected_calibration_error(&confidence, &correct, bins);
                assert_close(found, expected, &case.name);
            }
        }
    }

    #[test]
    fn calibration_error_by_hand() {
        // (0, 0.5] holds two rows: mean confidence 0.3, accuracy 0.5.
        // (0.5, 1] holds two rows: mean confidence 0.8, accuracy 1.
        let confidence = [0.1, 0.5, 0.6, 1.0];
        let correct = [true, false, true, true];
        let found = expected_calibration_error(&confidence, &correct, 2);
        assert_close(found, 0.5 * 0.2 + 0.5 * 0.2, "by hand");
    }

    #[test]
    fn a_confidence_on_an_edge_belongs_to_the_bin_below() {
        for bins in 2..100 {
            for i in 1..bins {
                // In two bins the gaps 1 - edge and -edge add up to 1; in one they would cancel.
                let edge = i as f64 / bins as f64;
                let confidence = [edge, edge.next_up()];
                let found = expected_calibration_error(&confidence, &[true, false], bins);
                assert_close(found, 0.5, "an edge");
            }
        }
    }

    #[test]
    fn guessing_every_class_alike_costs_the_log_of_their_number() {
        assert_close(log_loss(&[0.25; 8], &[0, 3], 4), 4.0_f64.ln(), "uniform");
    }

    #[test]
    fn certainty_is_clipped_on_both_sides() {
        assert!(log_loss(&[1.0, 0.0], &[0], 2) > 0.0);
        assert_close(log_loss(&[1.0, 0.0], &[1], 2), -f64::EPSILON.ln(), "clipped");
    }

    #[test]
    fn a_certain_error_has_the_largest_score() {
        assert_close(log_loss(&[1.0, 0.0], &[1], 2), -f64::EPSILON.ln(), "clipped");
        assert_eq!(brier(&[1.0, 0.0], &[1], 2), 2.0);
        assert_eq!(brier_binary(&[1.0], &[false]), 1.0);
        assert_eq!(expected_calibration_error(&[1.0], &[false], 10), 1.0);
    }

    #[test]
    fn nan_spreads_and_nothing_panics() {
        let nan = f64::NAN;
        assert!(log_loss(&[nan, 0.5], &[0], 2).is_nan());
        assert!(brier(&[nan, 0.5], &[1], 2).is_nan());
        assert!(brier_binary(&[nan], &[true]).is_nan());
        assert!(expected_calibration_error(&[nan, 0.5], &[true, true], 10).is_nan());
    }

    #[test]
    fn values_outside_the_interval_do_not_panic() {
        assert!(log_loss(&[f64::INFINITY, -1.0], &[1], 2).is_finite());
        assert_eq!(expected_calibration_error(&[1.5, -0.5], &[true, false], 10), 0.5);
    }

    #[test]
    fn the_mean_over_no_rows_is_nan() {
        assert!(log_loss(&[], &[], 2).is_nan());
        assert!(brier(&[], &[], 2).is_nan());
        assert!(brier_binary(&[], &[]).is_nan());
        assert!(expected_calibration_error(&[], &[], 10).is_nan());
    }

    #[test]
    #[should_panic(expected = "bins must be at least 1")]
    fn no_bins_panics() {
        expected_calibration_error(&[0.5], &[true], 0);
    }
}
