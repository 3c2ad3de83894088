use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::boolean::{self, BooleanReader};
use super::categorical::{Embedded, Lookup, OneHot};
use super::numeric::NumberReader;
use super::{Preprocessor, Transform};
use crate::cells::{Cell, Cells};
use crate::error::TableError;
use crate::names::{nearest, no_column};
use crate::rows::{RowProblem, Rows};

/// Missing columns for which the nearest name is looked for.
const SUGGESTIONS: usize = 20;

/// What [`Preprocessor::transform`] makes of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Transformed {
    /// Row-major `[rows, d_input]`, all finite; zeros for a row that has a problem.
    pub features: Vec<f32>,
    /// The rows that can't be used, in order, each with its first problem.
    pub problems: Vec<RowProblem>,
}

/// Where the columns that a [`Preprocessor`] needs stand in a table.
///
/// It owns what it needs, so it can be kept beside its preprocessor.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Index of each feature's column in the table.
    columns: Vec<usize>,
    /// What does not depend on the table, and takes time to make.
    readers: Arc<[Bound]>,
}

#[derive(Debug)]
struct Bound {
    reader: Reader,
    /// The columns of the matrix.
    place: Range<usize>,
}

#[derive(Debug)]
enum Reader {
    Number(NumberReader),
    Boolean(BooleanReader),
    Category(Lookup),
}

impl Preprocessor {
    /// Finds the columns by name in a table of these columns, in any order and among others.
    ///
    /// # Errors
    ///
    /// [`TableError::NoColumns`], which names all that are missing and the
    /// names that come nearest.
    pub fn bind(&self, table_name: &str, columns: &[String]) -> Result<Binding, TableError> {
        let columns = self.find(table_name, columns)?;
        let bound = self.features.iter().zip(self.feature_ranges()).map(|(feature, place)| {
            let texts = feature.missing.iter().chain(&self.missing).map(String::as_str);
            let reader = match &feature.transform {
                Transform::Numeric(_) => Reader::Number(NumberReader::new(texts)),
                Transform::Boolean => Reader::Boolean(BooleanReader::new(texts)),
                Transform::OneHot(OneHot { categories, .. })
                | Transform::Embedding(Embedded { categories, .. }) => {
                    Reader::Category(Lookup::new(categories, texts))
                }
            };
            Bound { reader, place }
        });
        Ok(Binding { columns, readers: bound.collect() })
    }

    /// The same as [`bind`](Self::bind) for one more table, in less time.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind).
    ///
    /// # Panics
    ///
    /// If the binding is that of another preprocessor.
    pub fn rebind(
        &self,
        binding: &Binding,
        table_name: &str,
        columns: &[String],
    ) -> Result<Binding, TableError> {
        assert_eq!(self.features.len(), binding.columns.len(), "binding of another preprocessor");
        let columns = self.find(table_name, columns)?;
        Ok(Binding { columns, readers: Arc::clone(&binding.readers) })
    }

    /// The place of each feature's column in a table.
    fn find(&self, table_name: &str, columns: &[String]) -> Result<Vec<usize>, TableError> {
        // The first of equals, as a search from the start would find.
        let mut index = HashMap::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            index.entry(column.as_str()).or_insert(at);
        }
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for feature in &self.features {
            match index.get(feature.name.as_str()) {
                Some(column) => found.push(*column),
                None => missing.push(feature.name.as_str()),
            }
        }
        match missing.as_slice() {
            [] => Ok(found),
            [name] => Err(no_column(table_name, columns, name)),
            names => {
                // Where a whole table is another one, suggestions for all would take long.
                let with_nearest = |(index, name): (usize, &&str)| {
                    let candidates = || columns.iter().map(String::as_str);
                    let nearest =
                        (index < SUGGESTIONS).then(|| nearest(name, candidates())).flatten();
                    ((*name).to_owned(), nearest.map(str::to_owned))
                };
                Err(TableError::NoColumns {
                    table: table_name.to_owned(),
                    missing: names.iter().enumerate().map(with_nearest).collect(),
                    columns: columns.to_vec(),
                })
            }
        }
    }

    /// Writes what one value becomes into a row of the matrix, which is zeros there; `feature` is an
    /// index of [`features`](Self::features). Each feature of a row is to be written, a missing value
    /// too.
    ///
    /// # Errors
    ///
    /// Why the value can't be used.
    ///
    /// # Panics
    ///
    /// If the binding is that of another preprocessor, there is no such feature, or the row is shorter
    /// than [`d_input`](Self::d_input).
    pub fn write(
        &self,
        binding: &Binding,
        feature: usize,
        cell: Cell,
        row: &mut [f32],
    ) -> Result<(), String> {
        let Bound { reader, place } = &binding.readers[feature];
        let out = &mut row[place.clone()];
        match (&self.features[feature].transform, reader) {
            (Transform::Numeric(numeric), Reader::Number(reader)) => {
                numeric.write(reader.read(cell)?, out);
            }
            (Transform::Boolean, Reader::Boolean(reader)) => {
                boolean::write(reader.read(cell)?, out)
            }
            (Transform::OneHot(one_hot), Reader::Category(lookup)) => {
                one_hot.write(lookup.find(cell, &mut String::new()), out);
            }
            (Transform::Embedding(_), Reader::Category(lookup)) => {
                Embedded::write(lookup.find(cell, &mut String::new()), out);
            }
            _ => panic!("binding of another preprocessor"),
        }
        Ok(())
    }

    /// The matrix of these rows.
    ///
    /// A row that could not be split into columns is zeros too, without a second problem.
    ///
    /// # Panics
    ///
    /// If the binding is that of another preprocessor, or of a table with fewer columns.
    pub fn transform(&self, binding: &Binding, rows: &Rows) -> Transformed {
        assert_eq!(self.features.len(), binding.columns.len(), "binding of another preprocessor");
        let (d_input, num_rows) = (self.d_input(), rows.batch.num_rows());
        let mut matrix = Matrix {
            values: vec![0.0; num_rows * d_input],
            d_input,
            bad: vec![false; num_rows],
            problems: Vec::new(),
        };
        for problem in &rows.problems {
            matrix.bad[problem.row] = true;
        }
        let bound = binding.columns.iter().zip(binding.readers.iter());
        for (feature, (column, Bound { reader, place })) in self.features.iter().zip(bound) {
            let mut column = matrix.column(rows, *column, &feature.name, place.clone());
            match (&feature.transform, reader) {
                (Transform::Numeric(numeric), Reader::Number(reader)) => {
                    column.fill(|cell| reader.read(cell), |value, out| numeric.write(value, out));
                }
                (Transform::Boolean, Reader::Boolean(reader)) => {
                    column.fill(|cell| reader.read(cell), boolean::write);
                }
                (Transform::OneHot(one_hot), Reader::Category(lookup)) => {
                    let mut scratch = String::new();
                    column.fill(
                        |cell| Ok(lookup.find(cell, &mut scratch)),
                        |found, out| one_hot.write(found, out),
                    );
                }
                (Transform::Embedding(_), Reader::Category(lookup)) => {
                    let mut scratch = String::new();
                    column.fill(|cell| Ok(lookup.find(cell, &mut scratch)), Embedded::write);
                }
                _ => panic!("binding of another preprocessor"),
            }
        }
        matrix.finish()
    }
}

/// A matrix that is being filled, one feature at a time.
struct Matrix {
    values: Vec<f32>,
    d_input: usize,
    /// The rows that have a problem.
    bad: Vec<bool>,
    problems: Vec<RowProblem>,
}

/// One feature's part of a [`Matrix`].
struct MatrixColumn<'a> {
    matrix: &'a mut Matrix,
    rows: &'a Rows,
    cells: Cells<'a>,
    name: &'a str,
    place: Range<usize>,
}

impl Matrix {
    fn column<'a>(
        &'a mut self,
        rows: &'a Rows,
        column: usize,
        name: &'a str,
        place: Range<usize>,
    ) -> MatrixColumn<'a> {
        let cells = Cells::new(rows.batch.column(column).as_ref());
        MatrixColumn { matrix: self, rows, cells, name, place }
    }

    fn finish(mut self) -> Transformed {
        for problem in &self.problems {
            // What the features before the one with the problem have written.
            self.values[problem.row * self.d_input..][..self.d_input].fill(0.0);
        }
        self.problems.sort_unstable_by_key(|problem| problem.row);
        Transformed { features: self.values, problems: self.problems }
    }
}

impl MatrixColumn<'_> {
    fn fill<T>(
        &mut self,
        mut read: impl FnMut(Cell) -> Result<T, String>,
        write: impl Fn(T, &mut [f32]),
    ) {
        let matrix = &mut *self.matrix;
        let each_row = matrix.values.chunks_exact_mut(matrix.d_input).zip(&mut matrix.bad);
        for (row, (out, bad)) in each_row.enumerate().filter(|(_, (_, bad))| !**bad) {
            match read(self.cells.get(row)) {
                Ok(value) => write(value, &mut out[self.place.clone()]),
                Err(message) => {
                    *bad = true;
                    matrix.problems.push(self.rows.problem(row, Some(self.name), message));
                }
            }
        }
    }
}
