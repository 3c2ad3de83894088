use kiln_model::Task;
use rayon::prelude::*;

/// Standard deviation of the normal prior on ln T: a temperature beyond about 1.5 or below 1 / 1.5 takes
/// rows enough to say so. Without it a few validation rows that are all right would send T to 0, and the
/// same rows have chosen the epoch at which they look best.
const PRIOR_DEVIATION: f64 = 0.2;
/// Temperatures are looked for between 1/20 and 20.
const LARGEST: f64 = 20.0;
/// Rows whose losses are summed by one thread: the sum is the same for any number of threads.
const CHUNK: usize = 4096;

/// The temperature T that makes the most of a network's logits: probabilities are those of `logits / T`, so
/// that a network surer than it is right, T > 1, is taken back. No decision between classes changes.
///
/// T minimises `sum of log losses + (ln T)² / (2 · 0.2²)`, the most probable T under a normal prior on ln T;
/// with many rows the prior counts for nothing. To be fitted on rows that were not trained on.
///
/// `logits` is row-major `[rows, d_output]`; `actual` has a class for each row, or, row-major, a 0 or 1 for
/// each label. Without rows, or where the logits are not finite, the answer is 1.
///
/// Source: Guo et al., "On calibration of modern neural networks", 2017.
///
/// # Panics
///
/// When `logits` and `actual` do not fit each other and the task.
pub fn fit_temperature(task: Task, logits: &[f32], actual: &[u32]) -> f64 {
    let width = width(task);
    assert_eq!(logits.len(), actual.len() * width, "logits for each target");
    if actual.is_empty() || logits.iter().any(|logit| !logit.is_finite()) {
        return 1.0;
    }
    let cost = |log_t: f64| {
        let scale = (-log_t).exp();
        let chunks = logits.par_chunks(CHUNK * width).zip(actual.par_chunks(CHUNK));
        let sums: Vec<f64> = chunks
            .map(|(logits, actual)| {
                let rows = logits.chunks_exact(width).zip(actual);
                rows.map(|(row, actual)| loss(row, *actual, scale)).sum()
            })
            .collect();
        sums.iter().sum::<f64>() + log_t.powi(2) / (2.0 * PRIOR_DEVIATION.powi(2))
    };
    // The cost may have more than one valley: the losses are convex in 1 / T, not in ln T.
    const STEPS: i32 = 24;
    let log_largest = LARGEST.ln();
    let step = 2.0 * log_largest / f64::from(STEPS);
    let grid = (0..=STEPS).map(|i| f64::from(i) * step - log_largest);
    let best = grid.map(|at| (cost(at), at)).min_by(|a, b| a.0.total_cmp(&b.0));
    let (_, best) = best.expect("the grid has points");
    golden_section(best - step, best + step, cost).clamp(-log_largest, log_largest).exp()
}

/// The log loss of logits divided by a temperature: mean nats per row; multi-label: mean over labels.
///
/// In the form of [`fit_temperature`]. NaN without rows.
///
/// # Panics
///
/// When `logits` and `actual` do not fit each other and the task.
pub fn logit_loss(task: Task, logits: &[f32], actual: &[u32], temperature: f64) -> f64 {
    let width = width(task);
    assert_eq!(logits.len(), actual.len() * width, "logits for each target");
    let rows = logits.chunks_exact(width).zip(actual);
    let sum: f64 = rows.map(|(row, actual)| loss(row, *actual, 1.0 / temperature)).sum();
    sum / actual.len() as f64
}

/// Logits of each target.
fn width(task: Task) -> usize {
    match task {
        Task::Multiclass { num_classes } => num_classes,
        Task::Binary | Task::MultiLabel { .. } => 1,
    }
}

/// Nats of one row, or label, whose logits are multiplied by `scale`.
fn loss(logits: &[f32], actual: u32, scale: f64) -> f64 {
    match logits {
        [logit] => {
            let z = f64::from(*logit) * scale;
            let against = if actual == 1 { -z } else { z };
            against.max(0.0) + (-against.abs()).exp().ln_1p()
        }
        logits => {
            let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let exponent = |z: f32| (f64::from(z) - largest) * scale;
            let sum: f64 = logits.iter().map(|z| exponent(*z).exp()).sum();
            sum.ln() - exponent(logits[actual as usize])
        }
    }
}

/// Where a function of one valley is lowest, to a millionth.
fn golden_section(mut low: f64, mut high: f64, cost: impl Fn(f64) -> f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut cost_a, mut cost_b) = (cost(a), cost(b));
    while high - low > 1e-6 {
        if cost_a <= cost_b {
            (high, b, cost_b) = (b, a, cost_a);
            a = high - ratio * (high - low);
            cost_a = cost(a);
        } else {
            (low, a, cost_a) = (a, b, cost_b);
            b = low + ratio * (high - low);
            cost_b = cost(b);
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits and the classes that they give, as often as their probabilities at `temperature` say.
    fn rows(temperature: f64) -> (Vec<f32>, Vec<u32>) {
        let (mut logits, mut actual) = (Vec::new(), Vec::new());
        for level in 0..40_u32 {
            let z = f64::from(level) / 10.0 - 2.0;
            let positive = (5000.0 / (1.0 + (-z / temperature).exp())).round() as u32;
            for row in 0..5000 {
                logits.push(z as f32);
                actual.push(u32::from(row < positive));
            }
        }
        (logits, actual)
    }

    #[test]
    fn the_temperature_that_made_the_rows_is_found() {
        for temperature in [0.3, 1.0, 2.5] {
            let (logits, actual) = rows(temperature);
            let found = fit_temperature(Task::Binary, &logits, &actual);
            assert!((found / temperature - 1.0).abs() < 0.02, "{found} {temperature}");
            // Two logits, 0 and z, are the same rows.
            let two: Vec<f32> = logits.iter().flat_map(|z| [0.0, *z]).collect();
            let again = fit_temperature(Task::Multiclass { num_classes: 2 }, &two, &actual);
            assert!((found - again).abs() < 1e-5, "{found} {again}");
        }
    }

    #[test]
    fn the_loss_of_logits_is_that_of_their_probabilities() {
        let (task, logits) = (Task::Multiclass { num_classes: 2 }, [0.0, 3.0_f32.ln(), 0.0, 0.0]);
        let found = logit_loss(task, &logits, &[1, 0], 1.0);
        assert!((found - ((4.0_f64 / 3.0).ln() + 2.0_f64.ln()) / 2.0).abs() < 1e-7, "{found}");
        // At twice the temperature the odds are their root.
        let found = logit_loss(Task::Binary, &[9.0_f32.ln()], &[1], 2.0);
        assert!((found - (4.0_f64 / 3.0).ln()).abs() < 1e-7, "{found}");
        assert_eq!(logit_loss(Task::Binary, &[-1e9], &[1], 1.0), 1e9);
    }

    #[test]
    fn a_few_rows_that_are_all_right_leave_doubt() {
        let logits: Vec<f32> = (0..20).map(|row| if row % 2 == 0 { 3.0 } else { -3.0 }).collect();
        let actual: Vec<u32> = (0..20).map(|row| u32::from(row % 2 == 0)).collect();
        let found = fit_temperature(Task::Binary, &logits, &actual);
        assert!(found > 0.8 && found < 1.0, "{found}");
    }

    #[test]
    fn nothing_to_go_by_leaves_logits_as_they_are() {
        assert_eq!(fit_temperature(Task::Binary, &[], &[]), 1.0);
        assert_eq!(fit_temperature(Task::Binary, &[f32::NAN], &[1]), 1.0);
        let found = fit_temperature(Task::Binary, &[0.0], &[1]);
        assert!((found - 1.0).abs() < 1e-5, "{found}");
        let extreme = fit_temperature(Task::Binary, &[f32::MAX, f32::MIN], &[0, 1]);
        assert!((extreme / LARGEST - 1.0).abs() < 1e-5, "{extreme}");
    }
}
