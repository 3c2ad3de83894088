//! What several commands print: tables of columns and of metrics.

use kiln::{
    data::{ColumnKind, Format},
    tabular::Prepared,
    train::Evaluation,
};

use super::console::Console;

/// Columns shown without `--verbose`.
const MOST_COLUMNS: usize = 40;

/// Says, on stderr, how the table was read and what each column is used for, and warns of traps.
pub(crate) fn note_table(prepared: &Prepared, format: Format, console: Console) {
    let table = &prepared.table;
    console.note(format_args!(
        "{}: {}, {} rows, {} columns",
        table.name(),
        describe(format),
        table.num_rows(),
        table.columns().len()
    ));
    let columns = &prepared.schema.columns;
    let shown = if console.is_verbose() { columns.len() } else { columns.len().min(MOST_COLUMNS) };
    let width = |text: &str| text.chars().count();
    let widest = columns[..shown].iter().map(|column| width(&column.name)).max().unwrap_or(0);
    for column in &columns[..shown] {
        let pad = widest - width(&column.name);
        let kind = kind(column.kind);
        console.note(format_args!("  {}{:pad$}  {kind:<11}  {}", column.name, "", column.reason));
    }
    if shown < columns.len() {
        console.note(format_args!("  and {} more (--verbose shows all)", columns.len() - shown));
    }
    match prepared.num_without_target() {
        0 => {}
        rows => console.warn(format_args!("{rows} rows have no target and are left out")),
    }
    for trap in &prepared.traps {
        console.warn(trap);
    }
}

pub(crate) fn kind(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Numeric => "numeric",
        ColumnKind::Categorical => "categorical",
        ColumnKind::Boolean => "boolean",
        ColumnKind::Target => "target",
        ColumnKind::Weight => "weight",
        ColumnKind::Ignored => "ignored",
    }
}

pub(crate) fn describe(format: Format) -> String {
    match format {
        Format::Parquet => "Parquet".to_owned(),
        Format::Csv { delimiter, header } => {
            let delimiter = match delimiter {
                b',' => "comma".to_owned(),
                b'\t' => "tab".to_owned(),
                b';' => "semicolon".to_owned(),
                other => format!("{:?}", char::from(other)),
            };
            let header = if header { "with a header" } else { "without a header" };
            format!("CSV, {delimiter}-separated, {header}")
        }
    }
}

/// The metrics by name, in the order in which they are printed; those that there are.
pub(crate) fn named_metrics(evaluation: &Evaluation) -> Vec<(&'static str, f64)> {
    let all = [
        ("accuracy", Some(evaluation.accuracy)),
        ("balanced_accuracy", Some(evaluation.balanced_accuracy)),
        ("macro_f1", Some(evaluation.macro_f1)),
        ("log_loss", Some(evaluation.log_loss)),
        ("roc_auc", evaluation.roc_auc),
        ("pr_auc", evaluation.pr_auc),
        ("brier", Some(evaluation.brier)),
        ("calibration_error", Some(evaluation.calibration_error)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// One metric a line.
pub(crate) fn metrics(evaluation: &Evaluation) -> String {
    let line = |(name, value): (&str, f64)| format!("  {name:<18} {value:>8.4}\n");
    named_metrics(evaluation).into_iter().map(line).collect()
}

/// The confusion matrix, or one for each label.
pub(crate) fn confusion(evaluation: &Evaluation, classes: &[String]) -> String {
    match evaluation.confusion.as_slice() {
        [confusion] => confusion.table(classes) + "\n",
        labels => labels
            .iter()
            .zip(classes)
            .map(|(confusion, label)| {
                confusion.table(&[format!("not {label}"), label.clone()]) + "\n"
            })
            .collect(),
    }
}
