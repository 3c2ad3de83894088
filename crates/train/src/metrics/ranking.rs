//! Metrics of the order that scores put rows in: they need no probabilities, and any increasing
//! function of the scores leaves them as they are.

use std::cmp::Ordering;

use super::check::check_matrix;

/// Area under the receiver operating characteristic, in [0, 1]; 0.5 is what chance gives.
///
/// The probability that a random positive row scores above a random negative one, ties counting
/// one half (the Mann-Whitney statistic on midranks):
///
/// ```text
/// AUC = (pairs with positive > negative + 1/2 pairs that tie) / (positives * negatives)
/// ```
///
/// `None` when there is no positive or no negative row. NaN ranks below every number, and `-0.0`
/// ties with `0.0`.
///
/// # Panics
///
/// When `scores` and `positive` differ in length.
///
/// Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982;
/// scikit-learn's `roc_auc_score`.
pub fn roc_auc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    Ranking::new(scores, positive).areas(|_| 1).0
}

/// Average precision, the area under the precision-recall curve taken in steps, in [0, 1]; chance
/// gives the fraction of positive rows.
///
/// ```text
/// AP = sum_n (recall_n - recall_{n-1}) * precision_n
/// ```
///
/// over the distinct scores from the highest down: rows that tie enter together. There is no
/// interpolation between the steps, which would flatter the model.
///
/// `None` when there is no positive row. NaN ranks below every number, and `-0.0` ties with `0.0`.
///
/// # Panics
///
/// When `scores` and `positive` differ in length.
///
/// Source: scikit-learn's `average_precision_score`, which warns and answers 0 where this is
/// `None`; Davis and Goadrich, "The relationship between Precision-Recall and ROC curves", 2006.
pub fn pr_auc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    Ranking::new(scores, positive).areas(|_| 1).1
}

/// The receiver operating characteristic: `(false positive rate, true positive rate)` from (0, 0) to
/// (1, 1), one point for each distinct score. [`roc_auc`] is the area under it.
///
/// Empty when there is no positive or no negative row. NaN ranks below every number.
///
/// # Panics
///
/// When `scores` and `positive` differ in length.
pub fn roc_curve(scores: &[f64], positive: &[bool]) -> Vec<(f64, f64)> {
    let ranking = Ranking::new(scores, positive);
    let positives = positive.iter().filter(|positive| **positive).count();
    let (positives, negatives) = (positives as f64, (positive.len() - positives) as f64);
    if positives == 0.0 || negatives == 0.0 {
        return Vec::new();
    }
    let rate = |[above, claimed]: [u64; 2]| {
        ((claimed - above) as f64 / negatives, above as f64 / positives)
    };
    std::iter::once((0.0, 0.0)).chain(ranking.claims().map(rate)).collect()
}

/// The precision–recall curve: `(recall, precision)`, one point for each distinct score from the highest
/// down. [`pr_auc`] is the area under it taken in steps: a precision holds from the recall before.
///
/// Empty when there is no positive row. NaN ranks below every number.
///
/// # Panics
///
/// When `scores` and `positive` differ in length.
pub fn pr_curve(scores: &[f64], positive: &[bool]) -> Vec<(f64, f64)> {
    let ranking = Ranking::new(scores, positive);
    let positives = positive.iter().filter(|positive| **positive).count() as f64;
    if positives == 0.0 {
        return Vec::new();
    }
    let point =
        |[above, claimed]: [u64; 2]| (above as f64 / positives, above as f64 / claimed as f64);
    ranking.claims().map(point).collect()
}

/// The unweighted mean of a binary metric over the classes, each against all the others.
///
/// `metric` ([`roc_auc`] or [`pr_auc`]) sees one column of `scores`, row-major
/// `[rows, num_classes]`, and which rows are of that class. Classes for which it is `None`, such
/// as those with no row, are left out of the mean; `None` when none is left.
///
/// # Panics
///
/// When `num_classes` is 0, `scores` is not `actual.len() * num_classes` long, or an actual class
/// is not below `num_classes`.
///
/// Source: scikit-learn's `roc_auc_score(multi_class="ovr", average="macro")`, which refuses
/// classes with no row.
pub fn macro_ovr(
    scores: &[f64],
    actual: &[u32],
    num_classes: usize,
    metric: impl Fn(&[f64], &[bool]) -> Option<f64>,
) -> Option<f64> {
    check_matrix(scores, actual, num_classes);
    mean_of_some((0..num_classes).map(|class| {
        let column: Vec<f64> = scores.iter().skip(class).step_by(num_classes).copied().collect();
        let positive: Vec<bool> = actual.iter().map(|&a| a as usize == class).collect();
        metric(&column, &positive)
    }))
}

/// The mean of the values that there are; `None` where there are none.
pub(crate) fn mean_of_some(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) =
        values.flatten().fold((0.0, 0_usize), |(sum, n), value| (sum + value, n + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Fraction of rows, in [0, 1], whose actual class is among the `k` classes that score highest.
///
/// Of classes that tie, the one with the lower index comes first: `k = 1` is the accuracy of the
/// first maximum. (scikit-learn's `top_k_accuracy_score` puts the higher index first; without ties
/// the two agree.) NaN ranks below every number. `k = 0` gives 0, `k >= num_classes` gives 1, and
/// no rows give 0.
///
/// # Panics
///
/// When `num_classes` is 0, `scores` (row-major `[rows, num_classes]`) is not
/// `actual.len() * num_classes` long, or an actual class is not below `num_classes`.
pub fn top_k_accuracy(scores: &[f64], actual: &[u32], num_classes: usize, k: usize) -> f64 {
    check_matrix(scores, actual, num_classes);
    if actual.is_empty() {
        return 0.0;
    }
    let hits = scores.chunks_exact(num_classes).zip(actual).filter(|(row, actual)| {
        let actual = **actual as usize;
        let ahead = |&(class, &score): &(usize, &f64)| match compare(score, row[actual]) {
            Ordering::Greater => true,
            Ordering::Equal => class < actual,
            Ordering::Less => false,
        };
        row.iter().enumerate().filter(ahead).count() < k
    });
    hits.count() as f64 / actual.len() as f64
}

/// Rows from the highest score down. It is made once and asked many times, with other counts of each row.
pub(crate) struct Ranking {
    /// Rows by place.
    order: Vec<u32>,
    /// By place: whether the row is positive, and whether the next one has a lower score.
    positive: Vec<bool>,
    ends_tie: Vec<bool>,
}

impl Ranking {
    /// # Panics
    ///
    /// When `scores` and `positive` differ in length.
    pub(crate) fn new(scores: &[f64], positive: &[bool]) -> Self {
        assert_eq!(scores.len(), positive.len(), "one score for each row");
        let mut rows: Vec<(f64, u32)> = scores.iter().copied().zip(0..).collect();
        rows.sort_unstable_by(|a, b| compare(b.0, a.0));
        let tied = |pair: &[(f64, u32)]| compare(pair[0].0, pair[1].0) == Ordering::Equal;
        let mut ends_tie: Vec<bool> = rows.windows(2).map(|pair| !tied(pair)).collect();
        ends_tie.push(true);
        Self {
            positive: rows.iter().map(|(_, row)| positive[*row as usize]).collect(),
            order: rows.into_iter().map(|(_, row)| row).collect(),
            ends_tie,
        }
    }

    /// [`roc_auc`] and [`pr_auc`], with each row counted so often.
    pub(crate) fn areas(&self, count: impl Fn(usize) -> u32) -> (Option<f64>, Option<f64>) {
        let (mut positives, mut negatives) = (0_u64, 0_u64);
        // Twice the pairs, so that half a pair is a whole number and the sum is exact.
        let mut doubled_pairs_lost = 0_u64;
        let mut precisions = 0.0;
        let mut tie = [0_u64; 2];
        for ((row, positive), ends) in self.order.iter().zip(&self.positive).zip(&self.ends_tie) {
            tie[usize::from(*positive)] += u64::from(count(*row as usize));
            if *ends {
                let [tied_negatives, tied_positives] = std::mem::take(&mut tie);
                doubled_pairs_lost += tied_positives * (2 * negatives + tied_negatives);
                positives += tied_positives;
                negatives += tied_negatives;
                if tied_positives > 0 {
                    let precision = positives as f64 / (positives + negatives) as f64;
                    precisions += tied_positives as f64 * precision;
                }
            }
        }
        let doubled_pairs = 2 * positives * negatives;
        let won = (doubled_pairs - doubled_pairs_lost) as f64;
        (
            (doubled_pairs > 0).then(|| won / doubled_pairs as f64),
            (positives > 0).then(|| precisions / positives as f64),
        )
    }

    /// Positive rows, and rows, with at least a score, for each score from the highest down.
    fn claims(&self) -> impl Iterator<Item = [u64; 2]> {
        let mut above = [0_u64; 2];
        let places = self.positive.iter().zip(&self.ends_tie);
        places.filter_map(move |(positive, ends)| {
            above = [above[0] + u64::from(*positive), above[1] + 1];
            ends.then_some(above)
        })
    }
}

/// The numbers' own order, with every NaN level with the others and below the numbers.
/// `f64::total_cmp` would tell `-0.0` from `0.0`, and rank a NaN by its sign.
fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::super::reference::{assert_close, load};
    use super::*;

    #[test]
    fn binary_areas_agree_with_scikit_learn() {
        for case in load().binary {
            assert_close(roc_auc(&case.scores, &case.positive), case.roc_auc, &case.name);
            assert_close(pr_auc(&case.scores, &case.positive), case.pr_auc, &case.name);
        }
    }

    #[test]
    fn macro_areas_agree_with_scikit_learn() {
        for case in load().multiclass {
            let average = |metric: fn(&[f64], &[bool]) -> Option<f64>| {
                macro_ovr(&case.probabilities, &case.actual, case.num_classes, metric)
            };
            assert_close(average(roc_auc), case.macro_roc_auc, &case.name);
            assert_close(average(pr_auc), case.macro_pr_auc, &case.name);
        }
    }

    #[test]
    fn top_k_agrees_with_scikit_learn_where_nothing_ties() {
        let mut compared = 0;
        for case in load().multiclass {
            for (i, expected) in case.top_k_accuracy.into_iter().flatten().enumerate() {
                let found =
                    top_k_accuracy(&case.probabilities, &case.actual, case.num_classes, i + 1);
                assert_close(found, expected, &case.name);
                compared += 1;
            }
        }
        assert!(compared > 0);
    }

    #[test]
    fn top_one_is_the_accuracy_of_the_first_maximum() {
        for case in load().multiclass {
            let found = top_k_accuracy(&case.probabilities, &case.actual, case.num_classes, 1);
            assert_close(found, case.accuracy, &case.name);
        }
    }

    #[test]
    fn of_tied_classes_the_lower_index_comes_first() {
        let scores = [0.4, 0.4, 0.2];
        assert_eq!(top_k_accuracy(&scores, &[0], 3, 1), 1.0);
        assert_eq!(top_k_accuracy(&scores, &[1], 3, 1), 0.0);
        assert_eq!(top_k_accuracy(&scores, &[1], 3, 2), 1.0);
    }

    #[test]
    fn top_k_at_its_ends() {
        let scores = [0.1, 0.9, 0.8, 0.2];
        assert_eq!(top_k_accuracy(&scores, &[0, 1], 2, 0), 0.0);
        assert_eq!(top_k_accuracy(&scores, &[0, 1], 2, 2), 1.0);
        assert_eq!(top_k_accuracy(&scores, &[0, 1], 2, 99), 1.0);
        assert_eq!(top_k_accuracy(&[], &[], 2, 1), 0.0);
    }

    #[test]
    fn areas_of_no_rows_are_not_defined() {
        assert_eq!(roc_auc(&[], &[]), None);
        assert_eq!(pr_auc(&[], &[]), None);
        assert_eq!(macro_ovr(&[], &[], 3, roc_auc), None);
    }

    #[test]
    fn nan_ranks_below_minus_infinity_and_ties_with_nan_of_either_sign() {
        let scores = [f64::NAN, f64::NEG_INFINITY];
        assert_eq!(roc_auc(&scores, &[false, true]), Some(1.0));
        assert_eq!(roc_auc(&scores, &[true, false]), Some(0.0));
        assert_eq!(roc_auc(&[f64::NAN, -f64::NAN], &[true, false]), Some(0.5));
        assert_eq!(pr_auc(&[f64::NAN, 1.0], &[true, false]), Some(0.5));
        assert_eq!(top_k_accuracy(&[f64::NAN, 0.0], &[0], 2, 1), 0.0);
        assert_eq!(top_k_accuracy(&[f64::NAN, f64::NAN], &[0], 2, 1), 1.0);
    }

    #[test]
    fn infinite_scores_are_the_highest_and_the_lowest() {
        let scores = [f64::INFINITY, 1e300, f64::NEG_INFINITY];
        assert_eq!(roc_auc(&scores, &[true, false, false]), Some(1.0));
        assert_eq!(pr_auc(&scores, &[false, false, true]), Some(1.0 / 3.0));
    }

    #[test]
    fn an_increasing_function_of_the_scores_changes_nothing() {
        let case = &load().binary[0];
        let stretched: Vec<f64> = case.scores.iter().map(|s| s * 3.0 - 7.0).collect();
        assert_eq!(roc_auc(&stretched, &case.positive), roc_auc(&case.scores, &case.positive));
        assert_eq!(pr_auc(&stretched, &case.positive), pr_auc(&case.scores, &case.positive));
    }

    #[test]
    #[should_panic(expected = "class 3 of 3")]
    fn a_class_out_of_range_panics() {
        top_k_accuracy(&[0.0; 3], &[3], 3, 1);
    }

    #[test]
    #[should_panic(expected = "expected 2 rows of 3 values")]
    fn a_ragged_matrix_panics() {
        macro_ovr(&[0.0; 5], &[0, 1], 3, roc_auc);
    }
}
