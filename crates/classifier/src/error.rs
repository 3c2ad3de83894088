use std::io;
use std::path::PathBuf;

use kiln_model::ModelError;
use kiln_table::TableError;

/// What can go wrong with a classifier, its file, and the rows it is asked about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifierError {
    /// A file could not be opened or read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// A file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// Something that is no file of tensors, or not one that Kiln has written.
    #[error("{name}: not a Kiln model: {problem}")]
    NotKiln {
        /// The file.
        name: String,
        /// What was found and what was expected.
        problem: String,
    },

    /// A file of a format that this version does not know.
    #[error(
        "{name} was written by a newer Kiln (format {found}), this one reads up to {supported}"
    )]
    Version {
        /// The file.
        name: String,
        /// Its format.
        found: u64,
        /// The newest format that is known.
        supported: u32,
    },

    /// A file is not as it was written.
    #[error("{name}: its checksum does not match: the file was damaged or edited")]
    Damaged {
        /// The file.
        name: String,
    },

    /// The checksum is right, but the manifest is not one.
    #[error("{name}: its manifest cannot be read")]
    Manifest {
        /// The file.
        name: String,
        /// Why not.
        source: serde_json::Error,
    },

    /// The parts of a file make no classifier.
    #[error("{name}: its parts do not make a classifier")]
    Parts {
        /// The file.
        name: String,
        /// What does not fit.
        source: Box<ClassifierError>,
    },

    /// A part of a manifest is out of range, or does not fit another.
    #[error("{part} is {found}, expected {expected}")]
    Mismatch {
        /// The part.
        part: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },

    /// There is a tensor that the network does not have.
    #[error("tensor `{name}` is no part of the network")]
    ExtraTensor {
        /// The tensor.
        name: String,
    },

    /// The network, its weights or its loss.
    #[error(transparent)]
    Model(#[from] ModelError),

    /// The preprocessing, the classes, or the rows.
    #[error(transparent)]
    Data(#[from] TableError),

    /// A matrix of features has another width than the classifier has feature columns.
    #[error("found {values} values in rows of {width}, expected whole rows of {expected}")]
    MatrixWidth {
        /// Values found.
        values: usize,
        /// Values per row, as given.
        width: usize,
        /// Feature columns of the classifier.
        expected: usize,
    },
}

impl ClassifierError {
    pub(crate) fn mismatch(
        part: &'static str,
        found: impl ToString,
        expected: impl ToString,
    ) -> Self {
        Self::Mismatch { part, found: found.to_string(), expected: expected.to_string() }
    }

    pub(crate) fn not_kiln(name: &str, problem: impl ToString) -> Self {
        Self::NotKiln { name: name.to_owned(), problem: problem.to_string() }
    }
}
