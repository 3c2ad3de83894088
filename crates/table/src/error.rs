use std::io;
use std::path::PathBuf;

use crate::rows::{Location, RowProblem};

/// Why a table can't be read, understood or preprocessed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// What holds for rows in memory, too.
    #[error(transparent)]
    Data(#[from] kiln_data::DataError),

    /// There is no file of this name.
    #[error("{path}: no such file{}", did_you_mean_file(nearest.as_deref()))]
    TableNotFound {
        /// The name asked for.
        path: PathBuf,
        /// The file in the same folder whose name comes nearest.
        nearest: Option<String>,
    },

    /// A folder stands where a file is expected.
    #[error("{path} is a folder, expected a file")]
    TableIsFolder {
        /// The folder.
        path: PathBuf,
    },

    /// Rows can be read again and again only from a file that can be read from the middle.
    #[error(
        "{table} is {found}, which can be read from its start only; expected a CSV file that is not \
         compressed, or a Parquet file"
    )]
    NotSeekable {
        /// The table's source.
        table: String,
        /// What it is.
        found: String,
    },

    /// A file that is read again and again is no longer the same.
    #[error("{table} was changed while it was in use")]
    FileChanged {
        /// The table's source.
        table: String,
    },

    /// The rows held out stay in memory, and there are too many of them.
    #[error(
        "{table}: the rows held out, a fraction of {fraction}, take more than {limit} MiB, which is \
         as much as stays in memory; {rows} of them do, so hold out a smaller fraction"
    )]
    HeldOutTooLarge {
        /// The table's source.
        table: String,
        /// The fraction asked for.
        fraction: f64,
        /// In MiB.
        limit: usize,
        /// How many rows take that.
        rows: usize,
    },

    /// A column of which it can't be said whether its numbers are names.
    #[error(
        "{table}, column {column:?}: the first values are numbers, and many of those that follow are \
         not; say whether all are names (categorical) or numbers (numeric), or leave it out (ignore)"
    )]
    NumbersThenNames {
        /// The table's source.
        table: String,
        /// The column.
        column: String,
    },

    /// A file has nothing in it.
    #[error("{table} is empty, expected a table")]
    TableEmpty {
        /// The table's source.
        table: String,
    },

    /// A table has columns but no rows.
    #[error("{table} has no rows, only names of columns")]
    TableNoRows {
        /// The table's source.
        table: String,
    },

    /// A file holds something other than text.
    #[error("{table} {found}, expected UTF-8 text (CSV) or Parquet")]
    NotText {
        /// The table's source.
        table: String,
        /// What it looks like.
        found: &'static str,
    },

    /// A character can't stand between fields.
    #[error(
        "the delimiter can be any character of ASCII but a double quote, a line feed and a carriage \
         return"
    )]
    Delimiter,

    /// Two columns have the same name.
    #[error(
        "{table}: columns {first} and {second} (counted from 1) are both named {column:?}, expected \
         different names"
    )]
    ColumnTwice {
        /// The table's source.
        table: String,
        /// The name.
        column: String,
        /// Position of the first of them, counted from 1.
        first: usize,
        /// Position of the second.
        second: usize,
    },

    /// A record of a CSV file is longer than is accepted.
    #[error("{table} {}", too_long(*line, *lines))]
    RecordTooLong {
        /// The table's source.
        table: String,
        /// The line on which the record starts, counted from 1.
        line: u64,
        /// Whether it goes over several lines, which takes quotes.
        lines: bool,
    },

    /// A record of a CSV file has more fields than are accepted.
    #[error("{table} line {line}: more than {limit} fields")]
    RecordTooWide {
        /// The table's source.
        table: String,
        /// The line on which the record starts, counted from 1.
        line: u64,
        /// How many are accepted.
        limit: usize,
    },

    /// A CSV file ends inside quotes.
    #[error(
        "{table} line {line}: a quote in the record that starts here is never closed; the rest of the \
         file is one field"
    )]
    OpenQuote {
        /// The table's source.
        table: String,
        /// The line on which the record starts, counted from 1.
        line: u64,
    },

    /// A compressed file ends before its stream does.
    #[error("{table}: the {format} stream is cut off")]
    StreamCutOff {
        /// The table's source.
        table: String,
        /// How it is compressed.
        format: &'static str,
    },

    /// A Parquet file can't be read.
    #[error("{table} is not a Parquet file that can be read: {reason}")]
    Parquet {
        /// The table's source.
        table: String,
        /// What the reader of the format says.
        reason: String,
    },

    /// Parquet was found in a stream.
    #[error(
        "{table} holds Parquet, whose contents stand at its end: write it to a file, uncompressed, and \
         name that"
    )]
    ParquetStream {
        /// The table's source.
        table: String,
    },

    /// Arrow data can't be taken over.
    #[error("{table}: {reason}")]
    Arrow {
        /// The table's source.
        table: String,
        /// What Arrow says.
        reason: String,
    },

    /// A batch of a table has other columns than the first one.
    #[error(
        "{table}: batch {batch} (counted from 0) has the columns {found:?}, expected {expected:?} as \
         in the first"
    )]
    BatchColumns {
        /// The table's name.
        table: String,
        /// The batch, counted from 0.
        batch: usize,
        /// Its columns.
        found: Vec<String>,
        /// Those of the first batch.
        expected: Vec<String>,
    },

    /// A column is given two uses.
    #[error("column {column:?} is named as {first} and as {second}, expected one use of it")]
    ColumnTwoUses {
        /// The column.
        column: String,
        /// The first option that names it.
        first: &'static str,
        /// The second one.
        second: &'static str,
    },

    /// A numeric column has a value that is infinite or NaN.
    #[error(
        "{table} {location}, column {column:?}: {value:?} is not finite, expected a finite number; \
         --missing {value} takes it for a missing value"
    )]
    NumberNotFinite {
        /// The table's source.
        table: String,
        /// Where the first such value stands.
        location: Location,
        /// The column.
        column: String,
        /// The value.
        value: String,
    },

    /// No column of a table is left to learn from.
    #[error("{table}: no features are left{}", left_out(columns))]
    NoFeatureColumns {
        /// The table's source.
        table: String,
        /// The columns that are not used, and why.
        columns: Vec<(String, String)>,
    },

    /// A table has no column of this name.
    #[error("{table}: no column {column:?}{}", did_you_mean(nearest.as_deref(), columns))]
    NoColumn {
        /// The table's source.
        table: String,
        /// The name asked for.
        column: String,
        /// The name that comes nearest.
        nearest: Option<String>,
        /// All names.
        columns: Vec<String>,
    },

    /// A row of a table can't be used.
    #[error("{table} {problem}")]
    Row {
        /// The table's source.
        table: String,
        /// The row and what is wrong with it.
        problem: RowProblem,
    },

    /// A table lacks several columns.
    #[error("{table}: no columns {}", missing_columns(columns))]
    NoColumns {
        /// The table's source.
        table: String,
        /// The names asked for, and for each the name that comes nearest.
        columns: Vec<(String, Option<String>)>,
    },

    /// A number of the preprocessing config is out of range.
    #[error("{name} is {found}, expected {low} to {high}")]
    PreprocessRange {
        /// The name of the field.
        name: &'static str,
        /// The number found.
        found: usize,
        /// The lowest one accepted.
        low: usize,
        /// The highest one accepted.
        high: usize,
    },

    /// No column can tell training rows apart.
    #[error(
        "{table}: no column can serve as a feature: each has the same value in all training rows, \
         or no category twice, or is not used"
    )]
    NoInformativeFeature {
        /// The table's source.
        table: String,
    },

    /// A preprocessor has a feature that makes no sense.
    #[error("preprocessing of column {feature:?}: {problem}")]
    InvalidFeature {
        /// The feature's column.
        feature: String,
        /// What was found and what was expected.
        problem: String,
    },

    /// A preprocessor makes more columns than it may.
    #[error("preprocessing makes {found} feature columns, expected at most {limit}")]
    TooManyFeatures {
        /// Columns made.
        found: usize,
        /// Most columns accepted.
        limit: usize,
    },

    /// No column is to be predicted, or one twice.
    #[error("the target columns are {}, expected at least 1, all different", listed(columns))]
    TargetColumns {
        /// The names of the columns.
        columns: Vec<String>,
    },

    /// No row has a target.
    #[error("{table}, column {column:?}: the target is missing in all {rows} rows")]
    TargetMissing {
        /// The table's source.
        table: String,
        /// The target column, the first of several.
        column: String,
        /// Rows of the table.
        rows: usize,
    },

    /// There is nothing to tell apart.
    #[error(
        "{table}, column {column:?}: found only the class {class:?} in {rows} rows, expected at \
         least two classes"
    )]
    SingleClass {
        /// The table's source.
        table: String,
        /// The target column.
        column: String,
        /// The one class.
        class: String,
        /// Rows that have it.
        rows: usize,
    },

    /// The target is a quantity rather than a class.
    #[error(
        "{table}, column {column:?}: the target has {distinct} different numbers in {rows} rows; \
         kiln trains classifiers and cannot predict a quantity"
    )]
    TargetIsQuantity {
        /// The table's source.
        table: String,
        /// The target column.
        column: String,
        /// How many different numbers there are.
        distinct: usize,
        /// Rows that have a target.
        rows: usize,
    },

    /// No class has two rows.
    #[error(
        "{table}, column {column:?}: each of the {rows} rows has a class of its own, expected \
         classes with several rows"
    )]
    TargetIsKey {
        /// The table's source.
        table: String,
        /// The target column.
        column: String,
        /// Rows that have a target.
        rows: usize,
    },

    /// There are more classes than a network is given outputs.
    #[error("{table}: found {found} classes, expected at most {limit}")]
    TooManyClasses {
        /// The table's source.
        table: String,
        /// Classes found.
        found: usize,
        /// Most classes accepted.
        limit: usize,
    },

    /// A binary target has more than two classes.
    #[error(
        "{table}, column {column:?}: found {classes} classes, expected 2 for a binary target; for \
         more use `--loss sparse`"
    )]
    NotBinary {
        /// The table's source.
        table: String,
        /// The target column.
        column: String,
        /// Classes found.
        classes: usize,
    },

    /// The positive class is none of the classes.
    #[error(
        "the positive class {positive:?} is not one of the classes{}",
        did_you_mean(nearest.as_deref(), classes)
    )]
    NoSuchClass {
        /// The class asked for.
        positive: String,
        /// The class that comes nearest.
        nearest: Option<String>,
        /// All classes.
        classes: Vec<String>,
    },

    /// A positive class is named for a target that is not binary.
    #[error(
        "the positive class is set to {positive:?}, expected none: the target is not binary, it \
         has {outputs} classes or labels"
    )]
    PositiveWithoutBinary {
        /// The class asked for.
        positive: String,
        /// Outputs that the target needs.
        outputs: usize,
    },

    /// Class indices were asked for from several columns.
    #[error(
        "found {columns} target columns, expected 1 for a sparse target; for one 0/1 column per \
         class use `--loss categorical`, for independent labels `--loss binary`"
    )]
    SparseColumns {
        /// Target columns.
        columns: usize,
    },

    /// A target encoder makes no sense.
    #[error("target classes: {problem}")]
    InvalidTarget {
        /// What was found and what was expected.
        problem: String,
    },

    /// A file could not be opened or read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The first problem, where there is one, as the error of the table.
pub(crate) fn no_problems(table: &str, problems: &[RowProblem]) -> Result<(), TableError> {
    match problems.first().cloned() {
        None => Ok(()),
        Some(problem) => Err(TableError::Row { table: table.to_owned(), problem }),
    }
}

fn did_you_mean(nearest: Option<&str>, candidates: &[String]) -> String {
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

fn left_out(columns: &[(String, String)]) -> String {
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

fn too_long(line: u64, lines: bool) -> String {
    if lines {
        format!(
            "line {line}: the record that starts here is longer than 16 MiB; is a quote on that line \
             never closed?"
        )
    } else {
        format!("line {line}: longer than 16 MiB")
    }
}
