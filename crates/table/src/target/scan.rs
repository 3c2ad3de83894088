use std::collections::HashMap;

use kiln_data::Targets;

use super::cells::{each_row, present};
use super::classes::{class_form, missing_everywhere, sorted_classes, too_many_classes};
use super::encoder::{TargetEncoder, has_repeats};
use super::form::{MAX_CLASSES, TargetForm, TargetKind};
use crate::error::{TableError, listed};
use crate::table::Table;

/// Different values of a target from which on it is certain that they are no classes.
const MANY_VALUES: usize = 10 * MAX_CLASSES;

/// Finds the form and the classes of target columns, table by table.
#[derive(Debug)]
pub(crate) struct TargetScan {
    table: String,
    kind: TargetKind,
    /// With a form that is not final yet.
    encoder: TargetEncoder,
    /// Of one target column: how many rows and how many training rows have each value.
    values: HashMap<String, [usize; 2]>,
    /// Of several ones: whether each row has just one label, and how many training rows have each label,
    /// and each label as their largest.
    one_label_each: bool,
    labels: Vec<[usize; 2]>,
    /// Rows with a target, and all.
    rows: [usize; 2],
}

impl TargetScan {
    pub(crate) fn new(
        table: &str,
        columns: &[String],
        kind: TargetKind,
        missing: &[String],
    ) -> Result<Self, TableError> {
        if columns.is_empty() || has_repeats(columns) {
            return Err(TableError::setting(
                "target",
                format_args!(
                    "the target columns are {}, expected at least 1, all different",
                    listed(columns)
                ),
            ));
        }
        let form = match (columns.len(), kind) {
            (1, _) => TargetForm::Sparse { classes: Vec::new() },
            (found, _) if found > MAX_CLASSES => {
                return Err(too_many_classes(table, found));
            }
            (columns, TargetKind::Sparse) => {
                return Err(TableError::TargetKind {
                    kind,
                    found: format!("found {columns} target columns"),
                    expected: "1 for a sparse target",
                });
            }
            (_, TargetKind::Categorical) => TargetForm::OneHot,
            (_, TargetKind::Binary | TargetKind::Auto) => TargetForm::Labels,
        };
        let (missing, of) = (missing.to_vec(), columns.to_vec());
        Ok(Self {
            table: table.to_owned(),
            kind,
            encoder: TargetEncoder { columns: of, form, missing },
            values: HashMap::new(),
            one_label_each: true,
            labels: vec![[0; 2]; columns.len()],
            rows: [0; 2],
        })
    }

    /// Takes in a table, and says which of its rows have a target. `trains`: whether a row is to be trained
    /// on if it has one.
    ///
    /// # Errors
    ///
    /// A column that the table lacks, a value that is no label; far too many different values.
    pub(crate) fn push(
        &mut self,
        table: &Table,
        trains: impl Fn(usize) -> bool,
    ) -> Result<Vec<bool>, TableError> {
        let kept = match self.encoder.columns.len() {
            1 => self.push_values(table, trains)?,
            _ => self.push_labels(table, trains)?,
        };
        self.rows[0] += kept.iter().filter(|kept| **kept).count();
        self.rows[1] += table.num_rows();
        if self.values.len() > MANY_VALUES {
            self.classes()?;
        }
        Ok(kept)
    }

    fn push_values(
        &mut self,
        table: &Table,
        trains: impl Fn(usize) -> bool,
    ) -> Result<Vec<bool>, TableError> {
        let (values, missing) = (&mut self.values, &self.encoder.missing);
        let mut scratch = String::new();
        each_row(table, &self.encoder.columns, |row, cells| {
            let Some(class) = present(cells[0], missing, &mut scratch) else { return Ok(false) };
            let counts = match values.get_mut(class) {
                Some(counts) => counts,
                None => values.entry(class.to_owned()).or_default(),
            };
            counts[0] += 1;
            counts[1] += usize::from(trains(row));
            Ok(true)
        })
    }

    fn push_labels(
        &mut self,
        table: &Table,
        trains: impl Fn(usize) -> bool,
    ) -> Result<Vec<bool>, TableError> {
        let encoded = self.encoder.encode_any(table)?;
        let Targets::Dense { values, width } = &encoded.targets else {
            unreachable!("several columns make vectors")
        };
        let rows = encoded.kept.iter().enumerate().filter(|(_, kept)| **kept);
        for (values, (row, _)) in values.chunks_exact(*width).zip(rows) {
            self.one_label_each &= values.iter().sum::<f32>() == 1.0;
            if trains(row) {
                let largest = (1..*width).fold(0, |a, b| if values[b] > values[a] { b } else { a });
                self.labels[largest][1] += 1;
                for (label, value) in self.labels.iter_mut().zip(values) {
                    label[0] += usize::from(*value >= 0.5);
                }
            }
        }
        Ok(encoded.kept)
    }

    /// How many rows have a target, so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows[0]
    }

    /// The encoder, and how many training rows have each class or label.
    ///
    /// # Errors
    ///
    /// As [`TargetEncoder::fit`].
    pub(crate) fn finish(
        self,
        positive: Option<&str>,
    ) -> Result<(TargetEncoder, Vec<usize>), TableError> {
        let form = match self.encoder.columns.as_slice() {
            [column] => class_form(self.classes()?, &self.table, column, self.kind)?,
            columns if self.rows[0] == 0 => {
                return Err(missing_everywhere(&self.table, &columns[0], self.rows[1]));
            }
            _ if self.kind == TargetKind::Auto && self.one_label_each => TargetForm::OneHot,
            _ => self.encoder.form.clone(),
        };
        let mut encoder = TargetEncoder { form, ..self.encoder };
        if let Some(positive) = positive {
            encoder.set_positive(positive)?;
        }
        let rows = match &encoder.form {
            TargetForm::OneHot => self.labels.iter().map(|[_, largest]| *largest).collect(),
            TargetForm::Labels => self.labels.iter().map(|[label, _]| *label).collect(),
            _ => encoder.classes().iter().map(|class| self.values[class][1]).collect(),
        };
        Ok((encoder, rows))
    }

    fn classes(&self) -> Result<Vec<String>, TableError> {
        let found = self.values.keys().cloned();
        sorted_classes(&self.table, &self.encoder.columns[0], found, self.rows)
    }
}

impl TargetEncoder {
    /// Finds the form and the classes of target columns.
    ///
    /// The classes of one column are its different values, sorted as numbers where all are numbers and
    /// else by text. Of two, the second is the positive one unless `positive` names it. Two classes are
    /// [`Binary`](TargetForm::Binary) and more are [`Sparse`](TargetForm::Sparse), unless `kind` asks
    /// for something else. Several columns are [`OneHot`](TargetForm::OneHot) where each row has just
    /// one 1, else [`Labels`](TargetForm::Labels).
    ///
    /// `missing` are the texts that mean a missing target.
    ///
    /// # Errors
    ///
    /// Columns that the table lacks, or the same twice; no target at all; fewer than two classes, more
    /// than 10,000, or a class of its own for each row; numbers that are a quantity: more than 20
    /// different ones which are not all whole, or which are more than half the rows; a form that does
    /// not fit the columns; `positive` where it does not apply or is no class; a value of several
    /// columns that is not 0 or 1, or for [`TargetKind::Categorical`] not from 0 to 1 or with a sum
    /// more than 0.001 away from 1.
    pub fn fit(
        table: &Table,
        columns: &[String],
        kind: TargetKind,
        positive: Option<&str>,
        missing: &[String],
    ) -> Result<Self, TableError> {
        let mut scan = TargetScan::new(table.name(), columns, kind, missing)?;
        scan.push(table, |_| true)?;
        Ok(scan.finish(positive)?.0)
    }
}
