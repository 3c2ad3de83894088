//! Rows and values reduced to what comparing takes.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::cells::{Cell, Cells};
use crate::error::TableError;
use crate::number::parse_number;
use crate::schema::{ColumnKind, ColumnSchema, Schema};
use crate::table::Table;

/// The bits of a number, the hash of a text.
pub(crate) type Key = Option<u64>;

/// How many of some rows of a table occur among some rows of another, class included, though written
/// otherwise.
///
/// Rows are indices. The same columns are compared as were learned from: features and target of `schema`.
///
/// # Errors
///
/// A column that one of the tables lacks.
///
/// # Panics
///
/// If there is no such row.
pub fn shared_rows(
    schema: &Schema,
    (table, rows): (&Table, &[usize]),
    (other, other_rows): (&Table, &[usize]),
) -> Result<usize, TableError> {
    let hasher = RandomState::new();
    let compared = |kind: ColumnKind| kind == ColumnKind::Target || kind.is_feature();
    let hashes = |table: &Table| {
        let mut hashes = vec![0; table.num_rows()];
        for column in schema.columns.iter().filter(|column| compared(column.kind)) {
            let index = table.column(&column.name)?;
            let keys = column_keys(table, schema, column, index, &hasher);
            add_keys(&mut hashes, &keys, &hasher);
        }
        Ok::<_, TableError>(hashes)
    };
    let others = hashes(other)?;
    let others: HashSet<u64> = other_rows.iter().map(|row| others[*row]).collect();
    let hashes = hashes(table)?;
    Ok(rows.iter().filter(|row| others.contains(&hashes[**row])).count())
}

/// The columns of one kind that the table has, with their places in it.
pub(crate) fn columns_of<'a>(
    table: &'a Table,
    schema: &'a Schema,
    kind: fn(ColumnKind) -> bool,
) -> impl Iterator<Item = (&'a ColumnSchema, usize)> {
    let columns = schema.columns.iter().filter(move |column| kind(column.kind));
    columns.filter_map(|column| Some((column, table.column(&column.name).ok()?)))
}

/// Makes one more column count in the hashes of the rows.
pub(crate) fn add_keys(hashes: &mut [u64], keys: &[Key], hasher: &RandomState) {
    for (hash, key) in hashes.iter_mut().zip(keys) {
        *hash = hasher.hash_one((*hash, key));
    }
}

/// One key per row, none where the value is missing.
pub(crate) fn column_keys(
    table: &Table,
    schema: &Schema,
    column: &ColumnSchema,
    index: usize,
    hasher: &RandomState,
) -> Vec<Key> {
    let missing: HashSet<&str> =
        schema.missing.iter().chain(&column.missing).map(String::as_str).collect();
    // Adding 0 makes -0 and 0 one value.
    let number = |value: f64| (!value.is_nan()).then(|| (value + 0.0).to_bits());
    let text_key = |text: &str| match column.kind {
        _ if missing.contains(text) => None,
        ColumnKind::Numeric => parse_number(text).and_then(number),
        _ => Some(hasher.hash_one(text)),
    };
    let mut keys = Vec::with_capacity(table.num_rows());
    for rows in table.chunks() {
        let cells = Cells::new(rows.batch.column(index));
        keys.extend((0..rows.batch.num_rows()).map(|row| match cells.get(row) {
            Cell::Missing => None,
            Cell::Text(text) => text_key(text),
            Cell::Integer(value) => number(value as f64),
            Cell::Number(value) => number(value),
            Cell::Boolean(value) => Some(u64::from(value)),
        }));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SchemaOptions, infer_schema, profile::Profiler, table::text_table};

    #[test]
    fn a_row_is_found_again_however_it_is_written() {
        let header = ["size", "name", "kind"];
        let train = text_table(
            "train.csv",
            &header,
            &[&["1.50", "a", "x"], &["2", "b", "y"], &["", "c", "x"], &["7", "d", "y"]],
        );
        let options = SchemaOptions { target: vec!["kind".to_owned()], ..Default::default() };
        let mut profiler = Profiler::new(train.columns(), &options.missing_texts());
        train.chunks().iter().for_each(|rows| profiler.push(rows));
        let (schema, _) = infer_schema("train.csv", &profiler.finish(), &options).unwrap();
        let test = text_table(
            "test.csv",
            &["kind", "name", "size"],
            &[&["x", "a", "1.5"], &["x", "b", "2"], &["x", "c", "NA"], &["y", "d", "7.0"]],
        );
        let shared = |rows: &[usize], train_rows: &[usize]| {
            shared_rows(&schema, (&test, rows), (&train, train_rows)).unwrap()
        };
        assert_eq!(shared(&[0, 1, 2, 3], &[0, 1, 2, 3]), 3);
        assert_eq!(shared(&[0, 1, 2, 3], &[0, 1]), 1);
        assert_eq!(shared(&[1], &[0, 1, 2, 3]), 0);
        assert_eq!(shared(&[0, 0], &[0]), 2);
    }

    #[test]
    fn a_column_that_is_not_there_is_an_error() {
        let train = text_table("a.csv", &["x", "y"], &[&["1", "a"], &["2", "b"], &["3", "a"]]);
        let options = SchemaOptions { target: vec!["y".to_owned()], ..Default::default() };
        let mut profiler = Profiler::new(train.columns(), &options.missing_texts());
        train.chunks().iter().for_each(|rows| profiler.push(rows));
        let (schema, _) = infer_schema("a.csv", &profiler.finish(), &options).unwrap();
        let test = text_table("b.csv", &["y"], &[&["a"]]);
        let error = shared_rows(&schema, (&test, &[0]), (&train, &[0])).unwrap_err();
        assert!(error.to_string().starts_with("b.csv: no column \"x\""), "{error}");
    }
}
