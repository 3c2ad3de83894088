//! What other methods score on the same folds.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use serde::{Deserialize, de::DeserializeOwned};

/// A record of `index.json`.
#[derive(Deserialize)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) delimiter: char,
    pub(super) header: bool,
    pub(super) target: Target,
    pub(super) positive_class: Option<String>,
    pub(super) missing: Vec<String>,
    pub(super) categorical: Option<Vec<String>>,
    pub(super) ignore: Vec<String>,
    pub(super) rows: usize,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Target {
    Name(String),
    /// Counted from 0, where there is no header.
    Index(usize),
}

/// `baselines.json`.
#[derive(Deserialize)]
pub(super) struct Baselines {
    meta: Meta,
    datasets: BTreeMap<String, Baseline>,
}

#[derive(Deserialize)]
struct Meta {
    /// The names of the methods, as they are to be printed.
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Baseline {
    methods: BTreeMap<String, Method>,
}

/// The scores of a method on a table, for each of the folds that were run.
#[derive(Deserialize)]
pub(super) struct Method {
    folds: Vec<usize>,
    accuracy: Folds,
    logloss: Folds,
}

#[derive(Deserialize)]
struct Folds {
    per_fold: Vec<f64>,
}

impl Method {
    /// For each fold that was run: its accuracy and log loss.
    pub(super) fn scores(&self) -> impl Iterator<Item = (usize, [f64; 2])> {
        let scores = self.accuracy.per_fold.iter().zip(&self.logloss.per_fold);
        self.folds.iter().zip(scores).map(|(fold, (accuracy, loss))| (*fold, [*accuracy, *loss]))
    }
}

impl Baselines {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        read_json(path)
    }

    /// Each method and its name.
    pub(super) fn methods(&self) -> impl Iterator<Item = (&str, &str)> {
        self.meta.labels.iter().map(|(method, label)| (method.as_str(), label.as_str()))
    }

    pub(super) fn of(&self, table: &str, method: &str) -> Option<&Method> {
        self.datasets.get(table)?.methods.get(method)
    }
}

/// Python writes NaN, which is no JSON, where a mean is over nothing.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text.replace(": NaN", ": null"))
        .with_context(|| path.display().to_string())
}
