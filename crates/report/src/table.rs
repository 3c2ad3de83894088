//! A table of texts.

use askama::Template;

use crate::text::clean;

/// A table of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Stands over it.
    pub caption: String,
    /// The columns, from the left.
    pub columns: Vec<Column>,
    /// The rows, from the top. A cell that is missing is empty; one beyond the columns is left out.
    pub rows: Vec<Vec<String>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Stands over it.
    pub name: String,
    /// Whether its cells are numbers: then they are aligned on the right.
    pub numeric: bool,
}

/// More rows than this are folded away.
const SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "table.html", whitespace = "minimize")]
pub(crate) struct TableView {
    id: String,
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    folded: bool,
}

struct Cell {
    text: String,
    numeric: bool,
    heads_row: bool,
}

impl TableView {
    pub(crate) fn new(table: &Table, id: String) -> Self {
        let column =
            |column: &Column| Column { name: clean(&column.name), numeric: column.numeric };
        let row = |row: &Vec<String>| {
            let cells = table.columns.iter().enumerate().map(|(i, column)| Cell {
                text: row.get(i).map(|text| clean(text)).unwrap_or_default(),
                numeric: column.numeric,
                heads_row: i == 0,
            });
            cells.collect()
        };
        Self {
            id,
            caption: clean(&table.caption),
            columns: table.columns.iter().map(column).collect(),
            rows: table.rows.iter().map(row).collect(),
            folded: table.rows.len() > SHOWN,
        }
    }
}
