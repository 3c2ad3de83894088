use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use kiln_classifier::{Epoch, Manifest};
use kiln_report::{Block, Chart, Line, LineStyle, Lines, Page, Plot, Table};
use kiln_train::{Comparison, Metric, compare};
use serde_json::Value;

use super::{
    Assessment,
    charts::{axis, by_epoch, chart},
    page::{cell, number, section, text, title},
};

/// A model file among others.
#[derive(Debug, Clone)]
pub struct Run {
    /// How it is called.
    pub name: String,
    /// What it says of itself.
    pub manifest: Manifest,
    /// On rows that all runs were asked about, if they were.
    pub assessment: Option<Assessment>,
}

/// Several runs side by side; the first is what the others are compared with.
#[derive(Debug, Clone)]
pub struct Runs {
    runs: Vec<Run>,
    /// Short enough for a table.
    names: Vec<String>,
    /// Of each but the first, if all were asked about the same rows.
    comparisons: Vec<Comparison>,
}

impl Runs {
    /// Compares them, by resamples drawn from `seed`.
    ///
    /// # Panics
    ///
    /// If there is none, or if some were asked about other rows than the first.
    pub fn new(runs: Vec<Run>, seed: u64) -> Self {
        let scores: Option<Vec<_>> =
            runs.iter().map(|run| Some(&run.assessment.as_ref()?.scores)).collect();
        let comparisons = match scores.as_deref() {
            Some([first, others @ ..]) => {
                others.iter().map(|other| compare(first, other, seed)).collect()
            }
            Some([]) => panic!("at least one run"),
            None => Vec::new(),
        };
        let names = short(&runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>());
        Self { runs, names, comparisons }
    }

    /// The runs.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Each but the first beside the first, on the same rows; empty if there were none.
    pub fn comparisons(&self) -> &[Comparison] {
        &self.comparisons
    }

    /// What they were told that is not the same for all: a name, and the value of each run, empty where it
    /// has none.
    pub fn differences(&self) -> Vec<(String, Vec<String>)> {
        let all: Vec<BTreeMap<String, String>> =
            self.runs.iter().map(|run| settings(&run.manifest)).collect();
        let mut names: Vec<&String> = all.iter().flat_map(BTreeMap::keys).collect();
        names.sort();
        names.dedup();
        let values = |name: &String| -> Vec<String> {
            all.iter().map(|of| of.get(name).cloned().unwrap_or_default()).collect()
        };
        let named = names.into_iter().map(|name| (name.clone(), values(name)));
        named.filter(|(_, values)| values.iter().any(|value| *value != values[0])).collect()
    }

    /// A metric of a run: on the common rows, or else on its own validation rows.
    pub fn metric(&self, run: usize, metric: Metric) -> Option<f64> {
        let Run { assessment, manifest, .. } = &self.runs[run];
        match assessment {
            Some(assessment) => metric.of(&assessment.evaluation),
            None => manifest.metrics.get(metric.name())?.as_f64(),
        }
    }

    /// The report. `rows` says what was measured. A run whose name is a path goes by the end of it that
    /// the others don't share.
    pub fn page(&self, rows: &str) -> Page {
        let names = || self.names.iter().map(String::as_str);
        let mut sections = vec![section(
            "metrics",
            "How good they are",
            "Each metric, with its 95 % interval where all were asked about the same rows.",
            vec![Block::Table(self.metrics_table())],
        )];
        if !self.comparisons.is_empty() {
            sections.push(section(
                "pairs",
                "What the difference is worth",
                "Each run beside the first one, row by row: an interval that holds 0 may be chance.",
                self.comparisons.iter().zip(names().skip(1)).map(|(of, name)| self.pair(name, of)).collect(),
            ));
        }
        let differences = self.differences();
        let mut columns = vec![text("setting")];
        columns.extend(names().map(text));
        let row = |(name, values): (String, Vec<String>)| [vec![name], values].concat();
        let table = Table {
            caption: "Settings that are not the same for all".to_owned(),
            columns,
            rows: differences.into_iter().map(row).collect(),
        };
        let settings = match table.rows.is_empty() {
            true => Block::Text("They were told the same.".to_owned()),
            false => Block::Table(table),
        };
        sections.push(section(
            "settings",
            "What they were told",
            "Whatever differs between the runs.",
            vec![settings],
        ));
        let curves = self.curves();
        if !curves.is_empty() {
            sections.push(section(
                "training",
                "How they were trained",
                "The curves of all runs over one another.",
                curves.into_iter().map(Block::Chart).collect(),
            ));
        }
        Page {
            title: format!("{} runs", self.runs.len()),
            subtitle: rows.to_owned(),
            facts: Vec::new(),
            warnings: Vec::new(),
            sections,
        }
    }

    fn metrics_table(&self) -> Table {
        let mut columns = vec![text("metric")];
        columns.extend(self.names.iter().map(|name| number(name)));
        let value = |run: usize, metric: Metric| {
            let value = cell(self.metric(run, metric));
            let assessment = self.runs[run].assessment.as_ref();
            match assessment.and_then(|of| of.intervals.of.get(&metric)) {
                Some(of) => format!("{value} ({of:.4})"),
                None => value,
            }
        };
        let row = |metric: Metric| {
            let values = (0..self.runs.len()).map(|run| value(run, metric));
            std::iter::once(title(metric)).chain(values).collect()
        };
        let known =
            |metric: &Metric| (0..self.runs.len()).any(|run| self.metric(run, *metric).is_some());
        Table {
            caption: "Metrics".to_owned(),
            columns,
            rows: Metric::ALL.into_iter().filter(known).map(row).collect(),
        }
    }

    fn pair(&self, name: &str, comparison: &Comparison) -> Block {
        let row = |(metric, (difference, interval)): (&Metric, &(f64, kiln_train::Interval))| {
            vec![title(*metric), format!("{difference:+.4}"), format!("{interval:+.4}")]
        };
        let Comparison { first_only, second_only, p_value, differences } = comparison;
        Block::Table(Table {
            caption: format!(
                "{name} minus {}. {first_only} rows are right in the first alone, {second_only} in the \
                 second alone: McNemar's test p = {p_value:.4}",
                self.names[0]
            ),
            columns: vec![text("metric"), number("difference"), number("95 % interval")],
            rows: differences.iter().map(row).collect(),
        })
    }

    fn curves(&self) -> Vec<Chart> {
        type Of = fn(&Epoch) -> Option<f64>;
        let all: [(&str, &str, &str, &str, Of); 4] = [
            ("train-loss", "Training loss", "Lower is better.", "nats per row", |epoch| {
                Some(epoch.train_loss)
            }),
            (
                "valid-loss",
                "Validation loss",
                "Lower is better. Runs with other validation rows can't be compared by it.",
                "nats per row",
                |epoch| epoch.valid_loss,
            ),
            (
                "train-accuracy",
                "Training accuracy",
                "The share of training rows that were right in each epoch.",
                "share of rows",
                |epoch| Some(epoch.train_accuracy),
            ),
            (
                "valid-accuracy",
                "Validation accuracy",
                "The share of validation rows that are right after each epoch.",
                "share of rows",
                |epoch| epoch.valid_accuracy,
            ),
        ];
        let curve = |(id, title, text, label, of): (&str, &str, &str, &str, Of)| {
            let line = |(run, name): (&Run, &String)| Line {
                name: name.clone(),
                points: by_epoch(&run.manifest.training.history, of),
                style: LineStyle::Solid,
            };
            let lines: Vec<Line> = self
                .runs
                .iter()
                .zip(&self.names)
                .map(line)
                .filter(|line| !line.points.is_empty())
                .collect();
            let (x, y, marks) = (axis("epoch"), axis(label), Vec::new());
            (!lines.is_empty())
                .then(|| chart(id, title, text, Plot::Lines(Lines { x, y, lines, marks })))
        };
        all.into_iter().filter_map(curve).collect()
    }
}

/// The paths without the folders that all of them start with.
fn short(paths: &[&str]) -> Vec<String> {
    let folders: Vec<Vec<&OsStr>> =
        paths.iter().map(|path| Path::new(path).parent().into_iter().flatten().collect()).collect();
    let depth = folders.iter().map(Vec::len).min().unwrap_or(0);
    let shared = |at: &usize| folders.iter().all(|of| of[*at] == folders[0][*at]);
    let common = (0..depth).take_while(shared).count();
    let end = |path: &&str| {
        Path::new(path).iter().skip(common).collect::<PathBuf>().display().to_string()
    };
    paths.iter().map(end).collect()
}

/// All that a run was told, and what it was told it about, by name.
fn settings(manifest: &Manifest) -> BTreeMap<String, String> {
    let training = &manifest.training;
    let mut all = BTreeMap::new();
    flatten("", &training.config, &mut all);
    all.insert("source".to_owned(), training.source.clone());
    all.insert("rows".to_owned(), training.rows.to_string());
    all.insert("backend".to_owned(), training.backend.clone());
    all
}

/// The leaves of an object by the way to them: `train.optimizer.adam.epsilon`.
fn flatten(prefix: &str, value: &Value, to: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let name =
                    if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, value, to);
            }
        }
        Value::String(text) => {
            to.insert(prefix.to_owned(), text.clone());
        }
        value => {
            to.insert(prefix.to_owned(), value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn names_of_runs_leave_out_what_all_of_them_start_with() {
        assert_eq!(short(&["/data/runs/a", "/data/runs/b"]), ["a", "b"]);
        assert_eq!(short(&["/data/runs/a", "/data/runs/a"]), ["a", "a"]);
        assert_eq!(
            short(&["runs/1/model", "runs/2/model", "runs/2/b/model"]),
            ["1/model", "2/model", "2/b/model"]
        );
        assert_eq!(short(&["model", "runs/model"]), ["model", "runs/model"]);
        assert_eq!(short(&["/model", "model"]), ["/model", "model"]);
    }
}
