use std::collections::HashSet;

use crate::cells::{Cell, Cells};
use crate::error::TableError;
use crate::number::parse_number;
use crate::preprocess::{cell_boolean, shown};
use crate::table::Table;

/// Why a row's target can't be used: of all target columns, or of one by its place among them.
pub(super) struct Refused {
    pub(super) column: Option<usize>,
    pub(super) message: String,
}

/// Calls `read` with the number of each row and the cells of its columns; gives what it says, and false for
/// rows that could not be split into columns.
pub(super) fn each_row(
    table: &Table,
    columns: &[String],
    mut read: impl FnMut(usize, &[Cell]) -> Result<bool, Refused>,
) -> Result<Vec<bool>, TableError> {
    let indices: Vec<usize> =
        columns.iter().map(|column| table.column(column)).collect::<Result<_, _>>()?;
    let mut kept = Vec::with_capacity(table.num_rows());
    for rows in table.chunks() {
        let bad: HashSet<usize> = rows.problems.iter().map(|problem| problem.row).collect();
        let columns_of_cells: Vec<Cells> =
            indices.iter().map(|&index| Cells::new(rows.batch.column(index).as_ref())).collect();
        let mut cells = Vec::with_capacity(columns.len());
        for row in 0..rows.batch.num_rows() {
            if bad.contains(&row) {
                kept.push(false);
                continue;
            }
            cells.clear();
            cells.extend(columns_of_cells.iter().map(|column| column.get(row)));
            kept.push(read(kept.len(), &cells).map_err(|refused| TableError::Row {
                table: table.name().to_owned(),
                problem: rows.problem(
                    row,
                    refused.column.map(|column| columns[column].as_str()),
                    refused.message,
                ),
            })?);
        }
    }
    Ok(kept)
}

/// The text of a target, `None` where it is missing.
pub(super) fn present<'a>(
    cell: Cell<'a>,
    missing: &[String],
    scratch: &'a mut String,
) -> Option<&'a str> {
    cell.text(scratch).filter(|text| !missing.iter().any(|missing| missing == text))
}

/// The value of a cell that is a label, or a probability.
pub(super) fn label(cell: Cell, probability: bool) -> Result<f64, String> {
    let value = match cell {
        Cell::Text(text) => parse_number(text),
        Cell::Number(value) => Some(value),
        _ => None,
    };
    match cell_boolean(cell).map(|value| f64::from(u8::from(value))).or(value) {
        Some(value) if value == 0.0 || value == 1.0 => Ok(value),
        Some(value) if probability && (0.0..=1.0).contains(&value) => Ok(value),
        _ if probability => Err(format!("{} is not a number from 0 to 1", shown(cell))),
        _ => Err(format!("{} is neither 0 nor 1", shown(cell))),
    }
}
