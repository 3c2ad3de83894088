//! Several networks of one shape whose probabilities are averaged.

use crate::Task;

/// The name of a tensor of one of several networks, counted from 0, as it stands in files:
/// `members.0.output.weight`; that of a single network stays `output.weight`.
pub fn member_tensor_name(members: usize, member: usize, name: &str) -> String {
    match members {
        1 => name.to_owned(),
        _ => format!("members.{member}.{name}"),
    }
}

/// Logits whose probabilities are the mean of the probabilities of all members.
///
/// For a multiclass task z = ln(1/M · Σ softmax(zₘ)); for a binary or multi-label task, each logit by
/// itself, z = ln p − ln(1 − p) with p = 1/M · Σ sigmoid(zₘ). What follows from logits (temperature,
/// probabilities, decisions) needs not know how many networks there are. A single member's logits come
/// back as they are. Computed in f64 and in logarithms, so that no probability near 0 or 1 is lost; a
/// row, or label, of which a member's logit is not finite is NaN.
///
/// # Shapes
///
/// each member: row-major `[rows, d_output]`, result: row-major `[rows, d_output]`
///
/// # Panics
///
/// If there are no members, or not all have as many logits, in whole rows.
pub fn pooled_logits(task: Task, members: &[Vec<f32>]) -> Vec<f32> {
    let first = members.first().expect("there is a member");
    assert!(members.iter().all(|member| member.len() == first.len()), "as many logits each");
    if members.len() == 1 {
        return first.clone();
    }
    match task {
        Task::Binary | Task::MultiLabel { .. } => {
            let of = |at| members.iter().map(move |member| f64::from(member[at]));
            let pooled = |at| {
                let ln_p = ln_sum_exp(of(at).map(|z| -softplus(-z)));
                let ln_q = ln_sum_exp(of(at).map(|z| -softplus(z)));
                (ln_p - ln_q) as f32
            };
            (0..first.len()).map(pooled).collect()
        }
        Task::Multiclass { num_classes } => {
            assert!(first.len().is_multiple_of(num_classes), "whole rows");
            let ln_members = (members.len() as f64).ln();
            let mut pooled = Vec::with_capacity(first.len());
            for start in (0..first.len()).step_by(num_classes) {
                let rows = || members.iter().map(|member| &member[start..][..num_classes]);
                let norms: Vec<f64> =
                    rows().map(|row| ln_sum_exp(row.iter().map(|z| f64::from(*z)))).collect();
                pooled.extend((0..num_classes).map(|class| {
                    let of = rows().zip(&norms).map(|(row, norm)| f64::from(row[class]) - norm);
                    (ln_sum_exp(of) - ln_members) as f32
                }));
            }
            pooled
        }
    }
}

/// ln(1 + eˣ), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// ln Σ exp(x); NaN if one of them is not finite.
fn ln_sum_exp(all: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = all.clone().fold(f64::NEG_INFINITY, f64::max);
    if !all.clone().all(f64::is_finite) {
        return f64::NAN;
    }
    largest + all.map(|x| (x - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sigmoid(z: f32) -> f64 {
        1.0 / (1.0 + f64::from(-z).exp())
    }

    fn softmax(row: &[f32]) -> Vec<f64> {
        let exps: Vec<f64> = row.iter().map(|z| f64::from(*z).exp()).collect();
        exps.iter().map(|exp| exp / exps.iter().sum::<f64>()).collect()
    }

    #[test]
    fn probabilities_of_pooled_logits_are_the_mean() {
        let members = [vec![1.0, -2.0, 0.5, 3.0], vec![-0.5, 4.0, 0.0, -1.0]];
        for task in [Task::Binary, Task::MultiLabel { num_labels: 2 }] {
            for (at, z) in pooled_logits(task, &members).into_iter().enumerate() {
                let mean = (sigmoid(members[0][at]) + sigmoid(members[1][at])) / 2.0;
                assert!((sigmoid(z) - mean).abs() < 1e-7, "{task:?} {at}");
            }
        }
        let pooled = pooled_logits(Task::Multiclass { num_classes: 2 }, &members);
        for (row, pooled) in pooled.chunks(2).enumerate() {
            let [a, b] = [0, 1].map(|member: usize| softmax(&members[member][2 * row..][..2]));
            for class in 0..2 {
                assert!((softmax(pooled)[class] - (a[class] + b[class]) / 2.0).abs() < 1e-7);
            }
        }
    }

    #[test]
    fn equal_members_are_one_and_one_member_is_itself() {
        let logits = vec![0.3, -40.0, 1e9];
        assert_eq!(pooled_logits(Task::Binary, std::slice::from_ref(&logits)), logits);
        let three = vec![logits.clone(); 3];
        for (a, b) in pooled_logits(Task::Binary, &three).iter().zip(&logits) {
            assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} {b}");
        }
    }

    #[test]
    fn far_logits_stay_finite_and_what_is_not_finite_is_found() {
        let three = Task::Multiclass { num_classes: 3 };
        let far = pooled_logits(three, &[vec![1e9, 0.0, -1e9], vec![-1e9, 0.0, 1e9]]);
        assert!(far.iter().all(|z| z.is_finite()), "{far:?}");
        assert_eq!(far[0], far[2]);
        let broken = pooled_logits(three, &[vec![1.0, 0.0, 0.0], vec![0.0, f32::INFINITY, 0.0]]);
        assert!(broken.iter().any(|z| z.is_nan()));
        assert!(pooled_logits(Task::Binary, &[vec![1.0], vec![f32::NAN]])[0].is_nan());
    }
}
