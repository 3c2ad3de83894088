use std::io;

/// Why a file is no archive of the kind asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It could not be opened or read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),

    /// It is no file of tensors, or one of another kind.
    #[error("{problem}")]
    Kind {
        /// What was found and what was expected.
        problem: String,
    },

    /// It is of a format that this version does not know.
    #[error("it was written by a newer Kiln (format {found}), this one reads up to {supported}")]
    Version {
        /// Its format.
        found: u64,
        /// The newest format that is known.
        supported: u32,
    },

    /// It is not as it was written.
    #[error("its checksum does not match: the file was damaged or edited")]
    Damaged,

    /// The manifest is not JSON with a `format_version`.
    #[error("its manifest cannot be read")]
    Manifest(#[source] serde_json::Error),
}
