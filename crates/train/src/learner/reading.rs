use std::time::{Duration, Instant};

use kiln_data::{DataError, Portion, RowStream, Share};

use crate::error::TrainError;

/// Reads streamed rows, epoch after epoch.
pub(super) struct Reading<'a> {
    rows: &'a dyn RowStream,
    batch_size: usize,
    share: Share,
    seed: u64,
    epoch: usize,
    /// Rows of the epoch that have been handed over, those of other shares included.
    taken: usize,
    /// What has been begun; it goes on with the next epoch by itself.
    batches: Option<Box<dyn Iterator<Item = Result<Portion, DataError>> + Send>>,
    waited: Duration,
}

impl<'a> Reading<'a> {
    pub(super) fn new(rows: &'a dyn RowStream, batch_size: usize, share: Share) -> Self {
        let (batches, waited) = (None, Duration::ZERO);
        Self { rows, batch_size, share, seed: 0, epoch: 0, taken: 0, batches, waited }
    }

    pub(super) fn start_epoch(&mut self, seed: u64, epoch: usize) {
        let follows =
            seed == self.seed && epoch == self.epoch + 1 && self.taken == self.rows.rows();
        if !follows {
            self.batches = None;
        }
        (self.seed, self.epoch, self.taken, self.waited) = (seed, epoch, 0, Duration::ZERO);
    }

    /// Goes on behind the first batches of the epoch, of which none has been read.
    pub(super) fn skip(&mut self, batches: usize) {
        if batches > 0 {
            (self.batches, self.taken) = (None, batches * self.batch_size);
        }
    }

    /// The rows of the next batches, none of which is cut.
    pub(super) fn next(&mut self) -> Result<Portion, TrainError> {
        let (seed, epoch, done) = (self.seed, self.epoch as u64, self.taken / self.batch_size);
        let (rows, batch_size, share) = (self.rows, self.batch_size, self.share);
        let begin = || rows.batches(seed, epoch, done, batch_size, share);
        let started = Instant::now();
        let next = self.batches.get_or_insert_with(begin).next();
        self.waited += started.elapsed();
        let next = next.expect("reading ends with an error only")?;
        self.taken += next.rows;
        Ok(next)
    }

    /// Seconds of the epoch in which [`Reading::next`] had nothing to give.
    pub(super) fn waited(&self) -> f64 {
        self.waited.as_secs_f64()
    }
}
