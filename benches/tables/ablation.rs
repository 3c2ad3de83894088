//! What each piece of the default preset is worth.

use std::path::Path;

use super::{
    FOLDS,
    baselines::Table,
    results::{Outcome, Results, mean, standard_error},
    run::measure,
};

const SEEDS: u64 = 1;

/// Rows beyond which two folds say enough of a table: what a piece is worth differs more between tables.
const MANY_ROWS: usize = 5_000;

/// The recipe without one piece each, in its place what was there before or what comes to mind.
const PIECES: [(&str, &[&str]); 13] = [
    ("one network, rows held out", &["--members=1"]),
    ("no folds: networks of several seeds, rows held out", &["--valid-fraction=0.15"]),
    ("8 folds", &["--bag-folds=8"]),
    ("no bins", &["--numeric-bins=0"]),
    ("robust scaling", &["--scaling=robust"]),
    ("one-hot up to 8", &["--one-hot-up-to=8"]),
    ("ReLU", &["--activation=relu"]),
    ("SELU", &["--activation=selu"]),
    ("no dropout", &["--dropout=0"]),
    ("one cosine", &["--schedule=cosine"]),
    ("learning rate 0.01", &["--learning-rate=0.01"]),
    ("weight decay 0.01", &["--weight-decay=0.01"]),
    ("no temperature", &["--calibration=none"]),
];

pub(super) fn run(folder: &Path, tables: &[Table], results: &mut Results) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (name, flags) in std::iter::once(("", &[][..])).chain(PIECES) {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        for table in tables {
            measure(folder, table, folds(table), "default", &flags, SEEDS, results)?;
        }
        rows.push((name, flags));
    }
    println!(
        "\nwithout one piece each, less with all: log loss over tables (± standard error), accuracy, time"
    );
    for (name, flags) in &rows[1..] {
        let [losses, accuracies, times] = [
            (|of: &Outcome| of.scores.log_loss) as fn(&Outcome) -> f64,
            |of| of.scores.accuracy,
            |of| of.seconds.ln(),
        ]
        .map(|score| differences(tables, results, flags, score));
        println!(
            "{name:52} {:+.4} ± {:.4} {:+.4} {:.2}x",
            mean(&losses).unwrap_or(0.0),
            standard_error(&losses).unwrap_or(0.0),
            mean(&accuracies).unwrap_or(0.0),
            mean(&times).unwrap_or(0.0).exp(),
        );
    }
    println!("\nlog loss less that with all, table by table");
    for (name, flags) in &rows[1..] {
        print!("{name:52}");
        for difference in differences(tables, results, flags, |of| of.scores.log_loss) {
            print!(" {difference:+.4}");
        }
        println!();
    }
    println!(
        "{:52} {}",
        "",
        tables.iter().map(|of| of.name.as_str()).collect::<Vec<_>>().join(" ")
    );
    Ok(())
}

/// With the flags less without them, the mean over the folds, for each table.
fn differences(
    tables: &[Table],
    results: &Results,
    flags: &[String],
    score: fn(&Outcome) -> f64,
) -> Vec<f64> {
    let of = |table: &Table, flags: &[String]| {
        let all = results.folds(&table.name, "default", flags, SEEDS, score).into_iter();
        let of = all.filter(|(fold, _)| *fold < folds(table));
        mean(&of.map(|(_, score)| score).collect::<Vec<_>>())
    };
    tables.iter().filter_map(|table| Some(of(table, flags)? - of(table, &[])?)).collect()
}

fn folds(table: &Table) -> usize {
    if table.rows > MANY_ROWS { 2 } else { FOLDS }
}
