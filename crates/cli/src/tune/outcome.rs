use std::collections::BTreeMap;

use kiln::{
    tabular::assessment::Assessment,
    tabular::tune::{Importance, Space, Stopped, Trial, TrialState},
    train::{Comparison, Evaluation, Metric},
};
use serde_json::{Value, json};

use crate::report::{aligned, assessment};

/// What a search has to say.
pub(super) struct Outcome<'a> {
    pub(super) file: &'a str,
    pub(super) trials: &'a [Trial],
    pub(super) space: &'a Space,
    pub(super) stopped: Stopped,
    pub(super) best: &'a Trial,
    pub(super) importance: Vec<Importance>,
    /// Rows that trials have seen.
    pub(super) inner_rows: usize,
    /// Of the best settings, on the rows that no trial has seen.
    pub(super) assessment: &'a Assessment,
    /// Of the default settings; `None` where those are the best.
    pub(super) default: Option<Measured>,
    pub(super) wrote: Vec<String>,
}

/// The default settings on the rows that no trial has seen.
pub(super) struct Measured {
    pub(super) evaluation: Evaluation,
    /// The best ones beside them.
    pub(super) comparison: Comparison,
}

impl Outcome<'_> {
    fn count(&self, state: TrialState) -> usize {
        self.trials.iter().filter(|trial| trial.state == state).count()
    }

    /// The trial of the default settings.
    fn first(&self) -> Option<&Trial> {
        self.trials.first().filter(|trial| trial.trial == 0)
    }

    fn outer_rows(&self) -> usize {
        self.assessment.scores.rows()
    }

    fn difference(&self, metric: Metric) -> Option<String> {
        let comparison = &self.default.as_ref()?.comparison;
        let (difference, interval) = comparison.differences.get(&metric)?;
        Some(format!("{difference:+.4}, 95 % interval {interval:+.4}"))
    }

    /// What stands at the top of the file of options.
    pub(super) fn comment(&self) -> String {
        let Self { file, best, .. } = self;
        let trials = counted(self.trials.len());
        let loss = |trial: Option<&Trial>| number(trial.and_then(|trial| trial.loss));
        let (found, defaults) = (loss(Some(best)), loss(self.first()));
        let mut text = match best.trial {
            0 => format!(
                "# The defaults: of {trials} of `kiln tune` on {file} none had a lower validation loss than \
                 their {defaults}.\n"
            ),
            number => format!(
                "# Found by `kiln tune` in {trials} on {file}: trial {number}.\n\
                 # It was chosen by its validation loss of {found}, which is therefore too good; that of the \
                 defaults is {defaults}.\n"
            ),
        };
        let outer = |of: &Evaluation| number(Metric::LogLoss.of(of));
        let rows = self.outer_rows();
        text += &format!(
            "# On {rows} rows that no trial saw: log loss {}",
            outer(&self.assessment.evaluation)
        );
        match (&self.default, self.difference(Metric::LogLoss)) {
            (Some(default), Some(difference)) => {
                let defaults = outer(&default.evaluation);
                text +=
                    &format!("; that of the defaults is {defaults} (difference {difference}).\n");
            }
            _ => text += ".\n",
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let settings = |trial: &Trial| -> BTreeMap<&str, Value> {
            let values = self.space.settings().iter().zip(&trial.values);
            values.map(|(of, value)| (of.name.name(), json!(value))).collect()
        };
        let trial = |trial: &Trial| {
            json!({
                "trial": trial.trial,
                "validation_loss": trial.loss,
                "settings": settings(trial),
            })
        };
        let importance: BTreeMap<&str, f64> =
            self.importance.iter().map(|of| (of.name.name(), of.share)).collect();
        let default = self.default.as_ref();
        json!({
            "file": self.file,
            "trials": self.trials.len(),
            "complete": self.count(TrialState::Complete),
            "pruned": self.count(TrialState::Pruned),
            "diverged": self.count(TrialState::Diverged),
            "stopped": self.stopped,
            "best": trial(self.best),
            "default": self.first().map(trial),
            "importance": importance,
            "unseen": {
                "rows": self.outer_rows(),
                "train_rows": self.inner_rows,
                "best": self.assessment,
                "default": default.map(|of| &of.evaluation),
                "differences": default.map(|of| &of.comparison.differences),
            },
            "wrote": self.wrote,
        })
    }

    pub(super) fn text(&self) -> String {
        let Self { trials, best, .. } = self;
        let mut text = match self.stopped {
            Stopped::Deadline => "the time is over: ".to_owned(),
            _ => String::new(),
        };
        text += &format!(
            "{}, {} complete, {} given up early, {} diverged\n",
            counted(trials.len()),
            self.count(TrialState::Complete),
            self.count(TrialState::Pruned),
            self.count(TrialState::Diverged)
        );
        text += &match best.trial {
            0 => "none was better than the defaults, which are trial 0:\n".to_owned(),
            number => format!("the best is trial {number}:\n"),
        };
        text += &self.settings();
        text += &format!(
            "on {} rows that no trial saw, trained on the other {}:\n{}",
            self.outer_rows(),
            self.inner_rows,
            assessment(self.assessment)
        );
        if let Some(Measured { comparison, .. }) = &self.default {
            text += "the best minus the defaults on these rows, with 95 % intervals:\n";
            let lines = comparison.differences.iter().map(|(metric, (difference, interval))| {
                vec![
                    metric.name().to_owned(),
                    format!("{difference:+.4}"),
                    format!("{interval:+.4}"),
                ]
            });
            text += &aligned(&lines.collect::<Vec<_>>());
        }
        for path in &self.wrote {
            text += &format!("wrote {path}\n");
        }
        text
    }

    /// One searched setting a line, and the loss by which trials were compared.
    fn settings(&self) -> String {
        let mut head = vec![String::new(), "best".to_owned(), "default".to_owned()];
        if !self.importance.is_empty() {
            head.push("importance".to_owned());
        }
        let mut lines = vec![head];
        let first = self.first();
        for (i, setting) in self.space.settings().iter().enumerate() {
            let value = |trial: &Trial| trial.values[i].to_string();
            let mut line = vec![setting.name.name().to_owned(), value(self.best)];
            line.push(first.map_or_else(|| "-".to_owned(), value));
            let importance = self.importance.iter().find(|of| of.name == setting.name);
            line.extend(importance.map(|of| format!("{:.0} %", 100.0 * of.share)));
            lines.push(line);
        }
        let loss = |trial: Option<&Trial>| number(trial.and_then(|trial| trial.loss));
        lines.push(vec!["validation loss".to_owned(), loss(Some(self.best)), loss(first)]);
        aligned(&lines) + "  (by which it was chosen, so it is too good)\n"
    }
}

fn counted(trials: usize) -> String {
    format!("{trials} trial{}", if trials == 1 { "" } else { "s" })
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}
