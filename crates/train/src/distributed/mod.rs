//! Training by several processes, which a launcher starts and MPI connects.
//!
//! `kiln-train` divides the work and asks for two operations, [`Ranks`](crate::Ranks). Here they are made of
//! MPI (with the Cargo feature `mpi`), and what goes wrong in one process is made to end all of them.

mod engine;
mod error;
mod launcher;
#[cfg(feature = "mpi")]
mod mpi;
mod plan;

#[cfg(feature = "mpi")]
pub use self::mpi::Mpi;
pub use self::{
    engine::{Engine, Start},
    error::DistributedError,
    launcher::launched_ranks,
    plan::{Network, Plan, Scaling},
};
