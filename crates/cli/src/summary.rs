use kiln::{table::Warning, tabular::assessment::Assessment, train::Evaluation};
use serde::Serialize;

use crate::report;

/// How validation rows are called; `bag_folds`: as in `Training`.
pub(super) fn validation_rows(bag_folds: usize) -> &'static str {
    match bag_folds {
        0 => "validation rows (which chose the epoch, so a little optimistic)",
        _ => {
            "rows, each by the networks that were not trained on it (which chose the epoch, so a little \
             optimistic)"
        }
    }
}

/// What training has to say.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    pub(super) model: String,
    pub(super) task: &'a kiln::model::Task,
    pub(super) classes: &'a [String],
    pub(super) features: usize,
    pub(super) parameters: usize,
    pub(super) members: usize,
    #[serde(skip)]
    pub(super) bag_folds: usize,
    pub(super) train_rows: usize,
    pub(super) valid_rows: usize,
    pub(super) epochs: usize,
    pub(super) kept_epoch: usize,
    pub(super) warnings: Vec<Warning>,
    pub(super) temperature: f64,
    pub(super) threshold: f64,
    pub(super) valid: Option<Measured<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) test: Option<&'a Assessment>,
    pub(super) wrote: Vec<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Measured<'a> {
    Evaluated(&'a Evaluation),
    Assessed(&'a Assessment),
}

impl Summary<'_> {
    pub(super) fn text(&self) -> String {
        let Self { features, parameters, train_rows, epochs, kept_epoch, .. } = self;
        let networks = match self.members {
            1 => String::new(),
            members => format!(" {members} networks"),
        };
        let mut text = format!(
            "trained{networks} on {train_rows} rows, {features} feature{}, {parameters} parameters\n\
             {epochs} epoch{}, the weights are those of epoch {kept_epoch}\n",
            plural(*features),
            plural(*epochs)
        );
        match self.valid {
            Some(Measured::Assessed(valid)) => {
                text += &format!(
                    "on {} {}:\n{}",
                    self.valid_rows,
                    validation_rows(self.bag_folds),
                    report::assessment(valid)
                );
            }
            Some(Measured::Evaluated(valid)) => {
                text += &format!(
                    "on {} {}: accuracy {:.4}, log loss {:.4}\n",
                    self.valid_rows,
                    validation_rows(self.bag_folds),
                    valid.accuracy,
                    valid.log_loss
                );
            }
            None => {}
        }
        if let Some(test) = self.test {
            text += &format!("on {} test rows:\n{}", test.scores.rows(), report::assessment(test));
        }
        for path in &self.wrote {
            text += &format!("wrote {path}\n");
        }
        text
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
