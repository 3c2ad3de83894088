use std::collections::{HashMap, HashSet};
use std::hash::RandomState;

use serde::Serialize;

use crate::row_hash::{add_keys, column_keys, columns_of};
use crate::schema::{ColumnKind, Schema};
use crate::table::Table;

/// Rows below which nothing is said of a column that gives the target away.
const FEWEST_ROWS: usize = 20;
/// Rows per different value, on average, below which one class each may well be chance.
const ROWS_PER_VALUE: usize = 5;

/// Something in the data that may make a network worse than it looks, or look better than it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What it warns of.
    pub kind: WarningKind,
    /// The column, if the warning is about one.
    pub column: Option<String>,
    /// What was found, and what follows.
    pub message: String,
}

/// What a [`Warning`] warns of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningKind {
    /// A column counts the rows, so it is left out.
    RowNumbers,
    /// Nearly every text of a column is different, so it is left out.
    Identifier,
    /// Some values of a numeric column are not numbers, and are taken for missing.
    NotNumbers,
    /// Numbers with a decimal comma, which are taken for names.
    DecimalCommas,
    /// Hexadecimal numbers, which are taken for names.
    Hexadecimals,
    /// A feature alone determines the class of every row.
    TargetLeak,
    /// Some rows are copies of others.
    CopiedRows,
    /// Some classes have only one row.
    SingleRows,
}

/// `column "id": counts the rows, …`.
impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.column {
            Some(column) => write!(f, "column {column:?}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// The warnings that need the target: of copied rows, and of features that alone determine the
/// class of every row.
///
/// There are none where the schema has not just one target column.
pub fn target_warnings(table: &Table, schema: &Schema) -> Vec<Warning> {
    let hasher = RandomState::new();
    let targets: Vec<_> = columns_of(table, schema, |kind| kind == ColumnKind::Target).collect();
    let [(target, target_index)] = targets[..] else { return Vec::new() };
    let classes = column_keys(table, schema, target, target_index, &hasher);
    let num_classes = classes.iter().flatten().collect::<HashSet<_>>().len();

    let mut warnings = Vec::new();
    let mut row_hashes = vec![0; table.num_rows()];
    add_keys(&mut row_hashes, &classes, &hasher);
    for (column, index) in columns_of(table, schema, ColumnKind::is_feature) {
        let values = column_keys(table, schema, column, index, &hasher);
        add_keys(&mut row_hashes, &values, &hasher);
        let pairs: Vec<(u64, u64)> =
            values.iter().zip(&classes).filter_map(|(v, c)| v.zip(*c)).collect();
        let gives_away = num_classes > 1
            && pairs.len() >= FEWEST_ROWS
            && pairs.iter().any(|(_, class)| *class != pairs[0].1)
            && (one_class_each(&pairs)
                || (column.kind == ColumnKind::Numeric && one_range_each(pairs, num_classes)));
        if gives_away {
            let message =
                "alone tells the class of every row, so it may give the target away".to_owned();
            let column = Some(column.name.clone());
            warnings.push(Warning { kind: WarningKind::TargetLeak, column, message });
        }
    }

    let rows = row_hashes.len();
    let copies = rows - row_hashes.into_iter().collect::<HashSet<_>>().len();
    if copies > 0 {
        let message = format!(
            "{copies} of {rows} rows are copies of earlier ones, class included; where a copy is held \
             out, its score says little"
        );
        warnings.insert(0, Warning { kind: WarningKind::CopiedRows, column: None, message });
    }
    warnings
}

/// Whether each value occurs with one class only, and often enough for that to mean something.
fn one_class_each(pairs: &[(u64, u64)]) -> bool {
    let mut class_of = HashMap::new();
    pairs.iter().all(|(value, class)| class_of.entry(value).or_insert(class) == &class)
        && class_of.len() <= pairs.len() / ROWS_PER_VALUE
}

/// Whether the numbers of each class lie in a range of their own.
fn one_range_each(mut pairs: Vec<(u64, u64)>, num_classes: usize) -> bool {
    pairs.sort_unstable_by(|a, b| f64::from_bits(a.0).total_cmp(&f64::from_bits(b.0)));
    let tied = |pair: &[(u64, u64)]| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1;
    let changes = pairs.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    changes + 1 == num_classes && !pairs.windows(2).any(tied)
}
