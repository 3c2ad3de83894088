//! What a run tells while it goes on, and who listens.

mod event;
mod history;
mod progress;
mod recorder;

pub use event::{EpochRecord, Event, Network, Observer, RunInfo, StopReason};
pub use history::HistoryFile;
pub use progress::ProgressBar;
pub use recorder::Recorder;
