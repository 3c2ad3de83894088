//! A table in memory.

use arrow_array::BooleanArray;
use arrow_select::filter::filter_record_batch;
use kiln_data::DataError;

use crate::error::TableError;
use crate::names::column_index;
use crate::rows::Rows;

/// A whole table in memory.
#[derive(Debug, Clone)]
pub struct Table {
    name: String,
    columns: Vec<String>,
    chunks: Vec<Rows>,
}

impl Table {
    /// A table of successive chunks; `columns` are those of each of them.
    pub(crate) fn of_chunks(name: &str, columns: &[String], chunks: Vec<Rows>) -> Self {
        Self { name: name.to_owned(), columns: columns.to_vec(), chunks }
    }

    /// The name of its source, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns, all different.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows, in order.
    pub fn chunks(&self) -> &[Rows] {
        &self.chunks
    }

    /// How many rows there are.
    pub fn num_rows(&self) -> usize {
        self.chunks.iter().map(|rows| rows.batch.num_rows()).sum()
    }

    /// The table of those rows alone for which `wanted` holds, one for each row. They still know where they
    /// stand in their source.
    ///
    /// # Errors
    ///
    /// If no row is left.
    ///
    /// # Panics
    ///
    /// If `wanted` is shorter than the table.
    pub fn filter(&self, wanted: &[bool]) -> Result<Self, TableError> {
        let mut chunks = Vec::new();
        let (mut first_row, mut before) = (0, 0);
        for rows in &self.chunks {
            let mask = &wanted[before..][..rows.batch.num_rows()];
            before += mask.len();
            let kept: Vec<usize> = (0..mask.len()).filter(|row| mask[*row]).collect();
            if kept.is_empty() {
                continue;
            }
            let batch = filter_record_batch(&rows.batch, &BooleanArray::from(mask.to_vec()));
            let batch = batch.map_err(|error| TableError::table(&self.name, error))?;
            let lines = match rows.lines.as_slice() {
                [] => Vec::new(),
                lines => kept.iter().map(|row| lines[*row]).collect(),
            };
            let place =
                |row: &usize| rows.picked.get(*row).copied().unwrap_or(rows.first_row + row);
            let picked = kept.iter().map(place).collect();
            chunks.push(Rows { batch, first_row, lines, picked, problems: Vec::new() });
            first_row += kept.len();
        }
        match chunks.is_empty() {
            true => Err(DataError::NoRows.into()),
            false => Ok(Self::of_chunks(&self.name, &self.columns, chunks)),
        }
    }

    /// The index of a column.
    ///
    /// # Errors
    ///
    /// [`TableError::NoColumns`], which suggests the name nearest to it.
    pub fn column(&self, name: &str) -> Result<usize, TableError> {
        column_index(&self.name, &self.columns, name)
    }
}

#[cfg(test)]
impl Table {
    pub(crate) fn set_chunks(&mut self, chunks: Vec<Rows>) {
        self.chunks = chunks;
    }
}

/// A table of texts for tests, as a CSV file with this header would give it; empty text is missing.
#[cfg(test)]
pub(crate) fn text_table(name: &str, header: &[&str], rows: &[&[&str]]) -> Table {
    let columns = (0..header.len()).map(|column| {
        let texts = rows.iter().map(|row| row[column]);
        let array: arrow_array::ArrayRef =
            std::sync::Arc::new(arrow_array::StringArray::from_iter_values(texts));
        array
    });
    let mut table = typed_table(name, header.iter().copied().zip(columns).collect());
    table.chunks[0].lines = (2..).take(rows.len()).collect();
    table
}

/// A table of arrays for tests, as a Parquet file would give it.
#[cfg(test)]
pub(crate) fn typed_table(name: &str, columns: Vec<(&str, arrow_array::ArrayRef)>) -> Table {
    let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = arrow_array::RecordBatch::try_from_iter_with_nullable(columns)
        .expect("columns of equal length");
    let chunk =
        Rows { batch, first_row: 0, lines: Vec::new(), picked: Vec::new(), problems: Vec::new() };
    Table { name: name.to_owned(), columns: names, chunks: vec![chunk] }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use expect_test::expect;

    use super::Table;
    use crate::cells::Cells;
    use crate::read::{ReadOptions, TableReader};

    #[test]
    fn rows_that_are_kept_know_where_they_stood() {
        let csv = Cursor::new("x,y\n1,a\n2,b\n3,a\n4,b\n");
        let reader = TableReader::from_reader(csv, "t.csv", &ReadOptions::default()).unwrap();
        let table = Table::from_reader(reader).unwrap();
        let some = table.filter(&[false, true, true, true]).unwrap();
        let some = some.filter(&[false, true, true]).unwrap();
        let [rows] = some.chunks() else { panic!("{} chunks", some.chunks().len()) };
        let mut scratch = String::new();
        let first = Cells::new(rows.batch.column(0)).get(0);
        assert_eq!(first.text(&mut scratch), Some("3"));
        assert_eq!((some.num_rows(), rows.picked.as_slice()), (2, &[2, 3][..]));
        expect!["line 4"].assert_eq(&rows.location(0).to_string());
        let none = table.filter(&[false; 4]).unwrap_err();
        expect!["the dataset has no rows, expected at least 1"].assert_eq(&none.to_string());
    }
}
