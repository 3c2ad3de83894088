//! What was measured.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::Path,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// One training, measured on the fold that it left out.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) table: String,
    pub(super) preset: String,
    /// Flags beside the preset.
    pub(super) flags: Vec<String>,
    pub(super) fold: usize,
    pub(super) seed: u64,
    pub(super) scores: Scores,
    /// What `kiln train` said of its validation rows: of its folds, where there are some.
    pub(super) promised_log_loss: f64,
    /// Of `kiln train`, the whole process.
    pub(super) seconds: f64,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Scores {
    pub(super) accuracy: f64,
    pub(super) balanced_accuracy: f64,
    pub(super) log_loss: f64,
    pub(super) auc: f64,
}

/// All there are, in a file if one was named.
pub(super) struct Results {
    outcomes: Vec<Outcome>,
    file: Option<File>,
}

impl Results {
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self { outcomes: Vec::new(), file: None }) };
        let context = || path.display().to_string();
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        let file = options.open(path).with_context(context)?;
        let lines = BufReader::new(&file).lines();
        let outcomes = lines.map(|line| Ok(serde_json::from_str(&line?)?));
        let outcomes = outcomes.collect::<anyhow::Result<_>>().with_context(context)?;
        Ok(Self { outcomes, file: Some(file) })
    }

    pub(super) fn add(&mut self, outcome: Outcome) -> anyhow::Result<()> {
        if let Some(file) = &mut self.file {
            writeln!(file, "{}", serde_json::to_string(&outcome)?)?;
        }
        self.outcomes.push(outcome);
        Ok(())
    }

    /// Those of a table, a preset and flags.
    pub(super) fn of<'a>(
        &'a self,
        table: &'a str,
        preset: &'a str,
        flags: &'a [String],
    ) -> impl Iterator<Item = &'a Outcome> {
        self.outcomes.iter().filter(move |outcome| {
            outcome.table == table && outcome.preset == preset && outcome.flags == flags
        })
    }

    /// The mean of a score over the seeds, for each fold that was measured.
    pub(super) fn folds(
        &self,
        table: &str,
        preset: &str,
        flags: &[String],
        seeds: u64,
        score: fn(&Outcome) -> f64,
    ) -> Vec<(usize, f64)> {
        let fold = |fold: usize| {
            let all = self.of(table, preset, flags).filter(|of| of.fold == fold && of.seed < seeds);
            Some((fold, mean(&all.map(score).collect::<Vec<_>>())?))
        };
        (0..super::FOLDS).filter_map(fold).collect()
    }
}

pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard error of the mean of several values.
pub(super) fn standard_error(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64 / values.len() as f64).sqrt())
}
