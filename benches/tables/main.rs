//! How good the defaults are: the thirteen tables of the shared data, by commands only.
//!
//! For each table and each of its five folds: `kiln train` on the other four, `kiln predict` on the
//! fold, and the four scores of the probabilities beside those of other methods on the same folds.
//! The run fails when the mean accuracy or the mean log loss is worse than that of scikit-learn's
//! `MLPClassifier` on the tables which that has.
//!
//! `cargo bench --bench tables`, with the names of tables after `--` to take only those. The folder
//! of the tables is `KILN_TABULAR_DIR`; `KILN_BIN` is a binary to use in place of the one just built.

mod run;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, ensure};
use serde::{Deserialize, de::DeserializeOwned};

const FOLDS: usize = 5;
/// The method that the defaults may not fall behind.
const BAR: &str = "mlp";
/// The other methods, as `baselines.json` calls them.
const METHODS: [&str; 6] = ["logreg", BAR, "mlp_es", "hgb", "catboost", "realmlp"];

/// A record of `index.json`.
#[derive(Deserialize)]
struct Table {
    name: String,
    file: String,
    delimiter: char,
    header: bool,
    target: Target,
    positive_class: Option<String>,
    missing: Vec<String>,
    categorical: Option<Vec<String>>,
    ignore: Vec<String>,
    rows: usize,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    Name(String),
    /// Counted from 0, where there is no header.
    Index(usize),
}

#[derive(Deserialize)]
struct Baselines {
    datasets: BTreeMap<String, Baseline>,
}

#[derive(Default, Deserialize)]
struct Baseline {
    methods: BTreeMap<String, Method>,
}

#[derive(Deserialize)]
struct Method {
    folds: Vec<usize>,
    accuracy: Mean,
    balanced_accuracy: Mean,
    logloss: Mean,
    auc: Mean,
}

impl Method {
    fn is_whole(&self) -> bool {
        self.folds.len() == FOLDS
    }
}

#[derive(Deserialize)]
struct Mean {
    mean: f64,
}

/// Means over folds, of whatever method.
#[derive(Clone, Copy, Default)]
struct Scores {
    accuracy: f64,
    balanced_accuracy: f64,
    log_loss: f64,
    auc: f64,
}

impl Scores {
    fn mean(all: &[Self]) -> Self {
        let mean = |score: fn(&Self) -> f64| all.iter().map(score).sum::<f64>() / all.len() as f64;
        Self {
            accuracy: mean(|scores| scores.accuracy),
            balanced_accuracy: mean(|scores| scores.balanced_accuracy),
            log_loss: mean(|scores| scores.log_loss),
            auc: mean(|scores| scores.auc),
        }
    }
}

impl From<&Method> for Scores {
    fn from(method: &Method) -> Self {
        Self {
            accuracy: method.accuracy.mean,
            balanced_accuracy: method.balanced_accuracy.mean,
            log_loss: method.logloss.mean,
            auc: method.auc.mean,
        }
    }
}

/// What came of a table.
struct Outcome {
    name: String,
    kiln: Scores,
    /// Of `kiln train`, the whole process, mean over the folds.
    train_seconds: f64,
    methods: BTreeMap<String, Method>,
}

impl Outcome {
    fn of(&self, method: &str) -> Option<Scores> {
        self.methods.get(method).map(Scores::from)
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let folder = env::var_os("KILN_TABULAR_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/tabular"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        println!("skipped: no tables in {} (KILN_TABULAR_DIR names the folder)", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut tables: Vec<Table> = read_json(&folder.join("index.json"))?;
    let mut baselines: Baselines = read_json(&folder.join("baselines.json"))?;

    // Cargo adds `--bench`.
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    for name in &wanted {
        let known = tables.iter().any(|table| table.name == *name);
        ensure!(known, "no table {name:?} in index.json");
    }
    tables.retain(|table| wanted.is_empty() || wanted.contains(&table.name));

    let mut outcomes = Vec::new();
    for table in &tables {
        let start = Instant::now();
        let (kiln, train_seconds) =
            run::run_table(&folder, table).with_context(|| table.name.clone())?;
        eprintln!(
            "{}: accuracy {:.4}, log loss {:.4}, {:.1} s in all",
            table.name,
            kiln.accuracy,
            kiln.log_loss,
            start.elapsed().as_secs_f64()
        );
        let methods = baselines.datasets.remove(&table.name).unwrap_or_default().methods;
        outcomes.push(Outcome { name: table.name.clone(), kiln, train_seconds, methods });
    }

    print_beside("accuracy", &METHODS, &outcomes, |scores| scores.accuracy);
    print_beside("log loss", &METHODS, &outcomes, |scores| scores.log_loss);
    print_beside("balanced accuracy", &[BAR], &outcomes, |scores| scores.balanced_accuracy);
    print_beside("AUC", &[BAR], &outcomes, |scores| scores.auc);
    println!("* mean over fewer folds or tables than kiln's\n");
    println!("seconds of `kiln train`, mean over folds");
    for outcome in &outcomes {
        println!("{:14} {:9.2}", outcome.name, outcome.train_seconds);
    }
    Ok(verdict(&outcomes))
}

/// Whether the defaults hold their own.
fn verdict(outcomes: &[Outcome]) -> ExitCode {
    let (kiln, bar): (Vec<_>, Vec<_>) =
        outcomes.iter().filter_map(|outcome| Some((outcome.kiln, outcome.of(BAR)?))).unzip();
    if kiln.is_empty() {
        return ExitCode::SUCCESS;
    }
    let tables = kiln.len();
    let (kiln, bar) = (Scores::mean(&kiln), Scores::mean(&bar));
    let holds = kiln.accuracy >= bar.accuracy && kiln.log_loss <= bar.log_loss;
    println!(
        "\n{}: over {tables} tables accuracy {:.4} and log loss {:.4}, {BAR} {:.4} and {:.4}",
        if holds { "at least as good" } else { "WORSE" },
        kiln.accuracy,
        kiln.log_loss,
        bar.accuracy,
        bar.log_loss,
    );
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One score of every table and method, and the means.
fn print_beside(title: &str, methods: &[&str], outcomes: &[Outcome], score: fn(&Scores) -> f64) {
    let heads: String = methods.iter().map(|method| format!("{method:>10}")).collect();
    println!("{title}\n{:14} {:>10}{heads}", "", "kiln");
    for outcome in outcomes {
        print!("{:14} {:>10.4}", outcome.name, score(&outcome.kiln));
        for method in methods {
            match outcome.methods.get(*method) {
                None => print!("{:>10}", "-"),
                Some(found) => print!("{}", cell(score(&found.into()), found.is_whole())),
            }
        }
        println!();
    }
    let kiln: Vec<Scores> = outcomes.iter().map(|outcome| outcome.kiln).collect();
    print!("{:14} {:>10.4}", "mean", score(&Scores::mean(&kiln)));
    for method in methods {
        let found: Vec<&Method> =
            outcomes.iter().filter_map(|outcome| outcome.methods.get(*method)).collect();
        let whole = found.len() == outcomes.len() && found.iter().all(|found| found.is_whole());
        let scores: Vec<Scores> = found.into_iter().map(Scores::from).collect();
        print!("{}", cell(score(&Scores::mean(&scores)), whole));
    }
    println!("\n");
}

fn cell(value: f64, whole: bool) -> String {
    format!("{:>10}", format!("{value:.4}{}", if whole { " " } else { "*" }))
}

/// Python writes NaN, which is no JSON, where a mean is over nothing.
fn read_json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text.replace(": NaN", ": null"))
        .with_context(|| path.display().to_string())
}
