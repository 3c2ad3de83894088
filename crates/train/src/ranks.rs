//! Training by several processes: each has a copy of the network, and takes a share of every batch.

use std::sync::atomic::{AtomicU8, Ordering};

use kiln_data::Share;
use sha2::{Digest, Sha256};

use crate::error::TrainError;

/// The processes of a run, as one of them sees them.
///
/// [`fit_with`](crate::fit_with) makes the same calls in the same order on every rank. A call returns when
/// all ranks have made it; what can't be done, for a rank is gone say, is to end the process.
pub trait Ranks: Sync {
    /// This process, counted from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Puts in the place of each number its sum over all ranks: on each of them, bit for bit, the same.
    fn sum(&self, numbers: &mut [f32]);

    /// Puts in the place of `bytes` those of rank 0.
    fn broadcast(&self, bytes: &mut Vec<u8>);
}

/// [`Ranks`] in the course of a run.
pub(crate) struct Group<'a> {
    ranks: &'a dyn Ranks,
    /// Whether rank 0 keeps checkpoints.
    pub(crate) keeps_checkpoints: bool,
    /// What rank 0 says with the next step.
    message: AtomicU8,
    /// What it said with the last one.
    heard: AtomicU8,
}

/// What rank 0 asks all to do behind an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Signal {
    /// A checkpoint is due.
    pub(crate) checkpoint: bool,
    /// The run is to end.
    pub(crate) stop: bool,
}

impl Signal {
    fn to_bits(self) -> u8 {
        u8::from(self.checkpoint) | (u8::from(self.stop) << 1)
    }

    fn from_bits(bits: u8) -> Self {
        Self { checkpoint: bits & 1 != 0, stop: bits & 2 != 0 }
    }
}

impl<'a> Group<'a> {
    /// # Errors
    ///
    /// If there are more ranks than shares of a batch.
    pub(crate) fn new(ranks: &'a dyn Ranks, checkpoints: bool) -> Result<Self, TrainError> {
        let most = Share::MOST_RANKS;
        if ranks.size() > most {
            return Err(TrainError::field("ranks", ranks.size(), format!("at most {most}")));
        }
        let [message, heard] = [0, 0].map(AtomicU8::new);
        let mut group = Self { ranks, keeps_checkpoints: checkpoints, message, heard };
        group.keeps_checkpoints = group.of_root(|| vec![u8::from(checkpoints)]) == [1];
        Ok(group)
    }

    pub(crate) fn share(&self) -> Share {
        Share { rank: self.ranks.rank(), ranks: self.ranks.size() }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.ranks.rank() == 0
    }

    /// Adds up the numbers of all ranks; with them goes what was said last.
    pub(crate) fn sum(&self, numbers: &mut Vec<f32>) {
        numbers.push(f32::from(self.message.load(Ordering::Relaxed)));
        self.ranks.sum(numbers);
        let heard = numbers.pop().expect("just pushed");
        self.heard.store(heard as u8, Ordering::Relaxed);
    }

    /// Rank 0 says what is to be done behind the next iteration; what others say is not heard.
    pub(crate) fn say(&self, signal: impl FnOnce() -> Signal) {
        if self.is_root() {
            self.message.store(signal().to_bits(), Ordering::Relaxed);
        }
    }

    /// What rank 0 said with the last iteration.
    pub(crate) fn heard(&self) -> Signal {
        Signal::from_bits(self.heard.load(Ordering::Relaxed))
    }

    /// What rank 0 says, apart from an iteration.
    pub(crate) fn signal(&self, signal: impl FnOnce() -> Signal) -> Signal {
        let bits = self.of_root(|| vec![signal().to_bits()]);
        Signal::from_bits(bits.first().copied().unwrap_or(0))
    }

    /// What rank 0 makes.
    pub(crate) fn of_root(&self, bytes: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
        let mut bytes = if self.is_root() { bytes() } else { Vec::new() };
        self.ranks.broadcast(&mut bytes);
        bytes
    }

    /// # Errors
    ///
    /// On every rank, if some have other bytes than rank 0.
    pub(crate) fn check_same(&self, what: &'static str, bytes: &[u8]) -> Result<(), TrainError> {
        let own = Sha256::digest(bytes).to_vec();
        let differs = self.of_root(|| own.clone()) != own;
        let mut ranks = vec![0.0; self.ranks.size()];
        ranks[self.ranks.rank()] = f32::from(u8::from(differs));
        self.ranks.sum(&mut ranks);
        match ranks.iter().position(|differs| *differs != 0.0) {
            None => Ok(()),
            Some(rank) => Err(TrainError::RanksDiffer { what, rank }),
        }
    }
}
