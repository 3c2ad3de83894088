//! What a run needs to go on after it was cut off.

mod fingerprint;
mod folder;
mod identity;
mod saved;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::error::TrainError;

pub use self::fingerprint::Fingerprint;
pub(crate) use self::{
    identity::Identity,
    saved::{Place, Saved, Winner},
};
use folder::Folder;

/// When checkpoints are written, beside those at the start, at the end and when a run is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// After so many epochs, at least 1.
    Epochs(usize),
    /// After so many iterations, at least 1.
    Iterations(usize),
    /// After the first iteration that ends so much later than the last checkpoint.
    Time(Duration),
}

/// The checkpoints of a run, in a folder of their own.
///
/// One file each, `checkpoint-RESTART-ITERATION.safetensors`: the weights, what the optimizer keeps, the
/// place in the run, the best weights so far, the history, the config, and the fingerprints of the data
/// ([`kiln_store`] says what keeps such a file whole). The newest two are kept ([`Checkpoints::keep`]), and
/// with validation rows the one with the lowest validation loss among those written at the end of an epoch.
///
/// While it exists no other process has the folder: it holds a lock, which the system takes back however
/// the process ends.
///
/// ```
/// use std::time::Duration;
///
/// use kiln_train::{Checkpoints, Every};
///
/// let folder = tempfile::tempdir()?;
/// let checkpoints = Checkpoints::create(folder.path())?.every(Every::Epochs(5)).keep(3);
/// // `fit_with(…, Hooks { observers, checkpoints: Some(&mut checkpoints), ranks: None })` fills it.
/// drop(checkpoints);
/// let error = Checkpoints::resume(folder.path()).unwrap_err();
/// assert!(error.to_string().ends_with("holds no checkpoint"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Checkpoints {
    folder: Folder,
    every: Every,
    context: serde_json::Value,
    stop: Option<Arc<AtomicBool>>,
    resumed: Option<Saved>,
    /// When the last one was written, or tried.
    last: Instant,
}

impl Checkpoints {
    /// For a new run; the folder is made where it isn't there.
    ///
    /// # Errors
    ///
    /// * [`TrainError::CheckpointFolder`] if the folder can't be made or written to.
    /// * [`TrainError::CheckpointsInUse`] if another run has it.
    /// * [`TrainError::CheckpointsExist`] if it holds the checkpoints of another run.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, TrainError> {
        let folder = Folder::lock(folder.as_ref(), true)?;
        if !folder.list()?.is_empty() {
            return Err(TrainError::CheckpointsExist { folder: folder.path().to_owned() });
        }
        Ok(Self::new(folder, None, serde_json::Value::Null))
    }

    /// To go on from the newest checkpoint of a folder that is intact; [`Checkpoints::damaged`] names those
    /// that are newer.
    ///
    /// # Errors
    ///
    /// * [`TrainError::CheckpointFolder`] if the folder can't be read or written to.
    /// * [`TrainError::CheckpointsInUse`] if another run has it.
    /// * [`TrainError::NoCheckpoint`] if there is none, or none that is intact.
    /// * [`TrainError::Checkpoint`] for one of a newer format.
    pub fn resume(folder: impl AsRef<Path>) -> Result<Self, TrainError> {
        let mut folder = Folder::lock(folder.as_ref(), false)?;
        let saved = folder.newest()?;
        let context = saved.manifest.context.clone();
        Ok(Self::new(folder, Some(saved), context))
    }

    fn new(folder: Folder, resumed: Option<Saved>, context: serde_json::Value) -> Self {
        let every = Every::Time(Duration::from_secs(30));
        Self { folder, every, context, stop: None, resumed, last: Instant::now() }
    }

    /// Sets when checkpoints are written: every 30 seconds, unless told otherwise.
    pub fn every(mut self, every: Every) -> Self {
        self.every = every;
        self
    }

    /// Sets how many of the newest are kept: 2, unless told otherwise; at least 1.
    pub fn keep(mut self, newest: usize) -> Self {
        self.folder.keep = newest.max(1);
        self
    }

    /// Sets what else stands in each checkpoint, for whoever resumes the run.
    pub fn with_context(mut self, context: serde_json::Value) -> Self {
        self.context = context;
        self
    }

    /// Sets a flag that interrupts the run: after the iteration in which it becomes true a checkpoint is
    /// written, and [`TrainError::Interrupted`] ends the run.
    pub fn stop_on(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Some(flag);
        self
    }

    /// What [`Checkpoints::with_context`] has set, of a resumed run that which its checkpoint holds.
    pub fn context(&self) -> &serde_json::Value {
        &self.context
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Of a resumed run, the checkpoint that it goes on from.
    pub fn resumed_from(&self) -> Option<&Path> {
        self.folder.resumed_from.as_deref()
    }

    /// Of a resumed run, the newer checkpoints that are damaged, and what is wrong with each.
    pub fn damaged(&self) -> &[TrainError] {
        &self.folder.damaged
    }

    /// The checkpoint to go on from, once.
    pub(crate) fn take_resumed(&mut self) -> Option<Saved> {
        self.resumed.take()
    }

    pub(crate) fn is_stop_asked(&self) -> bool {
        self.stop.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// `epochs`: how many are done, at the end of one.
    pub(crate) fn is_due(&self, iteration: usize, epochs: Option<usize>) -> bool {
        match self.every {
            Every::Epochs(n) => epochs.is_some_and(|epochs| epochs.is_multiple_of(n.max(1))),
            Every::Iterations(n) => iteration.is_multiple_of(n.max(1)),
            Every::Time(time) => self.last.elapsed() >= time,
        }
    }

    /// Where a checkpoint of this place goes.
    pub(crate) fn path(&self, place: &Place) -> PathBuf {
        self.folder.file(place)
    }

    pub(crate) fn write(&mut self, mut saved: Saved) -> io::Result<()> {
        saved.manifest.context = self.context.clone();
        let written = self.folder.write(&saved);
        self.last = Instant::now();
        written
    }

    pub(crate) fn last_written(&self) -> Option<PathBuf> {
        self.folder.last_written()
    }
}
