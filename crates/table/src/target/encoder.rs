use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::cells::{Refused, each_row, label, present};
use super::classes::missing_everywhere;
use super::form::{MAX_CLASSES, TargetForm};
use crate::error::{TableError, did_you_mean, listed};
use crate::names::nearest;
use crate::preprocess::shown;
use crate::table::Table;
use kiln_data::Targets;

/// How far from 1 the sum of a row of probabilities may be.
const SUM_TOLERANCE: f64 = 1e-3;

/// Turns the target columns of a table into [`Targets`].
///
/// It is plain data. One read from a file is to be [`validate`](Self::validate)d before it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetEncoder {
    pub(super) columns: Vec<String>,
    pub(super) form: TargetForm,
    pub(super) missing: Vec<String>,
}

/// The targets of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedTargets {
    /// The targets of the rows kept.
    pub targets: Targets,
    /// One value per row of the table: false where a target is missing, or where the row could not be
    /// split into columns.
    pub kept: Vec<bool>,
}

impl TargetEncoder {
    /// Targets of this form in these columns; `missing` are the texts that mean a missing target.
    ///
    /// # Errors
    ///
    /// As [`TargetEncoder::validate`].
    pub fn new(
        columns: Vec<String>,
        form: TargetForm,
        missing: Vec<String>,
    ) -> Result<Self, TableError> {
        let encoder = Self { columns, form, missing };
        encoder.validate()?;
        Ok(encoder)
    }

    /// The target columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// What the targets are.
    pub fn form(&self) -> &TargetForm {
        &self.form
    }

    /// The names of the classes or labels, in the order of logits; for a binary target the negative
    /// class, then the positive one.
    pub fn classes(&self) -> &[String] {
        match &self.form {
            TargetForm::Binary { classes } => classes,
            TargetForm::Sparse { classes } | TargetForm::Categorical { classes } => classes,
            TargetForm::OneHot | TargetForm::Labels => &self.columns,
        }
    }

    /// The targets of a table that has the target columns.
    ///
    /// # Errors
    ///
    /// A column that the table lacks; [`TableError::Row`] for the first value that is none of the
    /// classes, not 0 or 1, or not a probability, and for the first row of probabilities with a sum
    /// more than 0.001 away from 1; [`TableError::Column`] where no row is kept.
    pub fn encode(&self, table: &Table) -> Result<EncodedTargets, TableError> {
        let encoded = self.encode_any(table)?;
        if !encoded.kept.contains(&true) {
            return Err(missing_everywhere(table.name(), &self.columns[0], table.num_rows()));
        }
        Ok(encoded)
    }

    /// As [`encode`](Self::encode), but that it may be that no row is kept.
    pub(crate) fn encode_any(&self, table: &Table) -> Result<EncodedTargets, TableError> {
        let (targets, kept) = match &self.form {
            TargetForm::Binary { .. } | TargetForm::Sparse { .. } => {
                let (indices, kept) = self.indices(table)?;
                (Targets::Classes { indices, num_classes: self.classes().len() }, kept)
            }
            TargetForm::Categorical { classes } => {
                let (indices, kept) = self.indices(table)?;
                let width = classes.len();
                let mut values = vec![0.0; indices.len() * width];
                for (row, index) in values.chunks_exact_mut(width).zip(indices) {
                    row[index as usize] = 1.0;
                }
                (Targets::Dense { values, width }, kept)
            }
            TargetForm::OneHot | TargetForm::Labels => {
                let (values, kept) = self.vectors(table)?;
                (Targets::Dense { values, width: self.columns.len() }, kept)
            }
        };
        Ok(EncodedTargets { targets, kept })
    }

    /// Checks what a file may have got wrong: columns, classes, and that they fit the form.
    ///
    /// # Errors
    ///
    /// [`TableError::Invalid`].
    pub fn validate(&self) -> Result<(), TableError> {
        let (columns, classes) = (self.columns.len(), self.classes().len());
        let several = matches!(self.form, TargetForm::OneHot | TargetForm::Labels);
        let problem = if columns == 0 || (columns > 1) != several {
            let expected = if several { "2 or more" } else { "1" };
            format!("found {columns} target columns, expected {expected}")
        } else if has_repeats(&self.columns) {
            "two target columns have the same name".to_owned()
        } else if !(2..=MAX_CLASSES).contains(&classes) {
            format!("found {classes} classes, expected 2 to {MAX_CLASSES}")
        } else if has_repeats(self.classes()) {
            "two classes have the same name".to_owned()
        } else {
            return Ok(());
        };
        Err(TableError::Invalid { part: "target classes".to_owned(), problem })
    }

    pub(super) fn set_positive(&mut self, positive: &str) -> Result<(), TableError> {
        let outputs = self.classes().len();
        let TargetForm::Binary { classes } = &mut self.form else {
            return Err(TableError::setting(
                "positive",
                format_args!(
                    "the positive class is set to {positive:?}, expected none: the target is not \
                     binary, it has {outputs} classes or labels"
                ),
            ));
        };
        match classes.iter().position(|class| class == positive) {
            Some(1) => {}
            Some(_) => classes.swap(0, 1),
            None => {
                let nearest = nearest(positive, classes.iter().map(String::as_str));
                return Err(TableError::setting(
                    "positive",
                    format_args!(
                        "the positive class {positive:?} is not one of the classes{}",
                        did_you_mean(nearest, classes)
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The class index of each row kept, from one column.
    fn indices(&self, table: &Table) -> Result<(Vec<u32>, Vec<bool>), TableError> {
        let classes = self.classes();
        let index: HashMap<&str, u32> = classes
            .iter()
            .enumerate()
            .map(|(index, class)| (class.as_str(), index as u32))
            .collect();
        let mut indices = Vec::new();
        let mut scratch = String::new();
        let kept = each_row(table, &self.columns, |_, cells| {
            let Some(class) = present(cells[0], &self.missing, &mut scratch) else {
                return Ok(false);
            };
            let index = index.get(class).ok_or_else(|| Refused {
                column: Some(0),
                message: format!(
                    "{} is not one of the classes {}",
                    shown(cells[0]),
                    listed(classes)
                ),
            })?;
            indices.push(*index);
            Ok(true)
        })?;
        Ok((indices, kept))
    }

    /// The vector of each row kept, from several columns.
    fn vectors(&self, table: &Table) -> Result<(Vec<f32>, Vec<bool>), TableError> {
        let probabilities = self.form == TargetForm::OneHot;
        let mut values: Vec<f32> = Vec::new();
        let mut row: Vec<f64> = Vec::with_capacity(self.columns.len());
        let mut scratch = String::new();
        let kept = each_row(table, &self.columns, |_, cells| {
            row.clear();
            for (column, &cell) in cells.iter().enumerate() {
                if present(cell, &self.missing, &mut scratch).is_none() {
                    return Ok(false);
                }
                row.push(
                    label(cell, probabilities)
                        .map_err(|message| Refused { column: Some(column), message })?,
                );
            }
            let mut total = 1.0;
            if probabilities {
                total = row.iter().sum();
                if (total - 1.0).abs() > SUM_TOLERANCE {
                    // To six digits, for 0.1 + 0.2 is not quite 0.3.
                    let sum = (total * 1e6).round() / 1e6;
                    let message = format!("the targets sum to {sum}, expected 1");
                    return Err(Refused { column: None, message });
                }
            }
            values.extend(row.iter().map(|value| (value / total) as f32));
            Ok(true)
        })?;
        Ok((values, kept))
    }
}

pub(super) fn has_repeats(names: &[String]) -> bool {
    let mut seen = HashSet::new();
    !names.iter().all(|name| seen.insert(name))
}
