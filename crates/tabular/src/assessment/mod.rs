//! What is said about a classifier: its metrics with their intervals, what else reaches how much on the
//! same rows, what matters to it and where it errs; and the report that shows all that.

pub(crate) mod charts;
pub(crate) mod page;
mod runs;

use std::collections::BTreeMap;

use kiln_train::{Evaluation, Importance, Intervals, Metric, Scores};
use serde::Serialize;

pub use page::{About, epochs};
pub use runs::{Run, Runs};

/// What is known of a classifier from some rows.
#[derive(Debug, Clone, Serialize)]
pub struct Assessment {
    /// The names of the classes or labels.
    pub classes: Vec<String>,
    /// What it said of each row.
    #[serde(skip)]
    pub scores: Scores,
    /// Every metric.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// 95 % intervals of the headline metrics.
    pub intervals: Intervals,
    /// What else does on the same rows.
    #[serde(serialize_with = "by_name")]
    pub baselines: Vec<Baseline>,
    /// What logits were divided by.
    pub temperature: f64,
    /// What the network says without it; `None` where it is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncalibrated: Option<Uncalibrated>,
    /// The probability from which on the positive class, or a label, is decided.
    pub threshold: f64,
    /// Rows that were also trained on; `None`: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_rows: Option<usize>,
    /// Of each column, the most important first; empty if not asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub importance: Vec<ColumnImportance>,
    /// The most confidently wrong rows; empty if not asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<Mistake>,
}

/// What the network says with a temperature of 1.
#[derive(Debug, Clone, Serialize)]
pub struct Uncalibrated {
    /// Of each row.
    #[serde(skip)]
    pub scores: Scores,
    /// Every metric.
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

/// Something simple that the classifier should be better than.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// What it is.
    pub name: String,
    /// On the rows of the assessment.
    pub evaluation: Evaluation,
}

/// What the log loss rises by when the values of a column are dealt anew over the rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnImportance {
    /// The column.
    pub column: String,
    /// Nats per row.
    #[serde(flatten)]
    pub importance: Importance,
}

/// A row that is not what it was decided to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mistake {
    /// Where it stands: `line 17`.
    pub location: String,
    /// What it is.
    pub actual: String,
    /// What was decided.
    pub decided: String,
    /// The probability of what was decided.
    pub probability: f64,
    /// What stands in some columns of it.
    pub values: Vec<(String, String)>,
    /// Its pixels, from 0 to 1 and row by row from the top, where it is a picture.
    #[serde(skip)]
    pub picture: Option<Vec<f32>>,
}

impl Assessment {
    /// Metrics and intervals; nothing beside them. `seed` draws the rows of the bootstrap.
    pub fn new(classes: Vec<String>, scores: Scores, seed: u64) -> Self {
        Self {
            classes,
            evaluation: scores.evaluation(),
            intervals: scores.intervals(seed),
            scores,
            baselines: Vec::new(),
            temperature: 1.0,
            uncalibrated: None,
            threshold: 0.5,
            shared_rows: None,
            importance: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    /// The decisions that are wrong with the highest probability, at most so many, each with its row: by
    /// number, with nothing of what stands there.
    pub fn worst_mistakes(&self, count: usize) -> Vec<(usize, Mistake)> {
        let scores = &self.scores;
        let width = scores.actual().len() / scores.rows();
        let (confidence, right) = scores.confidence();
        let mut wrong: Vec<usize> = (0..right.len()).filter(|decision| !right[*decision]).collect();
        wrong.sort_by(|a, b| confidence[*b].total_cmp(&confidence[*a]).then(a.cmp(b)));
        let mistake = |decision: usize| {
            let (row, label) = (decision / width, decision % width);
            let mistake = Mistake {
                location: format!("row {}", row + 1),
                actual: self.decision_name(label, scores.actual()[decision]),
                decided: self.decision_name(label, scores.decisions()[decision]),
                probability: confidence[decision],
                values: Vec::new(),
                picture: None,
            };
            (row, mistake)
        };
        wrong.into_iter().take(count).map(mistake).collect()
    }

    /// A decision in words: the class, or whether the label applies.
    fn decision_name(&self, label: usize, decision: u32) -> String {
        match self.scores.task() {
            kiln_model::Task::MultiLabel { .. } => {
                let name = &self.classes[label];
                if decision == 1 { name.clone() } else { format!("not {name}") }
            }
            _ => self.classes[decision as usize].clone(),
        }
    }
}

/// The headline metrics of each, by name.
fn by_name<S: serde::Serializer>(baselines: &[Baseline], serializer: S) -> Result<S::Ok, S::Error> {
    let metrics = |evaluation: &Evaluation| -> BTreeMap<&str, f64> {
        let value = |metric: Metric| Some((metric.name(), metric.of(evaluation)?));
        Metric::ALL.into_iter().filter_map(value).collect()
    };
    serializer.collect_map(
        baselines.iter().map(|of| (of.name.replace(' ', "_"), metrics(&of.evaluation))),
    )
}
