use super::event::{EpochRecord, Event, Observer, RunInfo, StopReason};
use crate::error::TrainError;

/// Keeps everything in memory; of what was before a checkpoint, the epochs only.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorder {
    /// One per restart.
    pub runs: Vec<RunInfo>,
    /// The loss of every iteration, over all restarts.
    pub losses: Vec<f64>,
    /// The learning rate of every iteration.
    pub learning_rates: Vec<f64>,
    /// The rows of every iteration's batch.
    pub batch_rows: Vec<usize>,
    /// Every epoch.
    pub epochs: Vec<EpochRecord>,
    /// One per restart.
    pub stops: Vec<StopReason>,
}

impl Recorder {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Observer for Recorder {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        match event {
            Event::Run(run) => self.runs.push(run.clone()),
            Event::Iteration { rows, learning_rate, .. } => {
                self.batch_rows.push(*rows);
                self.learning_rates.push(*learning_rate);
            }
            Event::Losses { losses, .. } => self.losses.extend_from_slice(losses),
            Event::Epoch(record) => self.epochs.push((*record).clone()),
            Event::Stop { reason, .. } => self.stops.push(*reason),
            Event::Resume { records, .. } => self.epochs.extend_from_slice(records),
            Event::Validation { .. }
            | Event::Network(_)
            | Event::Checkpoint { .. }
            | Event::Planned { .. } => {}
        }
        Ok(())
    }
}
