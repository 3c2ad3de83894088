use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong between a file and a batch of tensors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A dataset needs at least one row.
    #[error("the dataset has no rows, expected at least 1")]
    NoRows,

    /// Every row weight is 0, in a dataset or in one part of a split.
    #[error("the weights of all {rows} rows are 0, expected at least one above 0")]
    WeightsAllZero {
        /// Rows with weight 0.
        rows: usize,
    },

    /// A size or a count does not fit: of features, targets, weights, batches or folds.
    #[error("{found}, expected {expected}")]
    Mismatch {
        /// What was found: `found 3 row weights`.
        found: String,
        /// What was expected: `one for each of 4 rows`.
        expected: String,
    },

    /// A feature, a target or a weight is not a number that it may be.
    #[error("{}: {what} is {found}, expected {expected}", place(*row, *column))]
    Value {
        /// Row, counted from 0.
        row: usize,
        /// Column, counted from 0, if there are several.
        column: Option<usize>,
        /// `feature`, `target`, `class index` or `weight`.
        what: &'static str,
        /// The value found.
        found: String,
        /// The values that it may have.
        expected: String,
    },

    /// A fraction to hold out is not strictly between 0 and 1.
    #[error("held-out fraction is {fraction}, expected a number above 0 and below 1")]
    SplitFraction {
        /// The fraction found.
        fraction: f64,
    },

    /// The rows can't be split in two, or not by their classes.
    #[error("{problem}")]
    Split {
        /// Rows to split.
        rows: usize,
        /// What was found and what was expected.
        problem: String,
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

    /// A file or folder could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },

    /// A file is not a valid IDX file, or its array holds no images, or no labels of these images.
    #[error("{path}: {problem}")]
    Idx {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },

    /// The files of MNIST are not on this machine, and can't be fetched.
    #[error("{problem}")]
    Mnist {
        /// The folders that were searched.
        searched: Vec<PathBuf>,
        /// What was found and what was expected.
        problem: String,
    },

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

impl DataError {
    pub(crate) fn mismatch(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Mismatch { found: found.into(), expected: expected.into() }
    }

    pub(crate) fn class_index(row: usize, class: u32, num_classes: usize) -> Self {
        Self::Value {
            row,
            column: None,
            what: "class index",
            found: class.to_string(),
            expected: format!("one below {num_classes}"),
        }
    }

    pub(crate) fn idx(path: &Path, problem: impl Display) -> Self {
        Self::Idx { path: path.to_owned(), problem: problem.to_string() }
    }
}

fn place(row: usize, column: Option<usize>) -> String {
    match column {
        Some(column) => format!("row {row}, column {column} (both counted from 0)"),
        None => format!("row {row} (counted from 0)"),
    }
}

fn one_line(failures: &[MirrorFailure]) -> String {
    let each: Vec<String> = failures.iter().map(|f| format!("{}: {}", f.url, f.reason)).collect();
    each.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn every_error_says_what_was_found_and_what_was_expected() {
        let not_found = || io::Error::from(io::ErrorKind::NotFound);
        let failure = |url: &str, reason: &str| MirrorFailure {
            url: url.to_owned(),
            reason: reason.to_owned(),
        };
        for (error, expected) in [
            (DataError::NoRows, expect!["the dataset has no rows, expected at least 1"]),
            (
                DataError::WeightsAllZero { rows: 3 },
                expect!["the weights of all 3 rows are 0, expected at least one above 0"],
            ),
            (
                DataError::mismatch("found 3 row weights", "one for each of 4 rows"),
                expect!["found 3 row weights, expected one for each of 4 rows"],
            ),
            (
                DataError::class_index(1, 7, 3),
                expect!["row 1 (counted from 0): class index is 7, expected one below 3"],
            ),
            (
                DataError::Value {
                    row: 1,
                    column: Some(2),
                    what: "feature",
                    found: f32::NAN.to_string(),
                    expected: "a finite number".to_owned(),
                },
                expect![
                    "row 1, column 2 (both counted from 0): feature is NaN, expected a finite number"
                ],
            ),
            (
                DataError::SplitFraction { fraction: 1.5 },
                expect!["held-out fraction is 1.5, expected a number above 0 and below 1"],
            ),
            (
                crate::split_indices(10, 0.01, 0).expect_err("no row is held out"),
                expect![
                    "holding out 0.01 of 10 rows takes 0 of them, expected 1 or more to be taken and 1 or more to stay"
                ],
            ),
            (
                DataError::Read { path: "a.idx".into(), source: not_found() },
                expect!["cannot read a.idx"],
            ),
            (
                DataError::Write { path: "mnist".into(), source: not_found() },
                expect!["cannot write mnist"],
            ),
            (
                DataError::idx(Path::new("a.idx"), "the gzip stream is cut off"),
                expect!["a.idx: the gzip stream is cut off"],
            ),
            (
                DataError::Mnist {
                    searched: vec!["a".into()],
                    problem: "no MNIST files found (looked in a)".to_owned(),
                },
                expect!["no MNIST files found (looked in a)"],
            ),
            (
                DataError::Fetch {
                    file: "a.gz".to_owned(),
                    failures: vec![
                        failure("https://one/a.gz", "http status: 404"),
                        failure("https://two/a.gz", "the answer is cut off"),
                    ],
                },
                expect![
                    "cannot fetch a.gz: https://one/a.gz: http status: 404; https://two/a.gz: the answer is cut off"
                ],
            ),
            (
                DataError::Stream("train.csv was changed while it was in use".into()),
                expect!["train.csv was changed while it was in use"],
            ),
        ] {
            expected.assert_eq(&error.to_string());
        }
    }
}
