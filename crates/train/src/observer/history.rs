use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::event::{EpochRecord, Event, Observer};
use crate::error::TrainError;

/// Writes one row per epoch into a file: JSON lines if its name ends in `.jsonl`, else CSV with a
/// header.
///
/// Columns: `restart, epoch, iterations, learning_rate, train_loss, train_accuracy, valid_loss,
/// valid_accuracy, best, seconds, rows_per_second, waiting`, as in [`EpochRecord`]. Numbers are written so that they read
/// back exactly; an absent one is empty in CSV and `null` in JSON. Each row is in the file as soon
/// as its epoch is over; a run that goes on from a checkpoint writes those of its earlier epochs first.
#[derive(Debug)]
pub struct HistoryFile {
    path: PathBuf,
    file: File,
    json: bool,
    begun: bool,
}

const COLUMNS: &str = "restart,epoch,iterations,learning_rate,train_loss,train_accuracy,\
                       valid_loss,valid_accuracy,best,seconds,rows_per_second,waiting";

impl HistoryFile {
    /// Creates the file. One that is there stays as it is until the first row replaces it.
    ///
    /// # Errors
    ///
    /// [`TrainError::History`] if it cannot be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref().to_owned();
        let json = path.extension().is_some_and(|extension| extension == "jsonl");
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|source| TrainError::History { path: path.clone(), source })?;
        Ok(Self { path, file, json, begun: false })
    }

    fn write(&mut self, record: &EpochRecord) -> Result<(), TrainError> {
        let mut lines = String::new();
        if !self.begun && !self.json {
            lines = format!("{COLUMNS}\n");
        }
        lines += &if self.json {
            serde_json::to_string(record).expect("a record of numbers is valid JSON")
        } else {
            csv(record)
        };
        lines.push('\n');
        self.try_write(&lines)
            .map_err(|source| TrainError::History { path: self.path.clone(), source })
    }

    fn try_write(&mut self, lines: &str) -> io::Result<()> {
        // What is no regular file, a pipe say, has no length.
        if !self.begun && self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.begun = true;
        self.file.write_all(lines.as_bytes())
    }
}

impl Observer for HistoryFile {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        match event {
            Event::Resume { records, .. } => records.iter().try_for_each(|row| self.write(row)),
            Event::Epoch(record) => self.write(record),
            _ => Ok(()),
        }
    }
}

fn csv(record: &EpochRecord) -> String {
    let EpochRecord {
        restart,
        epoch,
        iterations,
        learning_rate,
        train_loss,
        train_accuracy,
        valid_loss,
        valid_accuracy,
        best,
        seconds,
        rows_per_second,
        waiting,
    } = record;
    let optional = |value: &Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let (valid_loss, valid_accuracy) = (optional(valid_loss), optional(valid_accuracy));
    format!(
        "{restart},{epoch},{iterations},{learning_rate},{train_loss},{train_accuracy},{valid_loss},\
         {valid_accuracy},{best},{seconds},{rows_per_second},{waiting}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(valid_loss: Option<f64>) -> EpochRecord {
        EpochRecord {
            restart: 1,
            epoch: 2,
            iterations: 20,
            learning_rate: 1e-3,
            train_loss: 0.1 + 0.2,
            train_accuracy: 0.5,
            valid_loss,
            valid_accuracy: valid_loss.map(|_| 0.75),
            best: true,
            seconds: 0.5,
            rows_per_second: 1234.5,
            waiting: 0.25,
        }
    }

    fn write(name: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let mut history = HistoryFile::create(&path).unwrap();
        for valid_loss in [Some(0.25), None] {
            history.observe(&Event::Epoch(&record(valid_loss))).unwrap();
        }
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn csv_has_a_header_and_a_row_an_epoch() {
        assert_eq!(
            write("history.csv"),
            "restart,epoch,iterations,learning_rate,train_loss,train_accuracy,valid_loss,valid_accuracy,best,\
             seconds,rows_per_second,waiting\n\
             1,2,20,0.001,0.30000000000000004,0.5,0.25,0.75,true,0.5,1234.5,0.25\n\
             1,2,20,0.001,0.30000000000000004,0.5,,,true,0.5,1234.5,0.25\n"
        );
    }

    #[test]
    fn json_lines_read_back_as_they_were() {
        let records: Vec<EpochRecord> = write("history.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(records, [record(Some(0.25)), record(None)]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_with_the_path() {
        let path = Path::new("no").join("such").join("folder.csv");
        let error = HistoryFile::create(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write the history to {}", path.display()));
        assert!(std::error::Error::source(&error).is_some());
    }
}
