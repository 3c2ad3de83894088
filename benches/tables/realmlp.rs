//! The default preset and RealMLP in turn, each a process of its own, on the same rows.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::json;

use super::{
    baselines::{Table, Target},
    results::mean,
    run::{kiln, options, run as timed, write_fold},
};

#[derive(Deserialize)]
struct Answer {
    /// Of `fit` alone.
    seconds: f64,
    log_loss: f64,
}

pub(super) fn run(python: &Path, folder: &Path, tables: &[Table]) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/tables/realmlp.py");
    let mut ratios = Vec::new();
    println!("{:14}{:>10}{:>10}{:>8}   RealMLP's log loss", "seconds", "Kiln", "RealMLP", "share");
    for table in tables {
        let [train, test] = write_fold(folder, table, 0, scratch.path())?;
        let mut command = kiln();
        command.arg("train").arg(&train).args(options(table));
        command.arg("-o").arg(scratch.path().join("model"));
        let (seconds, _) = timed(&mut command)?;
        let about = json!({
            "train": train,
            "test": test,
            "delimiter": table.delimiter,
            "header": table.header,
            "target": match &table.target {
                Target::Name(name) => json!(name),
                Target::Index(index) => json!(index),
            },
            "missing": table.missing,
            "categorical": table.categorical,
            "ignore": table.ignore,
        });
        let output = Command::new(python)
            .arg(&script)
            .arg(about.to_string())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| python.display().to_string())?;
        if !output.status.success() {
            bail!("{}: {}", script.display(), output.status);
        }
        let stdout = String::from_utf8(output.stdout)?;
        let answer: Answer = serde_json::from_str(stdout.lines().last().unwrap_or_default())?;
        let share = seconds / answer.seconds;
        println!(
            "{:14}{seconds:>10.2}{:>10.2}{share:>8.3}   {:.4}",
            table.name, answer.seconds, answer.log_loss
        );
        ratios.push(share.ln());
    }
    println!("share of RealMLP's time, geometric mean: {:.3}", mean(&ratios).unwrap_or(0.0).exp());
    Ok(())
}
