use std::cmp::Ordering;

use super::form::{MAX_CLASSES, TargetForm, TargetKind};
use crate::error::TableError;
use crate::number::parse_number;

/// Numbers with more different values than this may be a quantity rather than classes.
const MAX_NUMBER_CLASSES: usize = 20;

/// The classes of one column, in order; `found` are its different values, and `rows` those that have one
/// of `all_rows`.
pub(super) fn sorted_classes(
    table: &str,
    column: &str,
    found: impl Iterator<Item = String>,
    [rows, all_rows]: [usize; 2],
) -> Result<Vec<String>, TableError> {
    let mut classes: Vec<String> = found.collect();
    classes.sort_unstable();
    match classes.as_slice() {
        [] => return Err(missing_everywhere(table, column, all_rows)),
        [class] => {
            let problem = format_args!(
                "found only the class {class:?} in {rows} rows, expected at least two classes"
            );
            return Err(TableError::column(table, column, problem));
        }
        _ => {}
    }
    let distinct = classes.len();
    let number = |class: &String| parse_number(class).filter(|number| number.is_finite());
    if let Some(numbers) = classes.iter().map(number).collect::<Option<Vec<f64>>>() {
        let whole = numbers.iter().all(|number| number.fract() == 0.0);
        let classes_at_most =
            if whole { MAX_NUMBER_CLASSES.max(rows / 2) } else { MAX_NUMBER_CLASSES };
        if distinct > classes_at_most {
            return Err(TableError::column(
                table,
                column,
                format_args!(
                    "the target has {distinct} different numbers in {rows} rows; kiln trains \
                     classifiers and cannot predict a quantity"
                ),
            ));
        }
        // Stable, so that two texts of one number stay in order.
        classes.sort_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(Ordering::Equal));
    }
    if distinct == rows {
        return Err(TableError::column(
            table,
            column,
            format_args!(
                "each of the {rows} rows has a class of its own, expected classes with several rows"
            ),
        ));
    }
    if distinct > MAX_CLASSES {
        return Err(too_many_classes(table, distinct));
    }
    Ok(classes)
}

pub(super) fn class_form(
    classes: Vec<String>,
    table: &str,
    column: &str,
    kind: TargetKind,
) -> Result<TargetForm, TableError> {
    match kind {
        TargetKind::Auto | TargetKind::Binary => match <[String; 2]>::try_from(classes) {
            Ok(classes) => Ok(TargetForm::Binary { classes }),
            Err(classes) if kind == TargetKind::Auto => Ok(TargetForm::Sparse { classes }),
            Err(classes) => Err(TableError::TargetKind {
                kind,
                found: format!("{table}, column {column:?}: found {} classes", classes.len()),
                expected: "2 for a binary target",
            }),
        },
        TargetKind::Categorical => Ok(TargetForm::Categorical { classes }),
        TargetKind::Sparse => Ok(TargetForm::Sparse { classes }),
    }
}

pub(super) fn missing_everywhere(table: &str, column: &str, rows: usize) -> TableError {
    TableError::column(table, column, format_args!("the target is missing in all {rows} rows"))
}

pub(super) fn too_many_classes(table: &str, found: usize) -> TableError {
    let problem = format_args!("found {found} classes, expected at most {MAX_CLASSES}");
    TableError::table(table, problem)
}
