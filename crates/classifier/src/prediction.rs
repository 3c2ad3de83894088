use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, StringArray};
use kiln_model::Task;
use kiln_table::RowProblem;
use serde::Serialize;

use crate::Manifest;

/// Probabilities, row by row: of each class, or of each label.
#[derive(Debug, Clone, PartialEq)]
pub struct Probabilities {
    values: Vec<f32>,
    classes: usize,
}

impl Probabilities {
    /// Row-major `[rows, classes]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Classes or labels: values per row. A binary task has two.
    pub fn num_classes(&self) -> usize {
        self.classes
    }

    /// One slice per row, in the order of [`Classifier::classes`](crate::Classifier::classes).
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.classes)
    }

    /// From logits, row-major `[rows, task.d_output()]`.
    ///
    /// Computed on the host in f64, so that no backend's `exp` decides, and rounded at the end.
    pub(crate) fn from_logits(task: Task, logits: &[f32], temperature: f64) -> Self {
        let scaled = |logit: &f32| f64::from(*logit) / temperature;
        let (values, classes) = match task {
            Task::Binary => {
                let both = |logit: f64| [sigmoid(-logit), sigmoid(logit)];
                (logits.iter().flat_map(|logit| both(scaled(logit))).collect(), 2)
            }
            Task::MultiLabel { num_labels } => {
                (logits.iter().map(|logit| sigmoid(scaled(logit))).collect(), num_labels)
            }
            Task::Multiclass { num_classes } => {
                let mut values = Vec::with_capacity(logits.len());
                for row in logits.chunks_exact(num_classes) {
                    // Not one exponent is above 0, and one is 0: nothing overflows, however low the
                    // temperature, and the sum is 1 or more.
                    let largest = row.iter().fold(f32::NEG_INFINITY, |max, z| max.max(*z));
                    let below = |z: &f32| f64::from(*z) - f64::from(largest);
                    let exps = || row.iter().map(|z| (below(z) / temperature).exp());
                    let sum: f64 = exps().sum();
                    values.extend(exps().map(|exp| (exp / sum) as f32));
                }
                (values, num_classes)
            }
        };
        Self { values, classes }
    }

    pub(crate) fn set_unknown(&mut self, row: usize) {
        self.values[row * self.classes..][..self.classes].fill(f32::NAN);
    }
}

fn sigmoid(x: f64) -> f32 {
    let e = (-x.abs()).exp();
    (if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }) as f32
}

/// What a classifier says about the rows of one chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Of each row; NaN for the rows that have a problem.
    pub probabilities: Probabilities,
    /// The rows about which nothing can be said, in order, each once.
    pub problems: Vec<RowProblem>,
}

/// What is decided about one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Prediction {
    /// The class: of binary and multiclass tasks.
    Class(String),
    /// The labels that apply, perhaps none: of multi-label tasks.
    Labels(Vec<String>),
}

/// The class, or the labels as `a, b`.
impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(class) => f.write_str(class),
            Self::Labels(labels) => f.write_str(&labels.join(", ")),
        }
    }
}

/// What follows from logits, without a network.
impl Manifest {
    /// The probability of each class, or label, from logits, row-major `[rows, task.d_output()]`.
    pub fn probabilities(&self, logits: &[f32]) -> Probabilities {
        Probabilities::from_logits(self.task, logits, self.temperature)
    }

    /// The decision from one row of probabilities; `None` where they are NaN.
    pub fn decide(&self, probabilities: &[f32]) -> Option<Prediction> {
        if probabilities.iter().any(|p| p.is_nan()) {
            return None;
        }
        let classes = self.target.classes();
        let mut names = self.decide_indices(probabilities).into_iter().map(|i| classes[i].clone());
        match self.task {
            Task::MultiLabel { .. } => Some(Prediction::Labels(names.collect())),
            _ => names.next().map(Prediction::Class),
        }
    }

    /// The same as indices of the classes or labels: one class, or any number of labels; none where
    /// the probabilities are NaN.
    pub fn decide_indices(&self, probabilities: &[f32]) -> Vec<usize> {
        decide(self.task, probabilities, self.threshold)
    }

    /// The names of [`prediction_columns`](Self::prediction_columns).
    pub fn prediction_names(&self) -> Vec<String> {
        let classes = self.target.classes().iter();
        let probabilities = classes.map(|class| format!("probability_{class}"));
        std::iter::once("prediction".to_owned()).chain(probabilities).collect()
    }

    /// Predictions as a table has them: the decisions as text, then the probabilities of each class or
    /// label. Null where they are NaN.
    pub fn prediction_columns(&self, probabilities: &Probabilities) -> Vec<ArrayRef> {
        let decided = probabilities.rows().map(|row| self.decide(row));
        let decided = decided.map(|prediction| prediction.map(|decided| decided.to_string()));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter(decided))];
        for class in 0..probabilities.num_classes() {
            let of_class = probabilities.rows().map(|row| row[class]);
            let known = of_class.map(|p| (!p.is_nan()).then_some(p));
            columns.push(Arc::new(Float32Array::from_iter(known)));
        }
        columns
    }
}

/// Why nothing can be said from the logits of a row, if they are not all finite.
pub fn logit_problem(logits: &[f32]) -> Option<String> {
    let logit = logits.iter().find(|logit| !logit.is_finite())?;
    Some(format!("a logit of the network is {logit}, expected finite numbers"))
}

/// Indices of what is decided, from one row of probabilities: one class, or any number of labels;
/// none where they are NaN.
pub(crate) fn decide(task: Task, probabilities: &[f32], threshold: f64) -> Vec<usize> {
    if probabilities.iter().any(|p| p.is_nan()) {
        return Vec::new();
    }
    let reached = |p: &f32| f64::from(*p) >= threshold;
    match task {
        Task::Binary => vec![usize::from(reached(&probabilities[1]))],
        Task::MultiLabel { .. } => {
            (0..probabilities.len()).filter(|label| reached(&probabilities[*label])).collect()
        }
        Task::Multiclass { .. } => {
            let mut best = 0;
            for (class, p) in probabilities.iter().enumerate() {
                if *p > probabilities[best] {
                    best = class;
                }
            }
            vec![best]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_hold_at_any_logit() {
        let softmax = |logits: &[f32], temperature| {
            let task = Task::Multiclass { num_classes: logits.len() };
            Probabilities::from_logits(task, logits, temperature).values
        };
        assert_eq!(softmax(&[1e9, -1e9, 0.0], 1.0), [1.0, 0.0, 0.0]);
        assert_eq!(softmax(&[f32::MAX, f32::MAX], 1e-300), [0.5, 0.5]);
        // 1 / (1 + e) and e / (1 + e)
        assert_eq!(softmax(&[0.0, 2.0], 2.0), [0.268_941_43, 0.731_058_6]);
        let binary = Probabilities::from_logits(Task::Binary, &[-1e9, 0.0, 100.0], 1.0);
        assert_eq!(binary.values, [1.0, 0.0, 0.5, 0.5, 3.8e-44, 1.0]);
        let labels = Task::MultiLabel { num_labels: 3 };
        let labels = Probabilities::from_logits(labels, &[0.0, 1e9, -1e9], 1.0);
        assert_eq!(labels.rows().collect::<Vec<_>>(), [[0.5, 1.0, 0.0]]);
    }

    #[test]
    fn decisions_follow_the_rule_of_the_task() {
        assert_eq!(decide(Task::Binary, &[0.7, 0.3], 0.3001), [0]);
        assert_eq!(decide(Task::Binary, &[0.75, 0.25], 0.25), [1]);
        let three = Task::Multiclass { num_classes: 3 };
        assert_eq!(decide(three, &[0.2, 0.4, 0.4], 0.9), [1]);
        let labels = Task::MultiLabel { num_labels: 3 };
        assert_eq!(decide(labels, &[0.2, 0.5, 0.9], 0.5), [1, 2]);
        assert!(decide(labels, &[0.2, 0.1, 0.0], 0.5).is_empty());
        assert!(decide(Task::Binary, &[f32::NAN, f32::NAN], 0.5).is_empty());
    }
}
