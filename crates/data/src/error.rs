use std::io;
use std::path::PathBuf;

/// What can go wrong between a file and a batch of tensors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A dataset needs at least one feature.
    #[error("d_input is 0, expected at least 1 feature")]
    NoFeatures,

    /// A dataset needs at least one row.
    #[error("the dataset has no rows, expected at least 1")]
    NoRows,

    /// The feature values don't fill whole rows.
    #[error("found {values} feature values, expected a multiple of d_input = {d_input}")]
    FeatureCount {
        /// Feature values found.
        values: usize,
        /// Features per row.
        d_input: usize,
    },

    /// A feature is NaN or infinite.
    #[error(
        "row {row}, column {column} (both counted from 0): feature is {value}, expected a finite \
         number"
    )]
    FeatureNotFinite {
        /// Row, counted from 0.
        row: usize,
        /// Column, counted from 0.
        column: usize,
        /// The value found.
        value: f32,
    },

    /// There is not one class index per row, or not one dense vector.
    #[error("found {values} target values, expected {width} for each of {rows} rows")]
    TargetCount {
        /// Target values found.
        values: usize,
        /// Rows of the dataset.
        rows: usize,
        /// Target values per row.
        width: usize,
    },

    /// A class index is not below the number of classes.
    #[error("row {row} (counted from 0): class index is {class}, expected one below {num_classes}")]
    ClassOutOfRange {
        /// Row, counted from 0.
        row: usize,
        /// The class index found.
        class: u32,
        /// Number of classes.
        num_classes: usize,
    },

    /// Dense targets need at least one column.
    #[error("dense targets have width 0, expected at least 1")]
    NoTargetColumns,

    /// A dense target is outside [0, 1], or NaN.
    #[error(
        "row {row}, column {column} (both counted from 0): target is {value}, expected a number \
         from 0 to 1"
    )]
    TargetOutOfRange {
        /// Row, counted from 0.
        row: usize,
        /// Target column, counted from 0.
        column: usize,
        /// The value found.
        value: f32,
    },

    /// There is not one weight per row.
    #[error("found {weights} row weights, expected one for each of {rows} rows")]
    WeightCount {
        /// Weights found.
        weights: usize,
        /// Rows of the dataset.
        rows: usize,
    },

    /// A row weight is negative, infinite or NaN.
    #[error("row {row} (counted from 0): weight is {value}, expected a finite number, 0 or more")]
    WeightOutOfRange {
        /// Row, counted from 0.
        row: usize,
        /// The value found.
        value: f32,
    },

    /// Every row weight is 0, in a dataset or in one part of a split.
    #[error("the weights of all {rows} rows are 0, expected at least one above 0")]
    WeightsAllZero {
        /// Rows with weight 0.
        rows: usize,
    },

    /// A fraction to hold out is not strictly between 0 and 1.
    #[error("held-out fraction is {fraction}, expected a number above 0 and below 1")]
    SplitFraction {
        /// The fraction found.
        fraction: f64,
    },

    /// One part of a split would have no rows.
    #[error(
        "holding out {fraction} of {rows} rows takes {held_out} of them, expected 1 or more to be \
         taken and 1 or more to stay"
    )]
    SplitEmpty {
        /// Rows to split.
        rows: usize,
        /// The fraction to hold out.
        fraction: f64,
        /// Rows that would be held out.
        held_out: usize,
    },

    /// A stratified split found no class with two rows or more.
    #[error("none of the {rows} rows can be held out class by class: every class has only one row")]
    SplitSingleRows {
        /// Rows to split.
        rows: usize,
    },

    /// A stratified split was asked of dense targets.
    #[error(
        "a stratified split needs class indices as targets, found dense targets of width {width}"
    )]
    SplitDense {
        /// Width of the dense targets.
        width: usize,
    },

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
        location: crate::Location,
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
        problem: crate::RowProblem,
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

    /// The rows can't be dealt to so many folds.
    #[error("found {folds} folds, expected 2 to {rows}, the number of rows")]
    FoldCount {
        /// Folds asked for.
        folds: usize,
        /// Rows to deal.
        rows: usize,
    },

    /// A batch needs at least one row.
    #[error("batch_size is 0, expected at least 1")]
    BatchSize,

    /// A file could not be opened or read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// A file or folder could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// A gzip file ends before its stream does.
    #[error("{path}: the gzip stream is cut off")]
    GzipTruncated {
        /// The file.
        path: PathBuf,
    },

    /// A file is too short for the header of an IDX file.
    #[error("{path}: ends after {found} bytes, inside the IDX header")]
    IdxHeaderTruncated {
        /// The file.
        path: PathBuf,
        /// Bytes found.
        found: usize,
    },

    /// A file does not start as IDX files do.
    #[error("{path}: starts with bytes {found:?}, expected [0, 0] (an IDX file)")]
    IdxMagic {
        /// The file.
        path: PathBuf,
        /// Its first two bytes.
        found: [u8; 2],
    },

    /// An IDX file holds something other than unsigned bytes.
    #[error("{path}: IDX element type is {code:#04x}, expected 0x08 (unsigned byte)")]
    IdxType {
        /// The file.
        path: PathBuf,
        /// The type code found.
        code: u8,
    },

    /// An IDX file has no dimensions, or too many.
    #[error("{path}: {found} IDX dimensions, expected 1 to {limit}")]
    IdxRank {
        /// The file.
        path: PathBuf,
        /// Dimensions declared.
        found: usize,
        /// Most dimensions accepted.
        limit: usize,
    },

    /// The dimensions of an IDX file are more than this reader takes.
    #[error("{path}: IDX dimensions {dims:?} mean more than {limit} values")]
    IdxTooLarge {
        /// The file.
        path: PathBuf,
        /// The dimensions declared.
        dims: Vec<usize>,
        /// Most values accepted.
        limit: usize,
    },

    /// An IDX file ends before its last value.
    #[error("{path}: {found} values, expected {expected} for IDX dimensions {dims:?}")]
    IdxTruncated {
        /// The file.
        path: PathBuf,
        /// Values found.
        found: usize,
        /// Values expected.
        expected: usize,
        /// The dimensions declared.
        dims: Vec<usize>,
    },

    /// An IDX file goes on after its last value.
    #[error("{path}: more bytes after the {expected} values of IDX dimensions {dims:?}")]
    IdxTrailing {
        /// The file.
        path: PathBuf,
        /// Values expected.
        expected: usize,
        /// The dimensions declared.
        dims: Vec<usize>,
    },

    /// A file of images does not hold images.
    #[error(
        "{path}: IDX dimensions are {dims:?}, expected [images, height, width], none of them 0"
    )]
    ImageDims {
        /// The file.
        path: PathBuf,
        /// The dimensions found.
        dims: Vec<usize>,
    },

    /// A file of labels does not hold one label per image.
    #[error("{path}: IDX dimensions are {dims:?}, expected [{images}], one label per image")]
    LabelDims {
        /// The file.
        path: PathBuf,
        /// The dimensions found.
        dims: Vec<usize>,
        /// Number of images.
        images: usize,
    },

    /// A label is not one of the classes.
    #[error("{path}: row {row} (counted from 0): label is {label}, expected 0 to {max}")]
    LabelOutOfRange {
        /// The file.
        path: PathBuf,
        /// Row, counted from 0.
        row: usize,
        /// The label found.
        label: u8,
        /// The largest label.
        max: u8,
    },

    /// Training and test images differ in size.
    #[error("{path}: images of {found:?} pixels, expected {expected:?} as in {train_path}")]
    ImageSize {
        /// The file of test images.
        path: PathBuf,
        /// Height and width of the test images, in pixels.
        found: [usize; 2],
        /// Height and width of the training images, in pixels.
        expected: [usize; 2],
        /// The file of training images.
        train_path: PathBuf,
    },

    /// A folder named by the user lacks one of the MNIST files.
    #[error("{path}: not found, neither under this name nor with .gz added")]
    MnistFileMissing {
        /// The file, without `.gz`.
        path: PathBuf,
    },

    /// MNIST is not on this machine, and this build can't fetch it.
    #[error(
        "no MNIST files found ({}), and this build cannot fetch them: its feature `download` is \
         off",
        looked_in(searched)
    )]
    MnistNotFound {
        /// The folders that were looked into.
        searched: Vec<PathBuf>,
    },

    /// The user has no cache folder to fetch MNIST into.
    #[error("found no cache folder of the user to fetch MNIST into, expected HOME to be set")]
    NoCacheDir,

    /// No mirror gave the right file.
    #[error("cannot fetch {file}: {}", one_line(failures))]
    Fetch {
        /// Name of the file.
        file: String,
        /// What went wrong at each mirror, in the order tried.
        failures: Vec<MirrorFailure>,
    },
}

/// One mirror's part in [`DataError::Fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorFailure {
    /// The address asked for.
    pub url: String,
    /// What went wrong there, in words.
    pub reason: String,
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

fn looked_in(searched: &[PathBuf]) -> String {
    if searched.is_empty() {
        return "there was no folder to look in".to_owned();
    }
    let folders: Vec<String> = searched.iter().map(|p| p.display().to_string()).collect();
    format!("looked in {}", folders.join(", "))
}

fn one_line(failures: &[MirrorFailure]) -> String {
    let each: Vec<String> = failures.iter().map(|f| format!("{}: {}", f.url, f.reason)).collect();
    each.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnist_not_found_names_the_folders() {
        let message = |searched| DataError::MnistNotFound { searched }.to_string();
        assert_eq!(
            message(vec![PathBuf::from("a"), PathBuf::from("b")]),
            "no MNIST files found (looked in a, b), and this build cannot fetch them: its feature \
             `download` is off"
        );
        assert_eq!(
            message(vec![]),
            "no MNIST files found (there was no folder to look in), and this build cannot fetch \
             them: its feature `download` is off"
        );
    }
}
