use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use kiln_store::{StoreError, write_atomically};

use super::saved::{Place, Saved, text};
use crate::error::TrainError;

/// A folder of checkpoints that no other process writes to.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lock: File,
    /// How many of the newest are kept.
    pub(super) keep: usize,
    /// Intact ones, oldest first.
    kept: Vec<Kept>,
    pub(super) resumed_from: Option<PathBuf>,
    pub(super) damaged: Vec<TrainError>,
}

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    /// At the end of an epoch.
    valid_loss: Option<f64>,
}

impl Folder {
    /// Takes a folder, which is made if `create` says so.
    pub(super) fn lock(path: &Path, create: bool) -> Result<Self, TrainError> {
        let failed = |source| TrainError::CheckpointFolder { folder: path.to_owned(), source };
        if create {
            fs::create_dir_all(path).map_err(failed)?;
        }
        let lock = lock(path).map_err(|error| match error {
            TryLockError::WouldBlock => TrainError::CheckpointsInUse { folder: path.to_owned() },
            TryLockError::Error(error) => failed(error),
        })?;
        let folder = Self {
            path: path.to_owned(),
            lock,
            keep: 2,
            kept: Vec::new(),
            resumed_from: None,
            damaged: Vec::new(),
        };
        // What a process has left that was killed while it wrote.
        for name in folder.names()? {
            if name.starts_with(".kiln-") && name.ends_with(".tmp") {
                let _ = fs::remove_file(path.join(name));
            }
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> Result<Vec<String>, TrainError> {
        let names = || -> io::Result<Vec<String>> {
            let entries = fs::read_dir(&self.path)?;
            let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
            Ok(names.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
        };
        names().map_err(|source| TrainError::CheckpointFolder { folder: self.path.clone(), source })
    }

    /// The checkpoints, oldest first.
    pub(super) fn list(&self) -> Result<Vec<PathBuf>, TrainError> {
        let names = self.names()?;
        let mut found: Vec<_> =
            names.iter().filter_map(|name| Some((place(name)?, self.path.join(name)))).collect();
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// Where a checkpoint of this place goes.
    pub(super) fn file(&self, place: &Place) -> PathBuf {
        let (restart, iteration) = (place.restart + 1, place.iteration);
        self.path.join(format!("checkpoint-{restart}-{iteration:010}.safetensors"))
    }

    /// The newest checkpoint that is intact.
    pub(super) fn newest(&mut self) -> Result<Saved, TrainError> {
        let mut newest = None;
        for path in self.list()?.into_iter().rev() {
            match Saved::read(&path) {
                Ok(saved) => {
                    let valid_loss = saved.manifest.place.valid_loss();
                    self.kept.insert(0, Kept { path: path.clone(), valid_loss });
                    newest.get_or_insert((path, saved));
                }
                Err(error) => {
                    let newer = matches!(error, StoreError::Version { .. });
                    let error = TrainError::Checkpoint { path, problem: text(&error) };
                    // It is not for an older Kiln to go on from an older checkpoint.
                    if newer {
                        return Err(error);
                    }
                    if newest.is_none() {
                        self.damaged.push(error);
                    }
                }
            }
        }
        match newest {
            Some((path, saved)) => {
                self.resumed_from = Some(path);
                Ok(saved)
            }
            None => Err(TrainError::NoCheckpoint {
                folder: self.path.clone(),
                damaged: self.damaged.iter().map(|error| format!("; {error}")).collect(),
            }),
        }
    }

    /// Writes a checkpoint, then removes those that are no longer kept.
    pub(super) fn write(&mut self, saved: &Saved) -> io::Result<()> {
        // Someone may have removed the folder.
        fs::create_dir_all(&self.path)?;
        if !self.path.join(LOCK).exists() {
            self.lock = lock(&self.path).map_err(io::Error::from)?;
        }
        let (path, bytes) = (self.file(&saved.manifest.place), saved.to_bytes());
        write_atomically(&path, |out| out.write_all(&bytes))?;
        self.kept.retain(|kept| kept.path != path && kept.path.exists());
        self.kept.push(Kept { path, valid_loss: saved.manifest.place.valid_loss() });
        let newest = self.kept.len().saturating_sub(self.keep);
        let loss = |kept: &Kept| kept.valid_loss.unwrap_or(f64::INFINITY);
        let best = (0..self.kept.len())
            .min_by(|a, b| loss(&self.kept[*a]).total_cmp(&loss(&self.kept[*b])))
            .filter(|best| self.kept[*best].valid_loss.is_some());
        let mut at = 0..;
        self.kept.retain(|_| at.next().is_some_and(|at| at >= newest || Some(at) == best));
        // Damaged ones too: there is a newer one now.
        for old in self.list().map_err(io::Error::other)? {
            if self.kept.iter().all(|kept| kept.path != old) {
                let _ = fs::remove_file(old);
            }
        }
        Ok(())
    }

    pub(super) fn last_written(&self) -> Option<PathBuf> {
        self.kept.last().map(|kept| kept.path.clone())
    }
}

const LOCK: &str = "lock";

fn lock(folder: &Path) -> Result<File, TryLockError> {
    let path = folder.join(LOCK);
    let file = File::options().write(true).create(true).truncate(false).open(path);
    let file = file.map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}

/// Restart and iteration, from the name of a checkpoint.
fn place(name: &str) -> Option<(usize, usize)> {
    let numbers = name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?;
    let (restart, iteration) = numbers.split_once('-')?;
    Some((restart.parse().ok()?, iteration.parse().ok()?))
}
