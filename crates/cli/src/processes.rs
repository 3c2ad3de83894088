use std::time::Duration;

use kiln::{train::Ranks, train::distributed::Engine};

use crate::console::Console;
#[cfg(feature = "mpi")]
use crate::{advice::message, exit_code::exit_code, interrupt::Interrupted};

/// Several processes that train together.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Several processes")]
pub(crate) struct ProcessArgs {
    /// local: this process trains alone. mpi: with those that `mpirun` has started beside it [default: local]
    ///
    /// The batch size is that of all together, and the result does not depend on how many there are, but for
    /// rounding
    #[arg(long, value_name = "NAME", default_value = "local", hide_default_value = true)]
    engine: Engine,
    /// How many processes there have to be [default: as many as the launcher says]
    #[arg(long, value_name = "COUNT")]
    expect_ranks: Option<usize>,
    /// Seconds that one process may wait for another before all are ended
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    rank_timeout: u64,
}

/// This process, perhaps one of several.
#[derive(Clone, Copy)]
pub(crate) struct Process<'a>(Option<(&'a dyn Ranks, usize)>);

impl<'a> Process<'a> {
    /// Whether it is the one that prints and writes.
    pub(crate) fn is_first(self) -> bool {
        self.0.is_none_or(|(ranks, _)| ranks.rank() == 0)
    }

    pub(crate) fn is_one_of_several(self) -> bool {
        self.0.is_some_and(|(ranks, _)| ranks.size() > 1)
    }

    pub(crate) fn ranks(self) -> Option<&'a dyn Ranks> {
        self.0.map(|(ranks, _)| ranks)
    }

    /// Of those that train on this machine, which one it is.
    pub(crate) fn of_machine(self) -> Option<usize> {
        self.0.map(|(_, of_machine)| of_machine)
    }

    /// What the first process finds, in all of them.
    pub(crate) fn of_first<T: serde::Serialize + serde::de::DeserializeOwned>(
        self,
        find: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let Some((ranks, _)) = self.0 else { return find() };
        let (mut bytes, found) = match self.is_first() {
            true => {
                let found = find()?;
                (serde_json::to_vec(&found)?, Some(found))
            }
            false => (Vec::new(), None),
        };
        ranks.broadcast(&mut bytes);
        Ok(match found {
            Some(found) => found,
            None => serde_json::from_slice(&bytes)?,
        })
    }
}

impl ProcessArgs {
    /// Does `work` in this process, or in each of those that the launcher has started; only the first has
    /// something to say.
    pub(crate) fn run(
        self,
        console: Console,
        work: impl FnOnce(Process<'_>, Console) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self.engine {
            Engine::Local => work(Process(None), console),
            Engine::Mpi => self.run_mpi(console, work),
        }
    }

    #[cfg(not(feature = "mpi"))]
    fn run_mpi(
        self,
        _: Console,
        _: impl FnOnce(Process<'_>, Console) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        // They are parsed in any build, so that a script learns what it lacks.
        let _ = (self.expect_ranks, Duration::from_secs(self.rank_timeout));
        Err(kiln::train::distributed::DistributedError::NotCompiledIn.into())
    }

    #[cfg(feature = "mpi")]
    fn run_mpi(
        self,
        console: Console,
        work: impl FnOnce(Process<'_>, Console) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        use kiln::train::distributed::{Mpi, Start};

        let timeout = Duration::from_secs(self.rank_timeout);
        let start = Start { ranks: self.expect_ranks, timeout };
        let work = |mpi: &Mpi| {
            let process = Process(Some((mpi, mpi.local_rank())));
            let first = process.is_first();
            match work(process, if first { console } else { Console::silent() }) {
                // All ranks end so, in order; one of them says it.
                Err(error) if error.is::<Interrupted>() => Ok(first.then_some(error)),
                done => done.map(|()| None),
            }
        };
        let tell = |error: &anyhow::Error| (message(error), i32::from(exit_code(error)));
        match Mpi::run(start, work, tell)? {
            Some(interrupted) => Err(interrupted),
            None => Ok(()),
        }
    }
}
