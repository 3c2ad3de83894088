//! What several commands print: tables of columns and of metrics.

use kiln::{
    table::{ColumnKind, Format, Scanned, Schema, Warning},
    tabular::Prepared,
    tabular::assessment::Assessment,
    train::{Evaluation, Metric},
};

use crate::{advice::advised, console::Console};

/// Columns shown without `--verbose`.
const MOST_COLUMNS: usize = 40;

/// What was found in a table.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    name: &'a str,
    rows: usize,
    without_target: usize,
    schema: &'a Schema,
    warnings: &'a [Warning],
}

impl<'a> From<&'a Prepared> for Found<'a> {
    fn from(prepared: &'a Prepared) -> Self {
        Self {
            name: prepared.table.name(),
            rows: prepared.table.num_rows(),
            without_target: prepared.num_without_target(),
            schema: &prepared.schema,
            warnings: &prepared.warnings,
        }
    }
}

impl<'a> From<&'a Scanned> for Found<'a> {
    fn from(scanned: &'a Scanned) -> Self {
        Self {
            name: scanned.train.name(),
            rows: scanned.num_rows,
            without_target: scanned.num_rows - scanned.num_with_target,
            schema: &scanned.schema,
            warnings: &scanned.warnings,
        }
    }
}

/// Says, on stderr, how a table was read and what each column is used for, and prints its warnings.
pub(crate) fn note_table<'a>(found: impl Into<Found<'a>>, format: Format, console: Console) {
    let Found { name, rows, without_target, schema, warnings } = found.into();
    let (columns, format) = (&schema.columns, describe(format));
    console.note(format_args!("{name}: {format}, {rows} rows, {} columns", columns.len()));
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
    match without_target {
        0 => {}
        rows => console.warn(format_args!("{rows} rows have no target and are left out")),
    }
    for warning in advised(warnings) {
        console.warn(warning);
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

/// One headline metric a line: its value and interval, and what the baselines reach.
pub(crate) fn assessment(assessment: &Assessment) -> String {
    // "majority class" by its first word: the table fits in 80 columns.
    let word = |name: &str| name.split(' ').next().unwrap_or_default().to_owned();
    let mut text = format!("  {:<18} {:>8}  {:<18}", "", "model", "95 % interval");
    for baseline in &assessment.baselines {
        text += &format!(" {:>9}", word(&baseline.name));
    }
    text = text.trim_end().to_owned() + "\n";
    for metric in Metric::ALL {
        let Some(value) = metric.of(&assessment.evaluation) else { continue };
        let interval = assessment.intervals.of.get(&metric);
        let interval = interval.map_or_else(String::new, |of| format!("{of:.4}"));
        let mut line = format!("  {:<18} {value:>8.4}  {interval:<18}", metric.name());
        for baseline in &assessment.baselines {
            match metric.of(&baseline.evaluation) {
                Some(value) => line += &format!(" {value:>9.4}"),
                None => line += &format!(" {:>9}", "-"),
            }
        }
        text += line.trim_end();
        text.push('\n');
    }
    if let Some(before) = &assessment.uncalibrated {
        text += &format!(
            "temperature {:.4}: log loss {:.4} without, {:.4} with it\n",
            assessment.temperature, before.evaluation.log_loss, assessment.evaluation.log_loss
        );
    }
    if assessment.threshold != 0.5 {
        text += &format!("threshold {:.4}\n", assessment.threshold);
    }
    match assessment.shared_rows {
        None | Some(0) => {}
        Some(shared) => {
            text += &format!(
                "{shared} of these rows were also trained on, so all this is better than it is\n"
            );
        }
    }
    text
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

/// Lines of cells as a table, each column as wide as its widest cell.
pub(crate) fn aligned(lines: &[Vec<String>]) -> String {
    let width = |text: &String| text.chars().count();
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        widths.resize(widths.len().max(line.len()), 0);
        for (widest, cell) in widths.iter_mut().zip(line) {
            *widest = width(cell).max(*widest);
        }
    }
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, widest)| {
            // Padding counts characters, not bytes.
            format!("{cell}{}", " ".repeat(widest - width(cell)))
        });
        let cells: Vec<String> = cells.collect();
        text += "  ";
        text += cells.join("  ").trim_end();
        text += "\n";
    }
    text
}
