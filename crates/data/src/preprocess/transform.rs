use super::boolean::{self, BooleanReader};
use super::categorical::{Embedded, Lookup, OneHot};
use super::numeric::NumberReader;
use super::{Preprocessor, Transform};
use crate::error::DataError;
use crate::table::{Cell, Cells, RowProblem, Rows, nearest, no_column};

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
    features: Vec<Bound>,
}

#[derive(Debug, Clone)]
struct Bound {
    /// Index of the column in the table.
    column: usize,
    reader: Reader,
}

#[derive(Debug, Clone)]
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
    /// [`DataError::NoColumn`] or [`DataError::NoColumns`], which names all that are missing and the
    /// names that come nearest.
    pub fn bind(&self, table_name: &str, columns: &[String]) -> Result<Binding, DataError> {
        let (mut features, mut missing) = (Vec::new(), Vec::new());
        for feature in &self.features {
            let Some(column) = columns.iter().position(|column| *column == feature.name) else {
                missing.push(feature.name.as_str());
                continue;
            };
            let texts = feature.missing.iter().chain(&self.missing).map(String::as_str);
            let reader = match &feature.transform {
                Transform::Numeric(_) => Reader::Number(NumberReader::new(texts)),
                Transform::Boolean => Reader::Boolean(BooleanReader::new(texts)),
                Transform::OneHot(OneHot { categories, .. })
                | Transform::Embedding(Embedded { categories, .. }) => {
                    Reader::Category(Lookup::new(categories, texts))
                }
            };
            features.push(Bound { column, reader });
        }
        match missing.as_slice() {
            [] => Ok(Binding { features }),
            [name] => Err(no_column(table_name, columns, name)),
            names => {
                let with_nearest = |name: &&str| {
                    let nearest = nearest(name, columns.iter().map(String::as_str));
                    ((*name).to_owned(), nearest.map(str::to_owned))
                };
                Err(DataError::NoColumns {
                    table: table_name.to_owned(),
                    columns: names.iter().map(with_nearest).collect(),
                })
            }
        }
    }

    /// The matrix of these rows.
    ///
    /// A row that could not be split into columns is zeros too, without a second problem.
    ///
    /// # Panics
    ///
    /// If the binding is that of another preprocessor, or of a table with fewer columns.
    pub fn transform(&self, binding: &Binding, rows: &Rows) -> Transformed {
        assert_eq!(self.features.len(), binding.features.len(), "binding of another preprocessor");
        let (d_input, num_rows) = (self.d_input(), rows.batch.num_rows());
        let embedded = self.features.iter().filter(|feature| feature.is_embedded()).count();
        let (mut next_dense, mut next_embedded) = (0, d_input - embedded);
        let mut matrix = Matrix {
            values: vec![0.0; num_rows * d_input],
            d_input,
            bad: vec![false; num_rows],
            problems: Vec::new(),
        };
        for problem in &rows.problems {
            matrix.bad[problem.row] = true;
        }
        for (feature, bound) in self.features.iter().zip(&binding.features) {
            let next = if feature.is_embedded() { &mut next_embedded } else { &mut next_dense };
            let place = *next..*next + feature.width();
            *next = place.end;
            let mut column = matrix.column(rows, bound.column, &feature.name, place);
            match (&feature.transform, &bound.reader) {
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
    place: std::ops::Range<usize>,
}

impl Matrix {
    fn column<'a>(
        &'a mut self,
        rows: &'a Rows,
        column: usize,
        name: &'a str,
        place: std::ops::Range<usize>,
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
