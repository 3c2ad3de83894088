use std::{io, path::PathBuf};

use thiserror::Error;

use crate::TabularError;

/// What can go wrong in a search.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TuneError {
    /// A trial can't be trained, whatever its settings.
    #[error(transparent)]
    Tabular(#[from] TabularError),
    /// All that could be searched is given.
    #[error("there is nothing to search: all of {} are given", names.join(", "))]
    NothingToSearch {
        /// The options that can be searched.
        names: Vec<&'static str>,
    },
    /// Trials are compared on validation rows.
    #[error("a search compares trials on validation rows, and there are none")]
    NoValidation,
    /// The journal can't be read or written.
    #[error("cannot use the journal {}", path.display())]
    Journal {
        /// Its file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another process writes the journal.
    #[error("another search is writing the journal {}", path.display())]
    JournalInUse {
        /// Its file.
        path: PathBuf,
    },
    /// A line of the journal is not what a search writes.
    #[error("{} line {line}: {problem}", path.display())]
    JournalLine {
        /// Its file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What was found, and what was expected.
        problem: String,
    },
    /// The journal is that of a search for something else.
    #[error("the search in {} can't go on: `{what}` is {found}, and it began with {expected}", path.display())]
    JournalDiffers {
        /// Its file.
        path: PathBuf,
        /// What differs.
        what: String,
        /// What it is now.
        found: String,
        /// What it was.
        expected: String,
    },
    /// The threads of parallel trials can't be started.
    #[error("cannot start threads for {jobs} trials at a time")]
    Threads {
        /// The trials.
        jobs: usize,
        /// Why not.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
}
