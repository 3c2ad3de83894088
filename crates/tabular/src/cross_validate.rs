use kiln_data::{folds, stratified_folds};
use kiln_table::{Cells, TableError};
use kiln_train::{Evaluation, Hooks, TrainBackend};

use crate::{
    error::TabularError,
    evaluate::score,
    prepare::Prepared,
    settings::Settings,
    train::{Validation, train},
};

/// How rows are dealt over folds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folds {
    /// So many, class by class where there are classes, from the seed of the run.
    Random(usize),
    /// Those that a column names.
    Column(String),
}

/// A fold's name and what a classifier trained on all others reaches on it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldResult {
    /// Its number from 1, or its name in the column.
    pub fold: String,
    /// Rows trained on, validation rows not counted.
    pub train_rows: usize,
    /// On the rows of the fold, which chose nothing.
    pub evaluation: Evaluation,
}

/// The fold of each row that has a target, as an index into the names of the folds.
///
/// # Errors
///
/// Fewer than two folds, or more than rows; a row without a fold.
pub fn assign_folds(
    prepared: &Prepared,
    folds_by: &Folds,
    seed: u64,
) -> Result<(Vec<u32>, Vec<String>), TabularError> {
    match folds_by {
        Folds::Random(count) => {
            let fold_of = match prepared.strata() {
                Some((classes, _)) => stratified_folds(&classes, *count, seed)?,
                None => folds(prepared.num_rows(), *count, seed)?,
            };
            Ok((fold_of, (1..=*count).map(|fold| fold.to_string()).collect()))
        }
        Folds::Column(column) => of_column(prepared, column),
    }
}

fn of_column(prepared: &Prepared, column: &str) -> Result<(Vec<u32>, Vec<String>), TabularError> {
    let table = &prepared.table;
    let index = table.column(column)?;
    let mut scratch = String::new();
    let mut of_row = Vec::with_capacity(table.num_rows());
    for rows in table.chunks() {
        let cells = Cells::new(rows.batch.column(index));
        for row in 0..rows.batch.num_rows() {
            let Some(name) = cells.get(row).text(&mut scratch) else {
                let problem = rows.problem(row, Some(column), "names no fold");
                return Err(TableError::Row { table: table.name().to_owned(), problem }.into());
            };
            of_row.push(name.to_owned());
        }
    }
    let mut names: Vec<String> = of_row.clone();
    names.sort_by(|a, b| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    });
    names.dedup();
    if names.len() < 2 {
        let (table, column) = (table.name().to_owned(), column.to_owned());
        return Err(TabularError::FoldColumn { table, column, found: names.len() });
    }
    let fold_of = |row: &usize| {
        let name = &of_row[*row];
        names.iter().position(|known| known == name).expect("it is among its own names") as u32
    };
    Ok((prepared.rows().iter().map(fold_of).collect(), names))
}

/// Trains one classifier per fold on all other folds, and measures it on the fold.
///
/// Each run holds out its own validation rows, of the folds it trains on. `done` hears of each result
/// as it comes.
///
/// # Errors
///
/// As [`assign_folds`] and [`train`].
pub fn cross_validate<B: TrainBackend>(
    prepared: &Prepared,
    settings: &Settings,
    folds_by: &Folds,
    backend: &str,
    device: &B::Device,
    mut done: impl FnMut(&FoldResult),
) -> Result<Vec<FoldResult>, TabularError> {
    let (fold_of, names) = assign_folds(prepared, folds_by, settings.train.seed)?;
    let mut results = Vec::with_capacity(names.len());
    for (fold, name) in names.into_iter().enumerate() {
        let (test, rest): (Vec<usize>, Vec<usize>) =
            (0..fold_of.len()).partition(|row| fold_of[*row] as usize == fold);
        let outcome = train::<B>(
            prepared,
            settings,
            &rest,
            Validation::HeldOut,
            backend,
            device,
            Hooks::default(),
        )?;
        let dataset = prepared.dataset(&outcome.classifier.manifest().preprocessor)?;
        let scores = score(&outcome.classifier, &dataset.select(&test)?, device)?;
        let train_rows = outcome.train_rows;
        let result = FoldResult { fold: name, train_rows, evaluation: scores.evaluation() };
        done(&result);
        results.push(result);
    }
    Ok(results)
}
