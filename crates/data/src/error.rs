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

    /// Rows that are read anew in every epoch could not be read; the inner error says why.
    #[error(transparent)]
    Stream(Box<dyn std::error::Error + Send + Sync>),
}

/// One mirror's part in [`DataError::Fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorFailure {
    /// The address asked for.
    pub url: String,
    /// What went wrong there, in words.
    pub reason: String,
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
