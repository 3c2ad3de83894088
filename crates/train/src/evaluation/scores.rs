use kiln_data::{Dataset, Targets};
use kiln_model::Task;

use crate::{
    decision::{argmax, decide},
    metrics::log_loss,
    predictions::Predictions,
};

/// What was predicted for each row beside what is the case: plain numbers, from which every metric, curve
/// and test comes.
///
/// Where targets are distributions or fractions, a row's class is its most probable one.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    task: Task,
    loss: f64,
    actual: Vec<u32>,
    decisions: Vec<u32>,
    probabilities: Vec<f64>,
}

impl Scores {
    /// Puts predictions beside the targets of the dataset they were made for.
    ///
    /// # Panics
    ///
    /// If they were made for another dataset or task.
    pub fn new(task: Task, dataset: &Dataset, predictions: &Predictions) -> Self {
        let actual = actual(task, dataset.targets());
        assert_eq!(actual.len(), predictions.decisions.len(), "a decision for each target");
        Self {
            task,
            loss: mean_loss(&predictions.losses, dataset.weights()),
            actual,
            decisions: predictions.decisions.clone(),
            probabilities: probabilities(task, &predictions.logits),
        }
    }

    /// The probabilities that the same predictions have when their logits are divided by a temperature;
    /// decisions stay as they are.
    pub fn at_temperature(&self, predictions: &Predictions, temperature: f64) -> Self {
        let logits =
            predictions.logits.iter().map(|logit| (f64::from(*logit) / temperature) as f32);
        let logits: Vec<f32> = logits.collect();
        Self { probabilities: probabilities(self.task, &logits), ..self.clone() }
    }

    /// What was predicted.
    pub fn task(&self) -> Task {
        self.task
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.probabilities.len() / self.task.d_output()
    }

    /// The loss that was trained, mean nats per row, row weights included.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// The class of each row, or, row-major, a 0 or 1 for each label.
    pub fn actual(&self) -> &[u32] {
        &self.actual
    }

    /// What was decided, in the same form.
    pub fn decisions(&self) -> &[u32] {
        &self.decisions
    }

    /// Row-major `[rows, d_output]`: of each class or label; of the positive class alone where there are
    /// two.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// Mean nats per row; multi-label: mean over labels.
    pub fn log_loss(&self) -> f64 {
        match self.task {
            Task::Multiclass { num_classes } => {
                log_loss(&self.probabilities, &self.actual, num_classes)
            }
            // Each label is a row of its own.
            Task::Binary | Task::MultiLabel { .. } => {
                let both: Vec<f64> =
                    self.probabilities.iter().flat_map(|p| [1.0 - p, *p]).collect();
                log_loss(&both, &self.actual, 2)
            }
        }
    }

    /// The probability of one class, or label, for each row, and whether the row is of it. Of a binary
    /// task, class 0 is the negative one.
    ///
    /// # Panics
    ///
    /// If there is no such class.
    pub fn of_class(&self, class: usize) -> (Vec<f64>, Vec<bool>) {
        match self.task {
            Task::Binary => {
                assert!(class < 2, "class {class} of 2");
                let p = |p: &f64| if class == 1 { *p } else { 1.0 - p };
                let positive = self.actual.iter().map(|actual| *actual as usize == class);
                (self.probabilities.iter().map(p).collect(), positive.collect())
            }
            Task::Multiclass { .. } => {
                let positive = self.actual.iter().map(|actual| *actual as usize == class);
                (self.column(&self.probabilities, class), positive.collect())
            }
            Task::MultiLabel { .. } => {
                let actual = self.column(&self.actual, class);
                let positive = actual.into_iter().map(|actual| actual == 1).collect();
                (self.column(&self.probabilities, class), positive)
            }
        }
    }

    /// How many rows each class has, or have each label.
    pub fn class_rows(&self) -> Vec<usize> {
        rows_of_classes(self.task, &self.actual)
    }

    /// The probability of each decision, and whether it is right; of a multi-label task, one for each label
    /// of each row.
    pub fn confidence(&self) -> (Vec<f64>, Vec<bool>) {
        let decided = self.decisions.iter();
        let confidence = match self.task {
            Task::Multiclass { num_classes } => {
                let rows = self.probabilities.chunks_exact(num_classes);
                rows.zip(decided).map(|(row, class)| row[*class as usize]).collect()
            }
            Task::Binary | Task::MultiLabel { .. } => {
                let of = |(p, decided): (&f64, &u32)| if *decided == 1 { *p } else { 1.0 - p };
                self.probabilities.iter().zip(decided).map(of).collect()
            }
        };
        let right = self.actual.iter().zip(&self.decisions).map(|(a, d)| a == d).collect();
        (confidence, right)
    }

    /// The rows, from 0, whose decision is not right; multi-label: in every label.
    pub fn mistakes(&self) -> Vec<usize> {
        self.right_rows().enumerate().filter(|(_, right)| !right).map(|(row, _)| row).collect()
    }

    /// Whether the decision of each row is right; multi-label: in every label.
    pub(super) fn right_rows(&self) -> impl Iterator<Item = bool> {
        let width = self.width();
        let rows = self.actual.chunks_exact(width).zip(self.decisions.chunks_exact(width));
        rows.map(|(actual, decided)| actual == decided)
    }

    /// The same rows with the same probabilities for each, `[d_output]`: what guessing scores.
    ///
    /// # Panics
    ///
    /// If there is not one for each output.
    pub fn constant(&self, probabilities: &[f64]) -> Self {
        assert_eq!(probabilities.len(), self.task.d_output(), "one probability for each output");
        let decision = decide(self.task, probabilities, 0.5);
        let mut guess = Self {
            task: self.task,
            loss: 0.0,
            actual: self.actual.clone(),
            decisions: decision.repeat(self.rows()),
            probabilities: probabilities.repeat(self.rows()),
        };
        guess.loss = guess.log_loss();
        guess
    }

    /// The scores of some rows; one may come more than once. The loss stays that of all rows.
    pub fn select(&self, rows: &[usize]) -> Self {
        fn pick<T: Copy>(values: &[T], width: usize, rows: &[usize]) -> Vec<T> {
            rows.iter().flat_map(|row| &values[row * width..][..width]).copied().collect()
        }
        let width = self.width();
        Self {
            task: self.task,
            loss: self.loss,
            actual: pick(&self.actual, width, rows),
            decisions: pick(&self.decisions, width, rows),
            probabilities: pick(&self.probabilities, self.task.d_output(), rows),
        }
    }

    /// Labels, or 1.
    pub(super) fn width(&self) -> usize {
        self.actual.len() / self.rows()
    }

    /// The values of one output, of values for each of them.
    pub(super) fn column<T: Copy>(&self, values: &[T], output: usize) -> Vec<T> {
        let width = values.len() / self.rows();
        values.iter().skip(output).step_by(width).copied().collect()
    }
}

/// Σ wᵢ·lᵢ / Σ wᵢ in f64.
pub(crate) fn mean_loss(losses: &[f32], weights: Option<&[f32]>) -> f64 {
    let (rows, losses) = (losses.len(), losses.iter().map(|loss| f64::from(*loss)));
    match weights {
        None => losses.sum::<f64>() / rows as f64,
        Some(weights) => {
            let weights = weights.iter().map(|weight| f64::from(*weight));
            let weighted: f64 = losses.zip(weights.clone()).map(|(loss, w)| loss * w).sum();
            weighted / weights.sum::<f64>()
        }
    }
}

/// The share of rows whose decisions, `width` of them, are all right.
pub(crate) fn exact_match(actual: &[u32], decisions: &[u32], width: usize) -> f64 {
    let rows = actual.chunks_exact(width).zip(decisions.chunks_exact(width));
    let right = rows.filter(|(actual, decided)| actual == decided).count();
    right as f64 / (actual.len() / width) as f64
}

/// The right decision for each row, in the form of [`Predictions::decisions`].
pub(crate) fn actual(task: Task, targets: &Targets) -> Vec<u32> {
    match targets {
        Targets::Classes { indices, .. } => indices.clone(),
        Targets::Dense { values, width } => match task {
            Task::Multiclass { .. } => values.chunks_exact(*width).map(argmax).collect(),
            _ => values.iter().map(|value| u32::from(*value >= 0.5)).collect(),
        },
    }
}

/// How many rows each class has, or have each label.
pub fn class_rows(task: Task, targets: &Targets) -> Vec<usize> {
    rows_of_classes(task, &actual(task, targets))
}

fn rows_of_classes(task: Task, actual: &[u32]) -> Vec<usize> {
    let mut rows = match task {
        Task::Binary => vec![0; 2],
        Task::Multiclass { num_classes } => vec![0; num_classes],
        Task::MultiLabel { num_labels } => vec![0; num_labels],
    };
    match task {
        Task::MultiLabel { num_labels } => {
            for (i, value) in actual.iter().enumerate() {
                rows[i % num_labels] += *value as usize;
            }
        }
        _ => actual.iter().for_each(|class| rows[*class as usize] += 1),
    }
    rows
}

/// Sigmoid or softmax in f64: an f32 probability near 1 loses the digits that log loss is made of.
fn probabilities(task: Task, logits: &[f32]) -> Vec<f64> {
    match task {
        Task::Binary | Task::MultiLabel { .. } => {
            logits.iter().map(|z| 1.0 / (1.0 + (-f64::from(*z)).exp())).collect()
        }
        Task::Multiclass { num_classes } => {
            let mut probabilities = Vec::with_capacity(logits.len());
            for row in logits.chunks_exact(num_classes) {
                let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let exp: Vec<f64> = row.iter().map(|z| f64::from(z - max).exp()).collect();
                let sum: f64 = exp.iter().sum();
                probabilities.extend(exp.iter().map(|e| e / sum));
            }
            probabilities
        }
    }
}
