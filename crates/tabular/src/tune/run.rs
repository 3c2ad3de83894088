use std::{num::NonZeroUsize, thread};

use kiln_kernels::KilnBackend;
use kiln_train::TrainBackend;
use rayon::ThreadPoolBuilder;

use super::{
    error::TuneError,
    journal::Journal,
    search::{Found, Limits, Search},
    study::Study,
    trial::Trial,
};

/// Tries settings until a limit is reached. Trial 0 is the run without a search. `done` hears of each trial as
/// it ends.
///
/// All trials have the same seed and the same validation rows. What trial `n` tries, and whether it is given
/// up, follows from the trials up to `n - distance` of the journal: it is the same however many are trained at
/// a time, and in a search that was cut off and goes on.
///
/// # Errors
///
/// What can't be trained whatever the settings; a journal that can't be written.
pub fn search<B: TrainBackend>(
    search: Search<'_>,
    limits: Limits<'_>,
    journal: Journal,
    device: &B::Device,
    done: impl Fn(&Trial) + Sync,
) -> Result<Found, TuneError> {
    if !search.validates() {
        return Err(TuneError::NoValidation);
    }
    let rows: Vec<usize> = (0..search.prepared.num_rows()).collect();
    // What the whole ensemble asks for, no trial would find out.
    search.prepared.members(&rows, search.base)?;
    let threads = if B::InnerBackend::HOST { rayon::current_num_threads() } else { 1 };
    let jobs = limits.jobs.map_or(threads, NonZeroUsize::get);
    let jobs = jobs.min(journal.distance()).min(limits.trials).max(1);
    let base = search.trial_base();
    let study = Study::new(search, base, rows, limits, journal);
    match jobs {
        1 => study.work::<B>(device, &done),
        jobs => {
            let pool = || ThreadPoolBuilder::new().num_threads((threads / jobs).max(1)).build();
            let pools: Result<Vec<_>, _> = (0..jobs).map(|_| pool()).collect();
            let pools = pools.map_err(|source| TuneError::Threads { jobs, source })?;
            thread::scope(|scope| {
                for pool in &pools {
                    let (study, done) = (&study, &done);
                    // In a pool of its own, so that no trial waits for the steps of another.
                    scope.spawn(move || pool.install(|| study.work::<B>(device, done)));
                }
            });
        }
    }
    study.finish()
}
