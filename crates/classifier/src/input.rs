use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, NullArray, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow_schema::{Field, Schema};
use kiln_table::{Cell, Location, RowProblem, Rows, TableError};
use serde_json::Value;

use crate::ClassifierError;

/// What a classifier can be asked about.
///
/// | Input | |
/// |---|---|
/// | [`RecordBatch`] | columns by name, in any order and among others, of any Arrow type that holds numbers, text or booleans |
/// | `[serde_json::Map<String, Value>]`, `[BTreeMap<String, Value>]` | rows by column name: numbers, text, booleans; a null, or no entry, is a missing value |
/// | [`Matrix`] | numbers in the order of [`Manifest::feature_columns`](crate::Manifest::feature_columns) |
///
/// Numbers and booleans among the rows by name count as the text that a CSV file would hold, so that
/// 3, 3.0 and "3" mean the same.
pub trait Input {
    /// The rows; `columns` are the classifier's feature columns, in order.
    ///
    /// # Errors
    ///
    /// If the input has the wrong form, whatever the classifier does with its columns.
    fn rows(&self, columns: &[&str]) -> Result<Rows, ClassifierError>;
}

impl Input for RecordBatch {
    fn rows(&self, _columns: &[&str]) -> Result<Rows, ClassifierError> {
        Ok(Rows::from_batch("input", self, 0)?)
    }
}

/// Rows of numbers, one per feature column of the classifier, those included that its
/// preprocessing leaves out. NaN is a missing value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matrix<'a> {
    /// Row-major `[rows, width]`.
    pub values: &'a [f32],
    /// Values per row.
    pub width: usize,
}

impl Input for Matrix<'_> {
    fn rows(&self, columns: &[&str]) -> Result<Rows, ClassifierError> {
        let Self { values, width } = *self;
        if width != columns.len() || width == 0 || !values.len().is_multiple_of(width) {
            let (values, expected) = (values.len(), columns.len());
            return Err(ClassifierError::MatrixWidth { values, width, expected });
        }
        let column = |index: usize| -> ArrayRef {
            let values = values.iter().skip(index).step_by(width);
            Arc::new(Float64Array::from_iter_values(values.map(|value| f64::from(*value))))
        };
        let arrays = columns.iter().enumerate().map(|(index, name)| (*name, column(index)));
        Ok(rows_of(batch(arrays, values.len() / width)))
    }
}

impl Input for [serde_json::Map<String, Value>] {
    fn rows(&self, columns: &[&str]) -> Result<Rows, ClassifierError> {
        rows_by_name(self, columns)
    }
}

impl Input for [BTreeMap<String, Value>] {
    fn rows(&self, columns: &[&str]) -> Result<Rows, ClassifierError> {
        rows_by_name(self, columns)
    }
}

/// A column that no row has is left out, so that the classifier misses it; but where there are no rows
/// there is nothing to miss.
fn rows_by_name<'a, R>(rows: &'a [R], columns: &[&str]) -> Result<Rows, ClassifierError>
where
    &'a R: IntoIterator<Item = (&'a String, &'a Value)>,
{
    let index: HashMap<&str, usize> =
        columns.iter().enumerate().map(|(index, name)| (*name, index)).collect();
    let mut texts: Vec<Vec<Option<String>>> = columns.iter().map(|_| Vec::new()).collect();
    let mut others: HashSet<&str> = HashSet::new();
    for (row, cells) in rows.iter().enumerate() {
        for (name, value) in cells {
            let Some(&column) = index.get(name.as_str()) else {
                others.insert(name);
                continue;
            };
            let text = text(value).map_err(|message| {
                let (location, column) = (Location::Row(row + 1), Some(name.clone()));
                let problem = RowProblem { row, location, column, message };
                TableError::Row { table: "input".to_owned(), problem }
            })?;
            texts[column].resize(row, None);
            texts[column].push(text);
        }
    }
    let mut arrays: Vec<(&str, ArrayRef)> = Vec::new();
    for (name, mut texts) in columns.iter().zip(texts) {
        if !texts.is_empty() || rows.is_empty() {
            texts.resize(rows.len(), None);
            arrays.push((name, Arc::new(StringArray::from(texts))));
        }
    }
    // Columns that are not asked for take no room; their names are for suggestions.
    let mut others: Vec<&str> = others.into_iter().collect();
    others.sort_unstable();
    let nothing = |name| -> (&str, ArrayRef) { (name, Arc::new(NullArray::new(rows.len()))) };
    arrays.extend(others.into_iter().map(nothing));
    Ok(rows_of(batch(arrays.into_iter(), rows.len())))
}

/// A value as the text that a CSV file would hold, `None` where there is none.
fn text(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(value.to_string())),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(match number.as_f64() {
            Some(value) if !number.is_i64() && !number.is_u64() => {
                Cell::Number(value).text(&mut String::new()).map(str::to_owned)
            }
            _ => Some(number.to_string()),
        }),
        Value::Array(_) => Err("found a list, expected a single value".to_owned()),
        Value::Object(_) => Err("found an object, expected a single value".to_owned()),
    }
}

fn batch<'a>(arrays: impl Iterator<Item = (&'a str, ArrayRef)>, rows: usize) -> RecordBatch {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = arrays
        .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
        .unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .expect("nullable columns of the types and lengths stated")
}

fn rows_of(batch: RecordBatch) -> Rows {
    Rows { batch, first_row: 0, lines: Vec::new(), picked: Vec::new(), problems: Vec::new() }
}
