//! Names of columns: found, made, and suggested for a misspelt one.

use std::collections::HashMap;

use crate::error::TableError;

/// The index of a column by name.
///
/// # Errors
///
/// [`TableError::NoColumns`], which suggests the name nearest to it.
pub fn column_index(table: &str, columns: &[String], name: &str) -> Result<usize, TableError> {
    let found = columns.iter().position(|column| column == name);
    found.ok_or_else(|| no_column(table, columns, name))
}

pub(crate) fn no_column(table: &str, columns: &[String], name: &str) -> TableError {
    let nearest = nearest(name, columns.iter().map(String::as_str)).map(str::to_owned);
    TableError::NoColumns {
        table: table.to_owned(),
        missing: vec![(name.to_owned(), nearest)],
        columns: columns.to_vec(),
    }
}

/// The candidate that a misspelt name most likely means, if any comes near.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = name.to_lowercase();
    // Much longer ones are no misspellings, and take long to compare.
    let longest = 4 * name.len() + 16;
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= longest)
        .map(|candidate| (strsim::jaro_winkler(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The names of the columns: `column_N` for one without a name, and no name twice.
pub(crate) fn column_names(table: &str, names: Vec<String>) -> Result<Vec<String>, TableError> {
    let mut positions = HashMap::new();
    let mut columns = Vec::with_capacity(names.len());
    for (index, mut name) in names.into_iter().enumerate() {
        if name.is_empty() {
            name = format!("column_{}", index + 1);
        }
        if let Some(first) = positions.insert(name.clone(), index + 1) {
            let second = index + 1;
            return Err(TableError::table(
                table,
                format_args!(
                    "columns {first} and {second} (counted from 1) are both named {name:?}, \
                     expected different names"
                ),
            ));
        }
        columns.push(name);
    }
    Ok(columns)
}
