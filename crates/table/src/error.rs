use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use crate::rows::{Location, RowProblem};
use crate::target::TargetKind;

/// Why a table can't be read, understood or preprocessed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// What holds for rows in memory, too.
    #[error(transparent)]
    Data(#[from] kiln_data::DataError),

    /// There is no file of this name.
    #[error("{path}: no such file{}", did_you_mean_file(nearest.as_deref()))]
    NotFound {
        /// The name asked for.
        path: PathBuf,
        /// The file in the same folder whose name comes nearest.
        nearest: Option<String>,
    },

    /// A file could not be opened or read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },

    /// A file or stream is not a table that can be read, or no longer the same one.
    #[error("{table} {problem}")]
    Source {
        /// The table's source.
        table: String,
        /// What it is and what was expected: `is empty, expected a table`.
        problem: String,
    },

    /// A table has columns but no rows.
    #[error("{table} has no rows, only names of columns")]
    NoRows {
        /// The table's source.
        table: String,
    },

    /// A CSV file can't be split into records from some line on.
    #[error("{table} line {line}: {problem}")]
    Record {
        /// The table's source.
        table: String,
        /// The line on which the record starts, counted from 1.
        line: u64,
        /// What was found.
        problem: String,
    },

    /// A row of a table can't be used.
    #[error("{table} {problem}")]
    Row {
        /// The table's source.
        table: String,
        /// The row and what is wrong with it.
        problem: RowProblem,
    },

    /// A table lacks columns.
    #[error("{table}: {}", no_columns(missing, columns))]
    NoColumns {
        /// The table's source.
        table: String,
        /// The names asked for, and for each the name that comes nearest.
        missing: Vec<(String, Option<String>)>,
        /// The names of the table's columns.
        columns: Vec<String>,
    },

    /// The columns, the rows or the classes of a table can't be used together.
    #[error("{table}: {problem}")]
    Table {
        /// The table's source.
        table: String,
        /// What was found and what was expected.
        problem: String,
    },

    /// A column can't serve as what it is to be: the target or a feature.
    #[error("{table}, column {column:?}: {problem}")]
    Column {
        /// The table's source.
        table: String,
        /// The column, the first of several.
        column: String,
        /// What was found and what was expected.
        problem: String,
    },

    /// A numeric column has a value that is infinite or NaN.
    #[error(
        "{table} {location}, column {column:?}: {value:?} is not finite, expected a finite number"
    )]
    NotFinite {
        /// The table's source.
        table: String,
        /// The place of the first such value.
        location: Location,
        /// The column.
        column: String,
        /// The value.
        value: String,
    },

    /// The target does not have the form that is asked for.
    #[error("{found}, expected {expected}")]
    TargetKind {
        /// The form asked for.
        kind: TargetKind,
        /// What was found, and where.
        found: String,
        /// What that form needs.
        expected: &'static str,
    },

    /// A setting is out of its range, or does not fit the table or another setting.
    #[error("{problem}")]
    Setting {
        /// The setting, as its field is spelt.
        name: &'static str,
        /// What was found and what was expected.
        problem: String,
    },

    /// A preprocessor or a target encoder from a file is not valid.
    #[error("{part}: {problem}")]
    Invalid {
        /// The part: `target classes`.
        part: String,
        /// What was found and what was expected.
        problem: String,
    },
}

impl TableError {
    pub(crate) fn unreadable(table: &str, problem: impl Display) -> Self {
        Self::Source { table: table.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn table(table: &str, problem: impl Display) -> Self {
        Self::Table { table: table.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn column(table: &str, column: &str, problem: impl Display) -> Self {
        let (table, column) = (table.to_owned(), column.to_owned());
        Self::Column { table, column, problem: problem.to_string() }
    }

    pub(crate) fn record(table: &str, line: u64, problem: impl Display) -> Self {
        Self::Record { table: table.to_owned(), line, problem: problem.to_string() }
    }

    pub(crate) fn setting(name: &'static str, problem: impl Display) -> Self {
        Self::Setting { name, problem: problem.to_string() }
    }
}

/// The first problem, where there is one, as the error of the table.
pub(crate) fn no_problems(table: &str, problems: &[RowProblem]) -> Result<(), TableError> {
    match problems.first().cloned() {
        None => Ok(()),
        Some(problem) => Err(TableError::Row { table: table.to_owned(), problem }),
    }
}

/// The error for a table of which no column tells training rows apart.
pub(crate) fn no_informative_feature(table: &str) -> TableError {
    TableError::table(
        table,
        "no column can serve as a feature: each has the same value in all training rows, or no \
         category twice, or is not used",
    )
}

fn no_columns(missing: &[(String, Option<String>)], columns: &[String]) -> String {
    match missing {
        [(name, nearest)] => {
            format!("no column {name:?}{}", did_you_mean(nearest.as_deref(), columns))
        }
        several => format!("no columns {}", missing_columns(several)),
    }
}

/// A suggestion, or else the candidates, to follow a name that is none of them.
pub(crate) fn did_you_mean(nearest: Option<&str>, candidates: &[String]) -> String {
    const SHOWN: usize = 10;
    match nearest {
        Some(nearest) => format!("; did you mean {nearest:?}?"),
        None if candidates.len() <= SHOWN => format!("; there are {}", candidates.join(", ")),
        None => {
            let (shown, rest) = candidates.split_at(SHOWN);
            format!("; there are {}, and {} more", shown.join(", "), rest.len())
        }
    }
}

fn missing_columns(columns: &[(String, Option<String>)]) -> String {
    let each = columns.iter().map(|(name, nearest)| match nearest {
        Some(nearest) => format!("{name:?} (did you mean {nearest:?}?)"),
        None => format!("{name:?}"),
    });
    listed(&each.collect::<Vec<String>>())
}

pub(crate) fn left_out(columns: &[(String, String)]) -> String {
    if columns.is_empty() {
        return ", every column is the target or the weight".to_owned();
    }
    let each = columns.iter().map(|(name, reason)| format!("{name:?} ({reason})"));
    format!("; not used are {}", listed(&each.collect::<Vec<String>>()))
}

/// The names, the first ten of many.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    match names.split_at_checked(SHOWN) {
        Some((shown, rest)) if !rest.is_empty() => {
            format!("{} and {} more", shown.join(", "), rest.len())
        }
        _ if names.is_empty() => "none".to_owned(),
        _ => names.join(", "),
    }
}

fn did_you_mean_file(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use kiln_data::DataError;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn no_columns(missing: &[(&str, Option<&str>)], columns: &[&str]) -> TableError {
        let owned = |(name, nearest): &(&str, Option<&str>)| {
            ((*name).to_owned(), nearest.map(str::to_owned))
        };
        TableError::NoColumns {
            table: "t.csv".to_owned(),
            missing: missing.iter().map(owned).collect(),
            columns: names(columns),
        }
    }

    #[test]
    fn every_error_says_what_was_found_and_where() {
        let not_found = || io::Error::from(io::ErrorKind::NotFound);
        let location = Location::Line(17);
        let eleven = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
        for (error, expected) in [
            (
                TableError::Data(DataError::NoRows),
                expect!["the dataset has no rows, expected at least 1"],
            ),
            (
                TableError::NotFound { path: "trian.csv".into(), nearest: None },
                expect!["trian.csv: no such file"],
            ),
            (
                TableError::NotFound {
                    path: "trian.csv".into(),
                    nearest: Some("train.csv".to_owned()),
                },
                expect!["trian.csv: no such file; did you mean train.csv?"],
            ),
            (
                TableError::Read { path: "t.csv".into(), source: not_found() },
                expect!["cannot read t.csv"],
            ),
            (
                TableError::unreadable("t.csv", "is empty, expected a table"),
                expect!["t.csv is empty, expected a table"],
            ),
            (
                TableError::NoRows { table: "t.csv".to_owned() },
                expect!["t.csv has no rows, only names of columns"],
            ),
            (
                TableError::record("t.csv", 17, "longer than 16 MiB"),
                expect!["t.csv line 17: longer than 16 MiB"],
            ),
            (
                TableError::Row {
                    table: "t.csv".to_owned(),
                    problem: RowProblem {
                        row: 0,
                        location,
                        column: Some("age".to_owned()),
                        message: "\"n/a\" is not a number".to_owned(),
                    },
                },
                expect![r#"t.csv line 17, column "age": "n/a" is not a number"#],
            ),
            (
                no_columns(&[("agee", Some("age"))], &["age", "sex"]),
                expect![r#"t.csv: no column "agee"; did you mean "age"?"#],
            ),
            (
                no_columns(&[("x", None)], &["age", "sex"]),
                expect![r#"t.csv: no column "x"; there are age, sex"#],
            ),
            (
                no_columns(&[("x", None)], &eleven),
                expect![
                    r#"t.csv: no column "x"; there are a, b, c, d, e, f, g, h, i, j, and 1 more"#
                ],
            ),
            (
                no_columns(&[("agee", Some("age")), ("x", None)], &["age"]),
                expect![r#"t.csv: no columns "agee" (did you mean "age"?), "x""#],
            ),
            (
                no_informative_feature("t.csv"),
                expect![
                    "t.csv: no column can serve as a feature: each has the same value in all training rows, or no category twice, or is not used"
                ],
            ),
            (
                TableError::column("t.csv", "y", "the target is missing in all 2 rows"),
                expect![r#"t.csv, column "y": the target is missing in all 2 rows"#],
            ),
            (
                TableError::NotFinite {
                    table: "t.csv".to_owned(),
                    location,
                    column: "age".to_owned(),
                    value: "1e400".to_owned(),
                },
                expect![
                    r#"t.csv line 17, column "age": "1e400" is not finite, expected a finite number"#
                ],
            ),
            (
                TableError::TargetKind {
                    kind: TargetKind::Sparse,
                    found: "found 2 target columns".to_owned(),
                    expected: "1 for a sparse target",
                },
                expect!["found 2 target columns, expected 1 for a sparse target"],
            ),
            (
                TableError::setting("numeric_bins", "numeric_bins is 300, expected 0 to 256"),
                expect!["numeric_bins is 300, expected 0 to 256"],
            ),
            (
                TableError::Invalid {
                    part: "target classes".to_owned(),
                    problem: "found 1 classes, expected 2 to 10000".to_owned(),
                },
                expect!["target classes: found 1 classes, expected 2 to 10000"],
            ),
        ] {
            expected.assert_eq(&error.to_string());
        }
    }
}
