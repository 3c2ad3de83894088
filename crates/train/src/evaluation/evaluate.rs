use kiln_data::Dataset;
use kiln_model::Task;
use serde::Serialize;

use super::scores::{Scores, exact_match};
use crate::{
    metrics::{
        ConfusionMatrix, brier, brier_binary, expected_calibration_error, log_loss, macro_ovr,
        mean_of_some, pr_auc, roc_auc, top_k_accuracy,
    },
    predictions::Predictions,
};

/// Bins of the expected calibration error, as in Guo et al. 2017.
pub const CALIBRATION_BINS: usize = 15;
/// Up to this many guesses count in `top_k_accuracy`.
const MAX_TOP_K: usize = 5;

/// How good predictions are over a whole dataset. Computed in f64 on all rows at once, never as a
/// mean of batches.
///
/// Row weights count in `loss` only; every other number counts each row once. Where targets are
/// distributions or fractions, a row's class is its most probable one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Number of rows.
    pub rows: usize,
    /// The loss that was trained, in nats: class weights, smoothing and row weights included.
    pub loss: f64,
    /// Share of rows whose decision is right; multi-label: in every label.
    pub accuracy: f64,
    /// Mean recall of the classes; multi-label: mean over labels.
    pub balanced_accuracy: f64,
    /// Mean F1 of the classes; multi-label: of the labels' positive classes.
    pub macro_f1: f64,
    /// Share of rows with the right class among the k most probable, for k = 1, 2, … up to 5 or the
    /// number of classes; empty for other tasks than multiclass.
    pub top_k_accuracy: Vec<f64>,
    /// Mean nats per row; multi-label: mean over labels.
    pub log_loss: f64,
    /// Binary and multi-label: mean squared error of the probability, in [0, 1]. Multiclass: summed
    /// over the classes, in [0, 2].
    pub brier: f64,
    /// Gap between confidence and accuracy, in [0, 1], over 15 bins of equal width.
    pub calibration_error: f64,
    /// Area under the ROC curve; multiclass and multi-label: mean over the classes, or labels, that
    /// occur and do not fill the data. `None` where there are none.
    pub roc_auc: Option<f64>,
    /// Area under the precision–recall curve (average precision), averaged likewise.
    pub pr_auc: Option<f64>,
    /// One matrix, or one 2×2 matrix per label.
    pub confusion: Vec<ConfusionMatrix>,
}

impl Evaluation {
    /// Compares predictions with the targets of the dataset they were made for:
    /// [`Scores::evaluation`].
    ///
    /// # Panics
    ///
    /// If they were made for another dataset or task.
    pub fn new(task: Task, dataset: &Dataset, predictions: &Predictions) -> Self {
        Scores::new(task, dataset, predictions).evaluation()
    }

    fn of_scores(scores: &Scores) -> Self {
        let (loss, actual, decisions) = (scores.loss(), scores.actual(), scores.decisions());
        let probabilities = scores.probabilities();
        match scores.task() {
            Task::Multiclass { num_classes } => {
                Self::multiclass(loss, actual, decisions, probabilities, num_classes)
            }
            Task::Binary | Task::MultiLabel { .. } => {
                let labels: Vec<Self> = (0..scores.width())
                    .map(|label| {
                        let [actual, decided] =
                            [actual, decisions].map(|values| scores.column(values, label));
                        Self::binary(loss, &actual, &decided, &scores.column(probabilities, label))
                    })
                    .collect();
                Self::over_labels(labels, exact_match(actual, decisions, scores.width()))
            }
        }
    }

    fn multiclass(
        loss: f64,
        actual: &[u32],
        decisions: &[u32],
        probabilities: &[f64],
        num_classes: usize,
    ) -> Self {
        let confusion = ConfusionMatrix::from_classes(actual, decisions, num_classes);
        let confidence: Vec<f64> = probabilities
            .chunks_exact(num_classes)
            .zip(decisions)
            .map(|(row, class)| row[*class as usize])
            .collect();
        let correct: Vec<bool> = actual.iter().zip(decisions).map(|(a, d)| a == d).collect();
        Self {
            rows: actual.len(),
            loss,
            accuracy: confusion.accuracy(),
            balanced_accuracy: confusion.balanced_accuracy(),
            macro_f1: confusion.macro_f1(),
            top_k_accuracy: (1..=num_classes.min(MAX_TOP_K))
                .map(|k| top_k_accuracy(probabilities, actual, num_classes, k))
                .collect(),
            log_loss: log_loss(probabilities, actual, num_classes),
            brier: brier(probabilities, actual, num_classes),
            calibration_error: expected_calibration_error(&confidence, &correct, CALIBRATION_BINS),
            roc_auc: macro_ovr(probabilities, actual, num_classes, roc_auc),
            pr_auc: macro_ovr(probabilities, actual, num_classes, pr_auc),
            confusion: vec![confusion],
        }
    }

    fn binary(loss: f64, actual: &[u32], decisions: &[u32], probabilities: &[f64]) -> Self {
        let positive: Vec<bool> = actual.iter().map(|class| *class == 1).collect();
        let both: Vec<f64> = probabilities.iter().flat_map(|p| [1.0 - p, *p]).collect();
        Self {
            top_k_accuracy: Vec::new(),
            brier: brier_binary(probabilities, &positive),
            roc_auc: roc_auc(probabilities, &positive),
            pr_auc: pr_auc(probabilities, &positive),
            ..Self::multiclass(loss, actual, decisions, &both, 2)
        }
    }

    fn over_labels(mut labels: Vec<Self>, exact_match: f64) -> Self {
        if labels.len() == 1 {
            return labels.remove(0);
        }
        let mean =
            |value: fn(&Self) -> f64| labels.iter().map(value).sum::<f64>() / labels.len() as f64;
        Self {
            rows: labels[0].rows,
            loss: labels[0].loss,
            accuracy: exact_match,
            balanced_accuracy: mean(|label| label.balanced_accuracy),
            macro_f1: mean(|label| label.confusion[0].f1(1)),
            top_k_accuracy: Vec::new(),
            log_loss: mean(|label| label.log_loss),
            brier: mean(|label| label.brier),
            calibration_error: mean(|label| label.calibration_error),
            roc_auc: mean_of_some(labels.iter().map(|label| label.roc_auc)),
            pr_auc: mean_of_some(labels.iter().map(|label| label.pr_auc)),
            confusion: labels.iter().map(|label| label.confusion[0].clone()).collect(),
        }
    }
}

impl Scores {
    /// Every metric.
    pub fn evaluation(&self) -> Evaluation {
        Evaluation::of_scores(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_data::Targets;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-7, "{found} {expected}");
    }

    #[test]
    fn multiclass_numbers_are_those_of_the_definitions() {
        let dataset = Dataset::new(
            vec![0.0; 3],
            1,
            Targets::Classes { indices: vec![0, 1, 1], num_classes: 2 },
        )
        .unwrap()
        .with_weights(vec![1.0, 1.0, 2.0])
        .unwrap();
        // Softmax of [ln 3, 0] is [¾, ¼].
        let z = 3.0_f32.ln();
        let predictions = Predictions {
            logits: vec![z, 0.0, 0.0, z, z, 0.0],
            losses: vec![0.3, 0.5, 1.4],
            decisions: vec![0, 1, 0],
        };
        let found = Evaluation::new(Task::Multiclass { num_classes: 2 }, &dataset, &predictions);
        close(found.loss, (0.3 + 0.5 + 2.0 * 1.4) / 4.0);
        close(found.accuracy, 2.0 / 3.0);
        let scores = Scores::new(Task::Multiclass { num_classes: 2 }, &dataset, &predictions);
        assert_eq!(scores.mistakes(), [2]);
        close(scores.log_loss(), found.log_loss);
        close(found.balanced_accuracy, 0.75);
        close(found.log_loss, (2.0 * (4.0_f64 / 3.0).ln() + 4.0_f64.ln()) / 3.0);
        close(found.brier, (2.0 * 0.125 + 1.125) / 3.0);
        // Confidence ¾ everywhere, right in two of three.
        close(found.calibration_error, 0.75 - 2.0 / 3.0);
        assert_eq!(found.top_k_accuracy, [2.0 / 3.0, 1.0]);
        assert_eq!(found.confusion[0].count(1, 0), 1);
    }

    #[test]
    fn binary_columns_and_classes_give_the_same_numbers() {
        let predictions = Predictions {
            logits: vec![2.0, -1.0, 0.5, -3.0],
            losses: vec![0.1, 0.2, 0.3, 0.4],
            decisions: vec![1, 0, 1, 0],
        };
        let classes = Targets::Classes { indices: vec![1, 1, 0, 0], num_classes: 2 };
        let column = Targets::Dense { values: vec![1.0, 1.0, 0.0, 0.0], width: 1 };
        let evaluate = |targets| {
            let dataset = Dataset::new(vec![0.0; 4], 1, targets).unwrap();
            Evaluation::new(Task::Binary, &dataset, &predictions)
        };
        let found = evaluate(classes);
        assert_eq!(found, evaluate(column));
        assert_eq!((found.accuracy, found.roc_auc), (0.5, Some(0.75)));
    }

    #[test]
    fn multi_label_rows_are_right_only_in_every_label() {
        let targets = Targets::Dense { values: vec![1.0, 0.0, 1.0, 1.0], width: 2 };
        let dataset = Dataset::new(vec![0.0; 2], 1, targets).unwrap();
        let predictions = Predictions {
            logits: vec![1.0, -1.0, 1.0, -1.0],
            losses: vec![0.0, 0.0],
            decisions: vec![1, 0, 1, 0],
        };
        let found = Evaluation::new(Task::MultiLabel { num_labels: 2 }, &dataset, &predictions);
        assert_eq!(found.accuracy, 0.5);
        assert_eq!(found.confusion.len(), 2);
        // The first label is always positive: it has no area; the second is tied.
        assert_eq!(found.roc_auc, Some(0.5));
        close(found.macro_f1, 0.5);
    }
}
