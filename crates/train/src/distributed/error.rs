use thiserror::Error;

/// Why processes can't train together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DistributedError {
    /// A build without the Cargo feature `mpi`, which needs an MPI library and libclang.
    #[error("the engine mpi is not compiled in")]
    NotCompiledIn,
    /// Nobody says how many processes there are to be, and this one is alone.
    #[error("no launcher has started this process")]
    NoLauncher,
    /// The launcher and the MPI library do not belong together, or the launch was incomplete.
    #[error(
        "MPI connects {found} of {expected} processes: the launcher is perhaps not that of the MPI library \
         that kiln was built with ({library})"
    )]
    WrongRanks {
        /// How many MPI has connected.
        found: usize,
        /// How many there were to be.
        expected: usize,
        /// The MPI library.
        library: String,
    },
    /// The MPI library lets only one thread call it.
    #[error("the MPI library ({library}) supports no calls from several threads, which kiln makes")]
    Threads {
        /// The MPI library.
        library: String,
    },
}
