use std::collections::HashMap;

use super::boolean::{self, BooleanReader};
use super::categorical::{self, Categorical, Found, Lookup};
use super::numeric::{NumberReader, Numeric};
use super::{Feature, PreprocessConfig, Preprocessor, Transform};
use crate::cells::{Cell, Cells};
use crate::error::{TableError, no_informative_feature};
use crate::schema::{ColumnKind, Schema};
use crate::table::Table;

impl Preprocessor {
    /// Fits the constants on the training rows of a table: those where `training` is true.
    ///
    /// Columns become features by their kind in the schema. One that tells nothing is left out: all
    /// training rows have the same value there, or too many categories to have any of them twice.
    ///
    /// # Errors
    ///
    /// A config out of range; a column of the schema that the table lacks; no training rows; a value
    /// of a training row that can't be read; no column that tells anything.
    ///
    /// # Panics
    ///
    /// If `training` has not one value per row of the table.
    pub fn fit(
        table: &Table,
        schema: &Schema,
        config: &PreprocessConfig,
        training: &[bool],
    ) -> Result<Self, TableError> {
        config.validate()?;
        assert_eq!(training.len(), table.num_rows(), "one value of `training` per row");
        let mut training = training.to_vec();
        let mut rows_of_chunks = training.as_mut_slice();
        for rows in table.chunks() {
            let (chunk, rest) = rows_of_chunks.split_at_mut(rows.batch.num_rows());
            // They are null in every column, which must not look like missing values.
            for problem in &rows.problems {
                chunk[problem.row] = false;
            }
            rows_of_chunks = rest;
        }
        if !training.contains(&true) {
            return Err(kiln_data::DataError::NoRows.into());
        }

        let mut features = Vec::new();
        for column in &schema.columns {
            let cells = TrainingCells { table, name: &column.name, training: &training };
            let missing = || column.missing.iter().chain(&schema.missing).map(String::as_str);
            let transform = match column.kind {
                ColumnKind::Numeric => cells.fit_numeric(&NumberReader::new(missing()), config)?,
                ColumnKind::Boolean => cells.fit_boolean(&BooleanReader::new(missing()))?,
                ColumnKind::Categorical => {
                    cells.fit_categorical(&Lookup::new(&[], missing()), config)?
                }
                ColumnKind::Target | ColumnKind::Weight | ColumnKind::Ignored => None,
            };
            features.extend(transform.map(|transform| Feature {
                name: column.name.clone(),
                missing: column.missing.clone(),
                transform,
            }));
        }
        let preprocessor = Self { missing: schema.missing.clone(), features };
        if preprocessor.features.is_empty() {
            return Err(no_informative_feature(table.name()));
        }
        preprocessor.validate()?;
        Ok(preprocessor)
    }
}

/// The cells of one column in the training rows.
struct TrainingCells<'a> {
    table: &'a Table,
    name: &'a str,
    training: &'a [bool],
}

impl TrainingCells<'_> {
    fn for_each(&self, mut read: impl FnMut(Cell) -> Result<(), String>) -> Result<(), TableError> {
        let column = self.table.column(self.name)?;
        let mut training = self.training.iter();
        for rows in self.table.chunks() {
            let cells = Cells::new(rows.batch.column(column).as_ref());
            let each_row = (0..rows.batch.num_rows()).zip(&mut training);
            for (row, _) in each_row.filter(|(_, training)| **training) {
                read(cells.get(row)).map_err(|message| TableError::Row {
                    table: self.table.name().to_owned(),
                    problem: rows.problem(row, Some(self.name), message),
                })?;
            }
        }
        Ok(())
    }

    fn fit_numeric(
        &self,
        reader: &NumberReader,
        config: &PreprocessConfig,
    ) -> Result<Option<Transform>, TableError> {
        let (mut values, mut any_missing) = (Vec::new(), false);
        self.for_each(|cell| {
            match reader.read(cell)? {
                Some(value) => values.push(value),
                None => any_missing = true,
            }
            Ok(())
        })?;
        Ok(Numeric::fit(values, any_missing, config).map(Transform::Numeric))
    }

    fn fit_boolean(&self, reader: &BooleanReader) -> Result<Option<Transform>, TableError> {
        let mut values = Vec::new();
        self.for_each(|cell| {
            values.push(reader.read(cell)?);
            Ok(())
        })?;
        Ok(boolean::varies(&values).then_some(Transform::Boolean))
    }

    fn fit_categorical(
        &self,
        missing: &Lookup,
        config: &PreprocessConfig,
    ) -> Result<Option<Transform>, TableError> {
        let (mut counts, mut any_missing) = (HashMap::<String, usize>::new(), false);
        let mut scratch = String::new();
        self.for_each(|cell| {
            if missing.find(cell, &mut scratch) == Found::Missing {
                any_missing = true;
            } else if let Some(text) = cell.text(&mut scratch) {
                match counts.get_mut(text) {
                    Some(count) => *count += 1,
                    None => {
                        counts.insert(text.to_owned(), 1);
                    }
                }
            }
            Ok(())
        })?;
        Ok(categorical::fit(counts, any_missing, config).map(|fitted| match fitted {
            Categorical::OneHot(one_hot) => Transform::OneHot(one_hot),
            Categorical::Embedded(embedded) => Transform::Embedding(embedded),
        }))
    }
}
