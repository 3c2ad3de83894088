use std::cmp::Ordering;
use std::collections::HashSet;

use super::cells::{each_row, present};
use super::{MAX_CLASSES, TargetForm, TargetKind};
use crate::error::DataError;
use crate::number::parse_number;
use crate::table::Table;

/// Numbers with more different values than this may be a quantity rather than classes.
const MAX_NUMBER_CLASSES: usize = 20;

/// The classes of one column, in order.
pub(super) fn find_classes(
    table: &Table,
    column: &str,
    missing: &[String],
) -> Result<Vec<String>, DataError> {
    let mut found: HashSet<String> = HashSet::new();
    let mut scratch = String::new();
    let kept = each_row(table, &[column.to_owned()], |cells| {
        let class = present(cells[0], missing, &mut scratch);
        if let Some(class) = class
            && !found.contains(class)
        {
            found.insert(class.to_owned());
        }
        Ok(class.is_some())
    })?;
    let rows = kept.into_iter().filter(|kept| *kept).count();
    let mut classes: Vec<String> = found.into_iter().collect();
    classes.sort_unstable();
    let (name, column) = (table.name().to_owned(), column.to_owned());
    match classes.as_mut_slice() {
        [] => return Err(missing_everywhere(table, &column)),
        [class] => {
            let class = std::mem::take(class);
            return Err(DataError::SingleClass { table: name, column, class, rows });
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
            return Err(DataError::TargetIsQuantity { table: name, column, distinct, rows });
        }
        // Stable, so that two texts of one number stay in order.
        classes.sort_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(Ordering::Equal));
    }
    if distinct == rows {
        return Err(DataError::TargetIsKey { table: name, column, rows });
    }
    if distinct > MAX_CLASSES {
        return Err(DataError::TooManyClasses { table: name, found: distinct, limit: MAX_CLASSES });
    }
    Ok(classes)
}

pub(super) fn class_form(
    classes: Vec<String>,
    table: &Table,
    column: &str,
    kind: TargetKind,
) -> Result<TargetForm, DataError> {
    match kind {
        TargetKind::Auto | TargetKind::Binary => match <[String; 2]>::try_from(classes) {
            Ok(classes) => Ok(TargetForm::Binary { classes }),
            Err(classes) if kind == TargetKind::Auto => Ok(TargetForm::Sparse { classes }),
            Err(classes) => Err(DataError::NotBinary {
                table: table.name().to_owned(),
                column: column.to_owned(),
                classes: classes.len(),
            }),
        },
        TargetKind::Categorical => Ok(TargetForm::Categorical { classes }),
        TargetKind::Sparse => Ok(TargetForm::Sparse { classes }),
    }
}

pub(super) fn missing_everywhere(table: &Table, column: &str) -> DataError {
    DataError::TargetMissing {
        table: table.name().to_owned(),
        column: column.to_owned(),
        rows: table.num_rows(),
    }
}
