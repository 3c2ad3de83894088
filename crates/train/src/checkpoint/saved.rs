use std::{error::Error, path::Path};

use kiln_store::{StoreError, decode, encode};
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use crate::{
    observer::{EpochRecord, StopReason},
    schedule::Plateau,
    stopping::StoppingState,
    tensors::Tensors,
};

const FORMAT: &str = "kiln-checkpoint";
const FORMAT_VERSION: u32 = 1;

/// The content of a checkpoint.
///
/// | Tensors | |
/// |---|---|
/// | `network.*` | the weights |
/// | `optimizer`, `optimizer.SLOT` | what the optimizer keeps of them |
/// | `epoch.losses`, `epoch.weights`, `epoch.right` | of the epoch's batches so far |
/// | `best.*` | the weights of the best epoch, where that is kept |
/// | `winner.*` | the weights of the best restart so far |
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) manifest: Manifest,
    pub(crate) tensors: Tensors,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    format_version: u32,
    kiln_version: String,
    pub(crate) identity: Identity,
    pub(crate) place: Place,
    pub(crate) context: serde_json::Value,
}

/// Where a run is between two iterations, and what it has seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// Counted from 0.
    pub(crate) restart: usize,
    /// Done by this restart.
    pub(crate) iteration: usize,
    /// Training time of the epoch so far.
    pub(crate) seconds: f64,
    /// What all epochs of this restart took, with their measurement: the time budget goes by it.
    #[serde(default)]
    pub(crate) spent: f64,
    pub(crate) plateau: Plateau,
    pub(crate) stopping: Option<StoppingState>,
    /// Of all restarts.
    pub(crate) records: Vec<EpochRecord>,
    /// The best of the restarts that are over.
    pub(crate) winner: Option<Winner>,
}

/// How a restart has ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Winner {
    /// Counted from 0.
    pub(crate) restart: usize,
    /// Counted from 1.
    pub(crate) kept_epoch: usize,
    pub(crate) stop: StopReason,
}

impl Place {
    /// The epochs that a restart, counted from 0, has done.
    pub(crate) fn records_of(&self, restart: usize) -> impl Iterator<Item = &EpochRecord> {
        self.records.iter().filter(move |record| record.is_of(restart))
    }

    /// Epochs done by this restart.
    pub(crate) fn epochs(&self) -> usize {
        self.records_of(self.restart).count()
    }

    /// The validation loss of these very weights: there is one at the end of an epoch.
    pub(crate) fn valid_loss(&self) -> Option<f64> {
        let last = self.records_of(self.restart).last()?;
        last.valid_loss.filter(|_| last.iterations == self.iteration)
    }

    /// Whether a run of this kind can have come here: a checksum finds damage, not malice.
    pub(crate) fn check(&self, run: &Identity, iterations_per_epoch: usize) -> Result<(), String> {
        let (config, epochs) = (&run.config, self.epochs());
        let ends = epochs.checked_mul(iterations_per_epoch);
        let in_epoch = ends.and_then(|first| self.iteration.checked_sub(first));
        let mut before = (0, 0);
        let in_order = self.records.iter().all(|record| {
            let at = (record.restart, record.epoch);
            let next = if at.0 == before.0 { before.1 + 1 } else { 1 };
            let follows =
                at.0 >= before.0 && at.1 == next && at.0.checked_sub(1) <= Some(self.restart);
            before = at;
            follows
        });
        let stopping_fits = match (&self.stopping, config.compares_epochs()) {
            (None, false) => true,
            (Some(state), true) => match state.best {
                Some((epoch, _)) => epoch < epochs,
                None => epochs == 0,
            },
            _ => false,
        };
        let winner_fits = self.winner.as_ref().is_none_or(|winner| {
            let epochs = self.records_of(winner.restart).count();
            winner.restart < self.restart && (1..=epochs).contains(&winner.kept_epoch)
        });
        let spent_fits = self.spent.is_finite() && self.spent >= 0.0;
        let checks = [
            (spent_fits, "spent"),
            (self.restart < config.restarts, "restart"),
            (in_order && epochs <= config.num_epochs, "records"),
            (in_epoch.is_some_and(|batches| batches < iterations_per_epoch), "iteration"),
            (epochs < config.num_epochs || in_epoch == Some(0), "iteration"),
            (stopping_fits, "stopping"),
            (winner_fits, "winner"),
        ];
        match checks.into_iter().find(|(fits, _)| !fits) {
            Some((_, part)) => Err(format!("`place.{part}` can't be that of this run")),
            None => Ok(()),
        }
    }
}

impl Saved {
    pub(crate) fn new(identity: Identity, place: Place, tensors: Tensors) -> Self {
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            kiln_version: env!("CARGO_PKG_VERSION").to_owned(),
            identity,
            place,
            context: serde_json::Value::Null,
        };
        Self { manifest, tensors }
    }

    pub(crate) fn read(path: &Path) -> Result<Self, StoreError> {
        Self::from_bytes(&kiln_store::read(path)?)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let archive = decode(bytes, FORMAT, FORMAT_VERSION)?;
        let manifest = serde_json::from_str(&archive.manifest).map_err(StoreError::Manifest)?;
        Ok(Self { manifest, tensors: archive.tensors })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let manifest = serde_json::to_string(&self.manifest).expect("plain data with text keys");
        encode(FORMAT, &manifest, &self.tensors)
    }

    /// Takes out the tensors whose names begin so, without that beginning.
    pub(crate) fn take(&mut self, prefix: &str) -> Tensors {
        let mut taken = Tensors::new();
        let names: Vec<String> =
            self.tensors.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        for name in names {
            let data = self.tensors.remove(&name).expect("just seen");
            taken.insert(name[prefix.len()..].to_owned(), data);
        }
        taken
    }
}

/// An error and what it comes from, as one text.
pub(super) fn text(error: &StoreError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
