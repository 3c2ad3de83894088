use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar as Bar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use super::event::{EpochRecord, Event, Observer, RunInfo, StopReason};
use crate::error::TrainError;

/// How often a log hears of a run whose epochs leave no lines.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Shows on stderr how a run goes: how far it is, rows per second, the time left, losses, the best epoch and,
/// with a patience, how much of it is left; and a line for each epoch.
///
/// Fits in 80 columns. Where stderr is no terminal there are lines alone; without lines for epochs, one
/// every ten seconds.
#[derive(Debug)]
pub struct ProgressBar {
    bar: Bar,
    run: Option<RunInfo>,
    /// The epoch that is best so far, and its score.
    best: Option<(usize, f64)>,
    terminal: bool,
    epoch_lines: bool,
    last_line: Instant,
}

impl ProgressBar {
    /// For the standard error of this process.
    pub fn stderr() -> Self {
        Self {
            bar: Bar::hidden(),
            run: None,
            best: None,
            terminal: io::stderr().is_terminal(),
            epoch_lines: true,
            last_line: Instant::now(),
        }
    }

    /// Whether each epoch leaves a line, as it does unless told otherwise.
    pub fn with_epoch_lines(mut self, epoch_lines: bool) -> Self {
        self.epoch_lines = epoch_lines;
        self
    }

    fn line(&self, text: String) {
        if self.terminal {
            self.bar.println(text);
        } else {
            // Where stderr is closed there is no one to tell.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    fn start(&mut self, run: &RunInfo) {
        if run.restarts > 1 {
            self.line(format!("restart {}/{}", run.restart, run.restarts));
        }
        let target = match self.terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let style = "{prefix} {bar:22} {percent:>3} %  {per_sec}  {eta} left\n{msg}";
        let style =
            ProgressStyle::with_template(style).expect("the template is well formed").with_key(
                "per_sec",
                |state: &indicatif::ProgressState, to: &mut dyn std::fmt::Write| {
                    // An unwritable buffer of our own is not to be reported to anyone.
                    let _ = write!(to, "{:.0} rows/s", state.per_sec());
                },
            );
        // Rows, not iterations: what is left and how fast it goes are then in one unit. A run that fails
        // tells no one that it stops: the bar goes when it is dropped.
        self.bar = Bar::with_draw_target(Some((run.rows * run.num_epochs) as u64), target)
            .with_style(style)
            .with_prefix(epoch_of(0, run.num_epochs))
            .with_finish(ProgressFinish::AndClear);
        (self.run, self.best) = (Some(run.clone()), None);
    }

    fn epoch(&mut self, record: &EpochRecord) {
        let Some(run) = self.run.clone() else { return };
        self.count(record);
        let is_due = !self.terminal && self.last_line.elapsed() >= LOG_INTERVAL;
        if self.epoch_lines || is_due {
            self.last_line = Instant::now();
            self.line(epoch_line(record, run.num_epochs));
        }
        self.bar.set_prefix(epoch_of(record.epoch, run.num_epochs));
        self.bar.set_message(standing(record, self.best, run.patience));
    }

    fn plan(&mut self, num_epochs: usize) {
        let Some(run) = &mut self.run else { return };
        run.num_epochs = num_epochs;
        self.bar.set_length((run.rows * num_epochs) as u64);
    }

    fn count(&mut self, record: &EpochRecord) {
        if let Some(loss) = record.valid_loss.filter(|_| record.best) {
            self.best = Some((record.epoch, loss));
        }
    }
}

impl Observer for ProgressBar {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        match event {
            Event::Run(run) => self.start(run),
            Event::Resume { iteration, rows, records } => {
                self.bar.set_position(*rows as u64);
                self.bar.reset_eta();
                let done = || records.iter().filter(|record| record.iterations <= *iteration);
                self.line(format!(
                    "going on after iteration {iteration}, {} epochs done",
                    done().count()
                ));
                let restart = self.run.as_ref().map(|run| run.restart);
                done()
                    .filter(|record| Some(record.restart) == restart)
                    .for_each(|record| self.count(record));
            }
            Event::Checkpoint { failure: None, .. } => {}
            Event::Checkpoint { path, failure: Some(failure) } => self.line(format!(
                "warning: cannot write the checkpoint {}: {failure}; training goes on",
                path.display()
            )),
            Event::Iteration { rows, .. } => self.bar.inc(*rows as u64),
            Event::Epoch(record) => self.epoch(record),
            Event::Planned { num_epochs } => self.plan(*num_epochs),
            Event::Stop { reason, kept_epoch } => {
                self.bar.finish_and_clear();
                let why = match reason {
                    StopReason::Epochs => return Ok(()),
                    StopReason::TimeBudget => "the time is up",
                    StopReason::Patience => "no more improvement",
                };
                self.line(format!("{why}: stopped, with the weights of epoch {kept_epoch}"));
            }
            Event::Losses { .. } | Event::Validation { .. } | Event::Network(_) => {}
        }
        Ok(())
    }
}

fn epoch_of(epoch: usize, num_epochs: usize) -> String {
    let width = num_epochs.to_string().len();
    format!("epoch {epoch:>width$}/{num_epochs}")
}

/// Where a run stands: losses, the best epoch, and the patience that is left.
fn standing(record: &EpochRecord, best: Option<(usize, f64)>, patience: Option<usize>) -> String {
    let mut text = format!("train loss {:.4}", record.train_loss);
    if let Some(loss) = record.valid_loss {
        text += &format!("  valid {loss:.4}");
    }
    if let Some((epoch, loss)) = best {
        text += &format!("  best {loss:.4} (epoch {epoch})");
        if let Some(patience) = patience {
            let left = patience.saturating_sub(record.epoch - epoch);
            text += &format!("  patience left {left}");
        }
    }
    text
}

fn epoch_line(record: &EpochRecord, num_epochs: usize) -> String {
    let valid = match (record.valid_loss, record.valid_accuracy) {
        (Some(loss), Some(accuracy)) => {
            format!("  valid {loss:.4}  accuracy {:.2} %", 100.0 * accuracy)
        }
        _ => String::new(),
    };
    format!(
        "{}  train {:.4}{valid}  {:.0} rows/s",
        epoch_of(record.epoch, num_epochs),
        record.train_loss,
        record.rows_per_second
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> EpochRecord {
        EpochRecord {
            restart: 1,
            epoch: 3,
            iterations: 30,
            learning_rate: 0.1,
            train_loss: 0.123456,
            train_accuracy: 0.9,
            valid_loss: Some(0.2),
            valid_accuracy: Some(0.98765),
            best: true,
            seconds: 1.0,
            rows_per_second: 54321.9,
            waiting: 0.0,
        }
    }

    #[test]
    fn epoch_line_says_what_there_is() {
        let mut record = record();
        assert_eq!(
            epoch_line(&record, 10),
            "epoch  3/10  train 0.1235  valid 0.2000  accuracy 98.77 %  54322 rows/s"
        );
        (record.valid_loss, record.valid_accuracy) = (None, None);
        assert_eq!(epoch_line(&record, 10), "epoch  3/10  train 0.1235  54322 rows/s");
    }

    #[test]
    fn standing_counts_the_patience_that_is_left() {
        let record = record();
        assert_eq!(
            standing(&record, Some((1, 0.19)), Some(15)),
            "train loss 0.1235  valid 0.2000  best 0.1900 (epoch 1)  patience left 13"
        );
        assert_eq!(
            standing(&record, Some((1, 0.19)), None),
            "train loss 0.1235  valid 0.2000  best 0.1900 (epoch 1)"
        );
        assert_eq!(standing(&record, None, None), "train loss 0.1235  valid 0.2000");
    }

    #[test]
    fn lines_fit_in_eighty_columns() {
        let mut record = record();
        (record.epoch, record.rows_per_second) = (1000, 12_345_678.0);
        (record.train_loss, record.valid_loss) = (12.3456, Some(12.3456));
        assert!(epoch_line(&record, 1000).len() <= 80, "{}", epoch_line(&record, 1000));
        let standing = standing(&record, Some((999, 12.3456)), Some(100));
        assert!(standing.len() < 80, "{standing}");
    }
}
