//! How far a metric may be off because the rows are a sample.

use std::{collections::BTreeMap, fmt};

use kiln_data::quantile;
use kiln_model::Task;
use rand::Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::{evaluate::CALIBRATION_BINS, metric::Metric, scores::Scores};
use crate::{
    metrics::{Ranking, calibration_bin, mean_of_some, row_brier, row_log_loss},
    random::bootstrap_rng,
};

/// Resamples where the rows are few.
const MOST_RESAMPLES: usize = 1000;
/// The ends of an interval are then the 2nd and the 98th of a hundred.
const FEWEST_RESAMPLES: usize = 100;
/// Rows, times rankings of them, that all resamples together look at: about a second.
const WORK: usize = 200_000_000;

/// Rows, times classes, that are kept in the order of their probabilities, at 6 bytes each; more, and areas
/// under curves have no interval.
const MOST_RANKED: usize = 50_000_000;

/// Both ends of a 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The lower one.
    pub low: f64,
    /// The upper one.
    pub high: f64,
}

/// `0.81 to 0.92`, both ends in the form that is asked for.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.low.fmt(f)?;
        f.write_str(" to ")?;
        self.high.fmt(f)
    }
}

/// Bootstrap 95 % intervals: what the metrics might have been on other rows of the same kind.
///
/// Rows are drawn with replacement, as many as there are, 1,000 times (less for millions of rows), and
/// each metric is computed anew; an interval reaches from the 2.5th to the 97.5th percentile (Efron and
/// Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13). The calibration error of a resample
/// is larger than that of the rows themselves, for gaps of either sign add up; its percentiles are
/// shifted by the mean excess.
///
/// Where all rows are right, or none, every resample is like them: the interval of the accuracy is then the
/// exact binomial one (Clopper and Pearson, 1934), and metrics that never change have none.
///
/// They say nothing of how the metric would change with another seed or other training rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Intervals {
    /// How often rows were drawn.
    pub resamples: usize,
    /// One for each metric that the data have.
    #[serde(flatten)]
    pub of: BTreeMap<Metric, Interval>,
}

/// One classifier beside another, on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Second minus first: the difference of each metric that both have, with its interval from
    /// resamples in which both see the same rows.
    pub differences: BTreeMap<Metric, (f64, Interval)>,
    /// Rows that the first alone gets right.
    pub first_only: usize,
    /// Rows that the second alone gets right.
    pub second_only: usize,
    /// The probability that these two numbers lie so far apart, or farther, if both classifiers were right
    /// equally often: McNemar's exact two-sided test.
    pub p_value: f64,
}

impl Scores {
    /// Intervals of all metrics; `seed` decides which rows are drawn.
    pub fn intervals(&self, seed: u64) -> Intervals {
        let rows = Resampled::new(self);
        let resamples = rows.resamples();
        let drawn: Vec<Values> =
            draws(self.rows(), resamples, seed).map(|weights| rows.metrics(&weights)).collect();
        let mut of = intervals(&drawn);
        if let Some(interval) = of.get_mut(&Metric::CalibrationError) {
            let error = |values: &Values| values[Metric::CalibrationError as usize];
            let mean = drawn.iter().filter_map(error).sum::<f64>() / resamples as f64;
            let excess = mean - error(&rows.metrics(&vec![1; self.rows()])).unwrap_or(mean);
            interval.low = (interval.low - excess).max(0.0);
            interval.high -= excess;
        }
        // Rows that are all right, or all wrong, are so in every resample, which says nothing.
        of.retain(|_, interval| interval.low < interval.high);
        of.entry(Metric::Accuracy).or_insert_with(|| {
            let none = 0.025_f64.powf(1.0 / self.rows() as f64);
            match self.mistakes().is_empty() {
                true => Interval { low: none, high: 1.0 },
                false => Interval { low: 0.0, high: 1.0 - none },
            }
        });
        Intervals { resamples, of }
    }
}

/// Compares two classifiers on the same rows.
///
/// # Panics
///
/// If they were not asked about the same rows.
pub fn compare(first: &Scores, second: &Scores, seed: u64) -> Comparison {
    assert_eq!(first.actual(), second.actual(), "the same rows");
    let (a, b) = (Resampled::new(first), Resampled::new(second));
    let difference = |weights: &[u32]| -> Values {
        let (a, b) = (a.metrics(weights), b.metrics(weights));
        std::array::from_fn(|metric| Some(b[metric]? - a[metric]?))
    };
    let drawn: Vec<Values> =
        draws(first.rows(), a.resamples(), seed).map(|weights| difference(&weights)).collect();
    let whole = difference(&vec![1; first.rows()]);
    let differences = intervals(&drawn)
        .into_iter()
        .filter_map(|(metric, interval)| Some((metric, (whole[metric as usize]?, interval))))
        .collect();

    let only = |one: &Scores, other: &Scores| {
        one.right_rows().zip(other.right_rows()).filter(|(one, other)| *one && !other).count()
    };
    let (first_only, second_only) = (only(first, second), only(second, first));
    Comparison { differences, first_only, second_only, p_value: mcnemar(first_only, second_only) }
}

/// Two-sided exact binomial test of `first` against `second` at even odds.
///
/// Source: McNemar, "Note on the sampling error of the difference between correlated proportions",
/// 1947; scipy's `binomtest`.
fn mcnemar(first: usize, second: usize) -> f64 {
    let (few, all) = (first.min(second), first + second);
    // Logarithms of the binomial probabilities, which are too small for an f64 from 1,075 rows on.
    let mut log_term = all as f64 * 0.5_f64.ln();
    let mut tail = log_term.exp();
    for i in 0..few {
        log_term += ((all - i) as f64 / (i + 1) as f64).ln();
        tail += log_term.exp();
    }
    (2.0 * tail).min(1.0)
}

/// How often each row is drawn, for each resample.
fn draws(
    rows: usize,
    resamples: usize,
    seed: u64,
) -> impl IndexedParallelIterator<Item = Vec<u32>> {
    (0..resamples).into_par_iter().map(move |resample| {
        let mut rng = bootstrap_rng(seed, resample);
        let mut weights = vec![0; rows];
        for _ in 0..rows {
            // A product in place of a division; some row is likelier than others by rows / 2⁶⁴.
            let row = (u128::from(rng.next_u64()) * rows as u128) >> 64;
            weights[row as usize] += 1;
        }
        weights
    })
}

/// In the order of [`Metric::ALL`].
type Values = [Option<f64>; Metric::ALL.len()];

fn intervals(drawn: &[Values]) -> BTreeMap<Metric, Interval> {
    let of = |metric: Metric| {
        let values = drawn.iter().filter_map(|values| values[metric as usize]);
        let mut values: Vec<f64> = values.collect();
        // A class of a few rows is missing from some resamples; from most, and no interval is honest.
        if values.len() * 2 < drawn.len() || values.iter().any(|value| value.is_nan()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let [low, high] = [0.025, 0.975].map(|share| quantile(&values, share));
        Some((metric, Interval { low, high }))
    };
    Metric::ALL.into_iter().filter_map(of).collect()
}

/// What a metric needs to know of each row, so that only counts change from one resample to the next.
struct Resampled {
    /// One, or one for each label.
    parts: Vec<Part>,
    /// Multi-label: rows right in every label.
    right: Option<Vec<bool>>,
}

struct Part {
    num_classes: usize,
    actual: Vec<u32>,
    decisions: Vec<u32>,
    log_loss: Vec<f64>,
    brier: Vec<f64>,
    bin: Vec<usize>,
    /// 1 or 0 for right or wrong, minus confidence.
    gap: Vec<f64>,
    rankings: Vec<Ranking>,
}

impl Resampled {
    fn new(scores: &Scores) -> Self {
        let (all, width) = (scores.probabilities(), scores.width());
        match scores.task() {
            Task::Multiclass { num_classes } => {
                let ranked = match num_classes.saturating_mul(scores.rows()) {
                    ..=MOST_RANKED => num_classes,
                    _ => 0,
                };
                let rankings = (0..ranked).map(|class| {
                    let (scores, positive) = scores.of_class(class);
                    Ranking::new(&scores, &positive)
                });
                let rankings = rankings.collect();
                let actual = scores.actual().to_vec();
                let part =
                    Part::new(num_classes, all, actual, scores.decisions().to_vec(), rankings);
                Self { parts: vec![part], right: None }
            }
            Task::Binary | Task::MultiLabel { .. } => {
                let part = |label: usize| {
                    let p = scores.column(all, label);
                    let both: Vec<f64> = p.iter().flat_map(|p| [1.0 - p, *p]).collect();
                    let [actual, decisions] = [scores.actual(), scores.decisions()]
                        .map(|values| scores.column(values, label));
                    let positive: Vec<bool> = actual.iter().map(|class| *class == 1).collect();
                    let rankings = vec![Ranking::new(&p, &positive)];
                    Part::new(2, &both, actual, decisions, rankings)
                };
                let is_multi_label = matches!(scores.task(), Task::MultiLabel { .. });
                Self {
                    parts: (0..width).map(part).collect(),
                    right: is_multi_label.then(|| scores.right_rows().collect()),
                }
            }
        }
    }

    fn resamples(&self) -> usize {
        let rankings: usize = self.parts.iter().map(|part| 1 + part.rankings.len()).sum();
        let rows = self.parts[0].actual.len();
        (WORK / (rankings * rows).max(1)).clamp(FEWEST_RESAMPLES, MOST_RESAMPLES)
    }

    fn metrics(&self, weights: &[u32]) -> Values {
        let Some(right) = &self.right else { return self.parts[0].metrics(weights) };
        let labels: Vec<Values> = self.parts.iter().map(|part| part.metrics(weights)).collect();
        let mut mean: Values =
            std::array::from_fn(|metric| mean_of_some(labels.iter().map(|of| of[metric])));
        let right = right.iter().zip(weights).filter(|(right, _)| **right);
        let right: f64 = right.map(|(_, weight)| f64::from(*weight)).sum();
        let rows: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        mean[Metric::Accuracy as usize] = Some(right / rows);
        let f1 = self.parts.iter().map(|part| part.counts(weights).f1(1)).sum::<f64>();
        mean[Metric::MacroF1 as usize] = Some(f1 / self.parts.len() as f64);
        mean
    }
}

impl Part {
    /// `probabilities`: row-major `[rows, num_classes]`.
    fn new(
        num_classes: usize,
        probabilities: &[f64],
        actual: Vec<u32>,
        decisions: Vec<u32>,
        rankings: Vec<Ranking>,
    ) -> Self {
        let rows = || probabilities.chunks_exact(num_classes);
        // The binary score counts the positive class alone.
        let halves = if num_classes == 2 && rankings.len() == 1 { 0.5 } else { 1.0 };
        let confidence = rows().zip(&decisions).map(|(row, class)| row[*class as usize]);
        let right = actual.iter().zip(&decisions).map(|(a, d)| f64::from(a == d));
        Self {
            num_classes,
            log_loss: rows().zip(&actual).map(|(row, class)| row_log_loss(row, *class)).collect(),
            brier: rows()
                .zip(&actual)
                .map(|(row, class)| halves * row_brier(row, *class))
                .collect(),
            bin: confidence.clone().map(|p| calibration_bin(p, CALIBRATION_BINS)).collect(),
            gap: confidence.zip(right).map(|(p, right)| right - p).collect(),
            actual,
            decisions,
            rankings,
        }
    }

    fn counts(&self, weights: &[u32]) -> Counts {
        let mut counts = Counts {
            right: vec![0; self.num_classes],
            support: vec![0; self.num_classes],
            predicted: vec![0; self.num_classes],
        };
        for ((actual, decided), weight) in self.actual.iter().zip(&self.decisions).zip(weights) {
            let weight = u64::from(*weight);
            counts.support[*actual as usize] += weight;
            counts.predicted[*decided as usize] += weight;
            counts.right[*actual as usize] += if actual == decided { weight } else { 0 };
        }
        counts
    }

    fn metrics(&self, weights: &[u32]) -> Values {
        let rows: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let mean = |values: &[f64]| {
            let weighted = values.iter().zip(weights).map(|(value, w)| value * f64::from(*w));
            weighted.sum::<f64>() / rows
        };
        let counts = self.counts(weights);
        let mut gaps = [0.0; CALIBRATION_BINS];
        for ((bin, gap), weight) in self.bin.iter().zip(&self.gap).zip(weights) {
            gaps[*bin] += gap * f64::from(*weight);
        }
        let areas = self.rankings.iter().map(|ranking| ranking.areas(|row| weights[row]));
        let (roc, pr): (Vec<_>, Vec<_>) = areas.unzip();
        let values = |metric| match metric {
            Metric::Accuracy => Some(counts.right.iter().sum::<u64>() as f64 / rows),
            Metric::BalancedAccuracy => Some(counts.balanced_accuracy()),
            Metric::MacroF1 => Some(counts.macro_f1()),
            Metric::LogLoss => Some(mean(&self.log_loss)),
            Metric::RocAuc => mean_of_some(roc.iter().copied()),
            Metric::PrAuc => mean_of_some(pr.iter().copied()),
            Metric::Brier => Some(mean(&self.brier)),
            Metric::CalibrationError => Some(gaps.iter().map(|gap| gap.abs()).sum::<f64>() / rows),
        };
        Metric::ALL.map(values)
    }
}

/// What a confusion matrix says of each class; the matrix itself is too large to be made a thousand times.
struct Counts {
    right: Vec<u64>,
    support: Vec<u64>,
    predicted: Vec<u64>,
}

impl Counts {
    /// [`ConfusionMatrix::balanced_accuracy`](crate::ConfusionMatrix::balanced_accuracy).
    fn balanced_accuracy(&self) -> f64 {
        let classes = self.right.iter().zip(&self.support).filter(|(_, support)| **support > 0);
        let (sum, count) = classes.fold((0.0, 0.0), |(sum, count), (right, support)| {
            (sum + *right as f64 / *support as f64, count + 1.0)
        });
        sum / count
    }

    /// [`ConfusionMatrix::f1`](crate::ConfusionMatrix::f1).
    fn f1(&self, class: usize) -> f64 {
        let (right, claims) = (self.right[class], self.support[class] + self.predicted[class]);
        if claims == 0 { 0.0 } else { 2.0 * right as f64 / claims as f64 }
    }

    /// [`ConfusionMatrix::macro_f1`](crate::ConfusionMatrix::macro_f1).
    fn macro_f1(&self) -> f64 {
        let occurs = |class: &usize| self.support[*class] + self.predicted[*class] > 0;
        let classes = (0..self.right.len()).filter(occurs);
        let (sum, count) =
            classes.fold((0.0, 0.0), |(sum, count), class| (sum + self.f1(class), count + 1.0));
        sum / count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metrics::pr_curve, predictions::Predictions};
    use kiln_data::{Dataset, Targets};

    fn scores(task: Task, rows: usize) -> Scores {
        let width = task.d_output();
        let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 25.0 - 2.0;
        let logits: Vec<f32> = (0..rows * width).map(number).collect();
        let class = |row: usize| (row * 31 % 7) as u32;
        let (targets, decisions): (_, Vec<u32>) = match task {
            Task::Multiclass { num_classes } => {
                let indices = (0..rows).map(|row| class(row) % num_classes as u32).collect();
                let decided = logits.chunks_exact(width).map(crate::decision::argmax);
                (Targets::Classes { indices, num_classes }, decided.collect())
            }
            _ => {
                let values = (0..rows * width).map(|i| (class(i) % 2) as f32).collect();
                let decided = logits.iter().map(|logit| u32::from(*logit >= 0.0)).collect();
                (Targets::Dense { values, width }, decided)
            }
        };
        let dataset = Dataset::new(vec![0.0; rows], 1, targets).unwrap();
        let losses = vec![0.0; rows];
        Scores::new(task, &dataset, &Predictions { logits, losses, decisions })
    }

    const TASKS: [Task; 3] =
        [Task::Binary, Task::Multiclass { num_classes: 3 }, Task::MultiLabel { num_labels: 4 }];

    #[test]
    fn each_row_once_gives_the_metrics_themselves() {
        for task in TASKS {
            let scores = scores(task, 50);
            let (found, expected) =
                (Resampled::new(&scores).metrics(&[1; 50]), scores.evaluation());
            for metric in Metric::ALL {
                let [found, expected] =
                    [found[metric as usize], metric.of(&expected)].map(Option::unwrap);
                assert!((found - expected).abs() < 1e-12, "{task:?} {metric:?} {found} {expected}");
            }
        }
    }

    #[test]
    fn a_row_drawn_twice_counts_twice() {
        for task in TASKS {
            let scores = scores(task, 50);
            let weights: Vec<u32> = (0..50).map(|row| row * row % 4).collect();
            let rows: Vec<usize> =
                (0..50).flat_map(|row| std::iter::repeat_n(row, weights[row] as usize)).collect();
            let found = Resampled::new(&scores).metrics(&weights);
            let expected = Resampled::new(&scores.select(&rows)).metrics(&vec![1; rows.len()]);
            for metric in Metric::ALL {
                let (found, expected) = (found[metric as usize], expected[metric as usize]);
                let off = found.unwrap() - expected.unwrap();
                assert!(off.abs() < 1e-12, "{task:?} {metric:?} {found:?} {expected:?}");
            }
        }
    }

    #[test]
    fn an_interval_is_written_as_its_ends_are() {
        let interval = Interval { low: -0.5, high: 0.12345 };
        assert_eq!(format!("{interval:+.3}"), "-0.500 to +0.123");
        assert_eq!(format!("{interval:.1}"), "-0.5 to 0.1");
    }

    #[test]
    fn an_interval_of_accuracy_is_that_of_the_binomial_distribution() {
        let scores = scores(Task::Binary, 2000);
        let accuracy = scores.evaluation().accuracy;
        let found = scores.intervals(3).of[&Metric::Accuracy];
        let half = 1.96 * (accuracy * (1.0 - accuracy) / 2000.0).sqrt();
        assert!((found.low - (accuracy - half)).abs() < 0.15 * half, "{found:?}");
        assert!((found.high - (accuracy + half)).abs() < 0.15 * half, "{found:?}");
    }

    #[test]
    fn intervals_hold_their_metric_and_follow_the_seed() {
        for task in TASKS {
            let scores = scores(task, 200);
            let found = scores.intervals(1);
            assert_eq!(found.resamples, MOST_RESAMPLES);
            for metric in Metric::ALL {
                let value = metric.of(&scores.evaluation()).unwrap();
                let Interval { low, high } = found.of[&metric];
                assert!(low < value && value < high, "{task:?} {metric:?} {low} {value} {high}");
            }
            assert_eq!(found, scores.intervals(1));
            assert_ne!(found, scores.intervals(2));
        }
    }

    #[test]
    fn rows_that_are_all_right_leave_room_for_some_that_are_not() {
        let dataset = Dataset::new(
            vec![0.0; 10],
            1,
            Targets::Classes { indices: [0, 1].repeat(5), num_classes: 2 },
        );
        let logits: Vec<f32> = (0..10).map(|row| [-1.0, 1.0][row % 2] * (1 + row) as f32).collect();
        let (losses, decisions) = (vec![0.0; 10], [0, 1].repeat(5));
        let predictions = Predictions { logits, losses, decisions };
        let scores = Scores::new(Task::Binary, &dataset.unwrap(), &predictions);
        let found = scores.intervals(0).of;
        // scipy.stats.binomtest(10, 10).proportion_ci()
        let Interval { low, high } = found[&Metric::Accuracy];
        assert!((low - 0.691_502_892_181_239_4).abs() < 1e-12 && high == 1.0, "{low} {high}");
        assert!(!found.contains_key(&Metric::MacroF1) && !found.contains_key(&Metric::RocAuc));
        assert!(found.contains_key(&Metric::LogLoss));
    }

    #[test]
    fn a_metric_without_a_value_has_no_interval() {
        let dataset =
            Dataset::new(vec![0.0; 3], 1, Targets::Classes { indices: vec![1; 3], num_classes: 2 });
        let predictions = Predictions {
            logits: vec![1.0, -1.0, 2.0],
            losses: vec![0.0; 3],
            decisions: vec![1, 0, 1],
        };
        let found = Scores::new(Task::Binary, &dataset.unwrap(), &predictions).intervals(0);
        assert!(!found.of.contains_key(&Metric::RocAuc));
        assert!(found.of.contains_key(&Metric::Accuracy));
    }

    #[test]
    fn a_classifier_beside_itself_differs_in_nothing() {
        let scores = scores(Task::Binary, 100);
        let found = compare(&scores, &scores, 0);
        assert_eq!((found.first_only, found.second_only, found.p_value), (0, 0, 1.0));
        let zero = Interval { low: 0.0, high: 0.0 };
        assert!(found.differences.values().all(|difference| *difference == (0.0, zero)));
    }

    #[test]
    fn mcnemar_is_the_exact_binomial_test() {
        // scipy.stats.binomtest(few, all, 0.5).pvalue
        for ((first, second), expected) in [
            ((0, 0), 1.0),
            ((3, 3), 1.0),
            ((1, 8), 0.0390625),
            ((30, 12), 0.007_915_897_334_896_727),
            ((1200, 1000), 2.181_702_640_791_419_4e-5),
        ] {
            let found = mcnemar(first, second);
            assert!((found / expected - 1.0).abs() < 1e-9, "{first} {second} {found}");
            assert_eq!(found, mcnemar(second, first));
        }
    }

    #[test]
    fn the_area_under_the_precision_recall_curve_is_its_steps() {
        let (p, positive) = scores(Task::Binary, 60).of_class(1);
        let curve = pr_curve(&p, &positive);
        let mut area = 0.0;
        let mut before = 0.0;
        for (recall, precision) in curve {
            area += (recall - before) * precision;
            before = recall;
        }
        assert!((area - crate::metrics::pr_auc(&p, &positive).unwrap()).abs() < 1e-12);
    }
}
