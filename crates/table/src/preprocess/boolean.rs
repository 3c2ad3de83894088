use super::shown;
use crate::cells::Cell;

/// The texts of a boolean, in pairs of false and true; upper and lower case are the same.
pub const BOOLEAN_TEXTS: [(&str, &str); 5] =
    [("0", "1"), ("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y")];

/// The pair of texts that a text belongs to, and which of them it is.
pub(crate) fn boolean_pair(text: &str) -> Option<(usize, bool)> {
    BOOLEAN_TEXTS.iter().enumerate().find_map(|(pair, (no, yes))| {
        if text.eq_ignore_ascii_case(no) {
            Some((pair, false))
        } else {
            text.eq_ignore_ascii_case(yes).then_some((pair, true))
        }
    })
}

/// What a cell says, if it is a boolean or the number 0 or 1; not for a missing one.
pub(crate) fn cell_boolean(cell: Cell) -> Option<bool> {
    match cell {
        Cell::Text(text) => boolean_pair(text).map(|(_, value)| value),
        Cell::Integer(0) => Some(false),
        Cell::Integer(1) => Some(true),
        Cell::Number(0.0) => Some(false),
        Cell::Number(1.0) => Some(true),
        Cell::Boolean(value) => Some(value),
        _ => None,
    }
}

/// Whether the values of the training rows tell anything: they are not all the same.
pub(super) fn varies(values: &[Option<bool>]) -> bool {
    values.windows(2).any(|pair| pair[0] != pair[1])
}

pub(super) fn write(value: Option<bool>, out: &mut [f32]) {
    out[0] = match value {
        None => 0.0,
        Some(true) => 1.0,
        Some(false) => -1.0,
    };
}

/// Reads the cells of a boolean column.
#[derive(Debug, Clone)]
pub(super) struct BooleanReader {
    missing: Vec<String>,
    /// Whether one of these texts is also one of a boolean; else they need a look only where a cell
    /// is none.
    ambiguous: bool,
}

impl BooleanReader {
    pub(super) fn new<'a>(missing: impl Iterator<Item = &'a str>) -> Self {
        let missing: Vec<String> = missing.map(str::to_owned).collect();
        let ambiguous = missing.iter().any(|text| boolean_pair(text).is_some());
        Self { missing, ambiguous }
    }

    /// The value, `None` where it is missing; `Err` says why it can't be used.
    pub(super) fn read(&self, cell: Cell) -> Result<Option<bool>, String> {
        let found = cell_boolean(cell);
        if found.is_some() && !self.ambiguous {
            return Ok(found);
        }
        let mut scratch = String::new();
        match cell.text(&mut scratch) {
            None => Ok(None),
            Some(text) if self.missing.iter().any(|missing| missing == text) => Ok(None),
            Some(_) if found.is_some() => Ok(found),
            Some(_) => Err(format!("{} is neither true nor false", shown(cell))),
        }
    }
}
