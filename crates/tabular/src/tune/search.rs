use std::{num::NonZeroUsize, sync::atomic::AtomicBool, time::Instant};

use kiln_data::Dataset;
use kiln_train::Fingerprint;

use super::{space::Space, trial::Trial};
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
    pub(super) fn trial_base(&self) -> Settings {
        let mut settings = self.base.clone();
        let bag_folds = settings.ensemble.bag_folds;
        settings.ensemble = EnsembleSettings { members: bag_folds.max(1), bag_folds };
        settings.train.restarts = 1;
        settings
    }

    pub(super) fn validates(&self) -> bool {
        let Settings { valid_fraction, ensemble, .. } = self.base;
        matches!(self.validation, Validation::Table(_))
            || valid_fraction.is_some()
            || ensemble.bag_folds > 0
    }
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
