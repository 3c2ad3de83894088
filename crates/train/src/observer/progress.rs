use std::io::IsTerminal;

use indicatif::{ProgressBar as Bar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use super::{EpochRecord, Event, Observer, StopReason};
use crate::error::TrainError;

/// Draws a progress bar on stderr, and a line for each epoch. Where stderr is no terminal, the
/// lines alone.
#[derive(Debug)]
pub struct ProgressBar {
    bar: Bar,
    num_epochs: usize,
    restarts: usize,
    terminal: bool,
    epoch_lines: bool,
}

impl ProgressBar {
    /// For the standard error of this process.
    pub fn stderr() -> Self {
        Self {
            bar: Bar::hidden(),
            num_epochs: 0,
            restarts: 1,
            terminal: std::io::stderr().is_terminal(),
            epoch_lines: true,
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
            eprintln!("{text}");
        }
    }
}

impl Observer for ProgressBar {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        match event {
            Event::Run(run) => {
                (self.num_epochs, self.restarts) = (run.num_epochs, run.restarts);
                if run.restarts > 1 {
                    self.line(format!("restart {}/{}", run.restart, run.restarts));
                }
                // Rows, not iterations: what is left and how fast it goes are then in one unit.
                let rows = (run.rows * run.num_epochs) as u64;
                let target = if self.terminal {
                    ProgressDrawTarget::stderr()
                } else {
                    ProgressDrawTarget::hidden()
                };
                let style = "{bar:24} {percent:>3} %  {per_sec} left {eta}  {msg}";
                let style = ProgressStyle::with_template(style)
                    .expect("the template is well formed")
                    .with_key(
                        "per_sec",
                        |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
                            // An unwritable buffer of our own is not to be reported to anyone.
                            let _ = write!(w, "{:.0} rows/s", state.per_sec());
                        },
                    );
                // A run that fails tells no one that it stops: the bar goes when it is dropped.
                self.bar = Bar::with_draw_target(Some(rows), target)
                    .with_style(style)
                    .with_finish(ProgressFinish::AndClear);
            }
            Event::Resume { iteration, rows, records } => {
                self.bar.set_position(*rows as u64);
                self.bar.reset_eta();
                let epochs = records.iter().filter(|record| record.iterations <= *iteration);
                self.line(format!(
                    "going on after iteration {iteration}, {} epochs done",
                    epochs.count()
                ));
            }
            Event::Checkpoint { failure: None, .. } => {}
            Event::Checkpoint { path, failure: Some(failure) } => self.line(format!(
                "warning: cannot write the checkpoint {}: {failure}; training goes on",
                path.display()
            )),
            Event::Iteration { rows, .. } => self.bar.inc(*rows as u64),
            Event::Epoch(record) => {
                if self.epoch_lines {
                    self.line(epoch_line(record, self.num_epochs));
                }
                self.bar.set_message(format!("epoch {}/{}", record.epoch, self.num_epochs));
            }
            Event::Stop { reason, kept_epoch } => {
                self.bar.finish_and_clear();
                if *reason == StopReason::Patience {
                    self.line(format!(
                        "no more improvement: stopped, with the weights of epoch {kept_epoch}"
                    ));
                }
            }
            Event::Losses { .. } | Event::Validation { .. } => {}
        }
        Ok(())
    }
}

fn epoch_line(record: &EpochRecord, num_epochs: usize) -> String {
    let width = num_epochs.to_string().len();
    let valid = match (record.valid_loss, record.valid_accuracy) {
        (Some(loss), Some(accuracy)) => {
            format!("  valid loss {loss:.4}  accuracy {:.2} %", 100.0 * accuracy)
        }
        _ => String::new(),
    };
    format!(
        "epoch {:>width$}/{num_epochs}  train loss {:.4}{valid}  {:.0} rows/s",
        record.epoch, record.train_loss, record.rows_per_second
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_line_says_what_there_is() {
        let mut record = EpochRecord {
            restart: 1,
            epoch: 3,
            iterations: 30,
            learning_rate: 0.1,
            train_loss: 0.123456,
            valid_loss: Some(0.2),
            valid_accuracy: Some(0.98765),
            best: true,
            seconds: 1.0,
            rows_per_second: 54321.9,
        };
        assert_eq!(
            epoch_line(&record, 10),
            "epoch  3/10  train loss 0.1235  valid loss 0.2000  accuracy 98.77 %  54322 rows/s"
        );
        (record.valid_loss, record.valid_accuracy) = (None, None);
        assert_eq!(epoch_line(&record, 10), "epoch  3/10  train loss 0.1235  54322 rows/s");
    }
}
