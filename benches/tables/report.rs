//! A preset beside the other methods.

use super::{
    Preset,
    baselines::{Baselines, Table},
    results::{Outcome, Results, mean, standard_error},
};

/// The other networks, whose best mean log loss the default preset is to be below, and whose best mean accuracy it
/// is not to be below.
const NETWORKS: [&str; 3] = ["mlp", "mlp_es", "realmlp"];
/// The boosted trees, whose mean ranks the default preset is to be ahead of.
const TREES: [&str; 3] = ["lgbm", "hgb", "xgb"];
const KILN: &str = "Kiln";

/// The scores of a method on the tables, fold by fold.
struct Column<'a> {
    method: &'a str,
    label: &'a str,
    /// For each table and each fold that was run: accuracy and log loss.
    tables: Vec<Vec<(usize, [f64; 2])>>,
}

impl Column<'_> {
    /// The mean over the folds that were run.
    fn of(&self, table: usize, score: usize) -> Option<f64> {
        let scores: Vec<f64> = self.tables[table].iter().map(|(_, of)| of[score]).collect();
        mean(&scores)
    }

    /// This less `other` on a table, over the folds that both have.
    fn less(&self, other: &Self, table: usize, score: usize) -> Option<f64> {
        let differences = self.tables[table].iter().filter_map(|(fold, of)| {
            let beside = other.tables[table].iter().find(|(other, _)| other == fold)?;
            Some(of[score] - beside.1[score])
        });
        mean(&differences.collect::<Vec<_>>())
    }
}

/// Prints all there is to say of a preset; whether it is what it is to be.
pub(super) fn print(
    preset: Preset,
    tables: &[Table],
    baselines: &Baselines,
    results: &Results,
    seeds: u64,
) -> bool {
    let columns = columns(preset, tables, baselines, results, seeds);
    println!("\n# preset {}, {seeds} seeds", preset.name());
    for (score, name) in ["accuracy", "log loss"].into_iter().enumerate() {
        println!("\n{name}; *: over fewer folds");
        print!("{:14}", "");
        columns.iter().for_each(|column| print!("{:>11}", column.label));
        println!("{:>11}{:>9}", "± by seed", "s");
        for (at, table) in tables.iter().enumerate() {
            print!("{:14}", table.name);
            for column in &columns {
                let whole = column.tables[at].len() == super::FOLDS;
                let cell = column.of(at, score).map_or("-".to_owned(), |of| {
                    format!("{of:.4}{}", if whole { " " } else { "*" })
                });
                print!("{cell:>11}");
            }
            let all: Vec<&Outcome> = results.of(&table.name, preset.name(), &[]).collect();
            let spread = by_seed(&all, seeds, score).map_or("-".into(), |of| format!("{of:.4}"));
            let seconds: Vec<f64> = all.iter().map(|outcome| outcome.seconds).collect();
            println!("{spread:>11}{:>9.2}", mean(&seconds).unwrap_or(0.0));
        }
    }
    println!(
        "\n{:12}{:>7}{:>7}{:>22}{:>22}",
        "Kiln less", "tables", "wins", "log loss", "accuracy"
    );
    for column in &columns[1..] {
        let [accuracy, loss] = [0, 1].map(|score| {
            let of = (0..tables.len()).filter_map(|at| columns[0].less(column, at, score));
            of.collect::<Vec<f64>>()
        });
        let wins = loss.iter().filter(|of| **of < 0.0).count();
        let [loss_text, accuracy_text] = [&loss, &accuracy].map(|of| with_error(of));
        println!("{:12}{:>7}{wins:>7}{loss_text:>22}{accuracy_text:>22}", column.label, loss.len());
    }
    println!("\nmean rank in log loss, of the tables that a method has");
    let ranks: Vec<Option<f64>> = (0..columns.len()).map(|of| mean_rank(&columns, of)).collect();
    let mut order: Vec<usize> = (0..columns.len()).filter(|of| ranks[*of].is_some()).collect();
    order.sort_by(|a, b| ranks[*a].partial_cmp(&ranks[*b]).expect("ranks are numbers"));
    for of in order {
        println!("{:12}{:>7.2}", columns[of].label, ranks[of].unwrap_or(0.0));
    }
    honesty(preset, tables, results);
    verdict(preset, tables, &columns, &ranks)
}

fn columns<'a>(
    preset: Preset,
    tables: &[Table],
    baselines: &'a Baselines,
    results: &Results,
    seeds: u64,
) -> Vec<Column<'a>> {
    let kiln = |table: &Table| {
        let of = |score| results.folds(&table.name, preset.name(), &[], seeds, score);
        let losses = of(|outcome| outcome.scores.log_loss);
        let accuracies = of(|outcome| outcome.scores.accuracy).into_iter();
        let both = accuracies.zip(losses);
        both.map(|((fold, accuracy), (_, loss))| (fold, [accuracy, loss])).collect()
    };
    let own = Column { method: "", label: KILN, tables: tables.iter().map(kiln).collect() };
    let others = baselines.methods().map(|(method, label)| {
        let scores = |table: &Table| {
            let method = baselines.of(&table.name, method);
            method.map_or_else(Vec::new, |method| method.scores().collect())
        };
        Column { method, label, tables: tables.iter().map(scores).collect() }
    });
    std::iter::once(own)
        .chain(others.filter(|column| column.tables.iter().any(|folds| !folds.is_empty())))
        .collect()
}

/// The standard deviation of a score's mean over the folds from seed to seed.
fn by_seed(all: &[&Outcome], seeds: u64, score: usize) -> Option<f64> {
    let of_seed = |seed| {
        let scores = all.iter().filter(|outcome| outcome.seed == seed);
        let scores = scores.map(|of| [of.scores.accuracy, of.scores.log_loss][score]);
        mean(&scores.collect::<Vec<f64>>())
    };
    let means: Vec<f64> = (0..seeds).filter_map(of_seed).collect();
    Some(standard_error(&means)? * (means.len() as f64).sqrt())
}

/// A mean, and its standard error.
fn with_error(values: &[f64]) -> String {
    match (mean(values), standard_error(values)) {
        (Some(mean), Some(error)) => format!("{mean:+.4} ± {error:.4}"),
        (Some(mean), None) => format!("{mean:+.4}"),
        _ => "-".to_owned(),
    }
}

/// The mean place of a method among those that a table has, 1 the lowest log loss. Places of two methods are
/// told by the folds that both have.
fn mean_rank(columns: &[Column<'_>], of: usize) -> Option<f64> {
    let rank = |table: usize| {
        columns[of].of(table, 1)?;
        let ahead =
            |other: &Column<'_>| columns[of].less(other, table, 1).is_some_and(|of| of > 0.0);
        Some(1.0 + columns.iter().filter(|other| ahead(other)).count() as f64)
    };
    mean(&(0..columns[of].tables.len()).filter_map(rank).collect::<Vec<_>>())
}

/// What training says of itself, beside what comes of it: on rows that chose nothing.
fn honesty(preset: Preset, tables: &[Table], results: &Results) {
    let differences: Vec<f64> = tables
        .iter()
        .filter_map(|table| {
            let all = results.of(&table.name, preset.name(), &[]);
            mean(&all.map(|of| of.scores.log_loss - of.promised_log_loss).collect::<Vec<_>>())
        })
        .collect();
    println!(
        "\ntest log loss less that of the report, mean over tables: {}",
        with_error(&differences)
    );
}

fn verdict(
    preset: Preset,
    tables: &[Table],
    columns: &[Column<'_>],
    ranks: &[Option<f64>],
) -> bool {
    // Over the tables that both have.
    let beside = |other: &Column<'_>, score| {
        let tables = (0..tables.len()).filter_map(|at| columns[0].less(other, at, score));
        mean(&tables.collect::<Vec<_>>()).unwrap_or(0.0)
    };
    let mut checks = Vec::new();
    for (column, rank) in columns.iter().zip(ranks).skip(1) {
        let network = NETWORKS.contains(&column.method);
        let [accuracy, loss] = [0, 1].map(|score| beside(column, score));
        match preset {
            Preset::Default if network => {
                checks.push((loss < 0.0, format!("mean log loss below {}", column.label)));
                checks.push((accuracy >= 0.0, format!("mean accuracy of {}", column.label)));
            }
            Preset::Default if TREES.contains(&column.method) => {
                checks.push((ranks[0] < *rank, format!("mean rank ahead of {}", column.label)));
            }
            Preset::Best => {
                checks.push((ranks[0] < *rank, format!("mean rank ahead of {}", column.label)));
            }
            _ => {}
        }
        // By more than noise: two standard errors over the folds.
        for (at, table) in tables.iter().enumerate() {
            let simple = ["majority", "logreg"].contains(&column.method);
            let differences = || {
                columns[0].tables[at].iter().filter_map(|(fold, of)| {
                    let other = column.tables[at].iter().find(|(other, _)| other == fold)?;
                    Some(of[1] - other.1[1])
                })
            };
            let differences: Vec<f64> = differences().collect();
            if let (true, Some(mean), Some(error)) =
                (simple, mean(&differences), standard_error(&differences))
            {
                let fine = mean <= 2.0 * error;
                checks.push((fine, format!("{} no worse than {}", table.name, column.label)));
            }
        }
    }
    println!();
    for (_, what) in checks.iter().filter(|(holds, _)| !holds) {
        println!("FAILED: {what}");
    }
    let held = checks.iter().filter(|(holds, _)| *holds).count();
    println!("{held} of {} promises hold", checks.len());
    held == checks.len()
}
