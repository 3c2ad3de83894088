use std::{num::NonZeroUsize, sync::atomic::AtomicBool, thread, time::Instant};

use kiln_data::Dataset;
use kiln_kernels::KilnBackend;
use kiln_train::{Fingerprint, TrainBackend};
use rayon::ThreadPoolBuilder;

use super::{error::TuneError, journal::Journal, space::Space, study::Study, trial::Trial};
use crate::{EnsembleSettings, Prepared, Settings, TabularError, Validation, evaluate::table_rows};

/// What is searched, and in what.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The rows that trials are trained and validated on.
    pub prepared: &'a Prepared,
    /// The settings of a run without a search.
    pub base: &'a Settings,
    /// Where the validation rows of all trials come from.
    pub validation: Validation<'a>,
    /// The settings that are searched.
    pub space: &'a Space,
    /// The name of the backend, for the record.
    pub backend: &'a str,
}

/// What ends a search.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// How many trials there are to be, those of the journal included.
    pub trials: usize,
    /// How many at a time; `None`: as many as there are threads on the CPU, else one. No more than the distance
    /// of the journal.
    pub jobs: Option<NonZeroUsize>,
    /// When to give up those in training.
    pub deadline: Option<Instant>,
    /// Raised, it does the same.
    pub interrupted: &'a AtomicBool,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// All trials are over.
    Trials,
    /// The time is.
    Deadline,
    /// It was asked to.
    Interrupted,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Found {
    /// All trials that are over, in order.
    pub trials: Vec<Trial>,
    /// Why there are no more.
    pub stopped: Stopped,
}

impl Search<'_> {
    /// What tells the rows from others.
    ///
    /// # Errors
    ///
    /// A value that can't be used.
    pub fn fingerprint(&self) -> Result<String, TabularError> {
        let Self { prepared, base, .. } = self;
        let rows: Vec<usize> = (0..prepared.num_rows()).collect();
        let preprocessor = prepared.fit(base, &rows)?;
        let of = |data: &Dataset| Fingerprint::of(data).to_string();
        let train = of(&prepared.dataset(&preprocessor)?);
        Ok(match self.validation {
            Validation::HeldOut => train,
            Validation::Table(table) => {
                let weight = base.columns.weight.as_deref();
                let (_, valid) = table_rows(table, &preprocessor, &prepared.encoder, weight)?;
                format!("{train}, validated on {}", of(&valid))
            }
        })
    }

    /// The settings of a trial that has the others of `base`: one network, or one for each fold.
    ///
    /// Networks that differ in their seeds alone make each other's errors smaller, but seldom change which
    /// settings are better; they would take most of the time.
    fn trial_base(&self) -> Settings {
        let mut settings = self.base.clone();
        let bag_folds = settings.ensemble.bag_folds;
        settings.ensemble = EnsembleSettings { members: bag_folds.max(1), bag_folds };
        settings.train.restarts = 1;
        settings
    }

    fn validates(&self) -> bool {
        let Settings { valid_fraction, ensemble, .. } = self.base;
        matches!(self.validation, Validation::Table(_))
            || valid_fraction.is_some()
            || ensemble.bag_folds > 0
    }
}

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
