use std::{str::FromStr, time::Duration};

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
