//! Training by several processes, which a launcher starts and MPI connects.
//!
//! `kiln-train` divides the work and asks for two operations, [`Ranks`](crate::Ranks). Here they are made of
//! MPI (with the Cargo feature `mpi`), and what goes wrong in one process is made to end all of them.

mod launcher;
#[cfg(feature = "mpi")]
mod mpi;
mod plan;

use std::{str::FromStr, time::Duration};

use thiserror::Error;

#[cfg(feature = "mpi")]
pub use self::mpi::Mpi;
pub use self::{
    launcher::launched_ranks,
    plan::{Network, Plan, Scaling},
};

/// What connects the processes that train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Nothing: there is one process.
    #[default]
    Local,
    /// MPI.
    Mpi,
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "local" => Ok(Self::Local),
            "mpi" => Ok(Self::Mpi),
            _ => Err("expected `local` or `mpi`".to_owned()),
        }
    }
}

/// How MPI is to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// How many processes there have to be; `None` for as many as the launcher says.
    pub ranks: Option<usize>,
    /// How long one may wait for the others.
    pub timeout: Duration,
}

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
