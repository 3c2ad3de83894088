use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use super::{EpochRecord, Event, Observer};
use crate::error::TrainError;

/// Writes one row per epoch into a file: JSON lines if its name ends in `.jsonl`, else CSV with a
/// header.
///
/// Columns: `restart, epoch, iterations, learning_rate, train_loss, valid_loss, valid_accuracy,
/// best, seconds, rows_per_second`, as in [`EpochRecord`]. Numbers are written so that they read
/// back exactly; an absent one is empty in CSV and `null` in JSON. Each row is in the file as soon
/// as its epoch is over.
#[derive(Debug)]
pub struct HistoryFile {
    path: PathBuf,
    file: File,
    json: bool,
}

const COLUMNS: &str = "restart,epoch,iterations,learning_rate,train_loss,valid_loss,\
                       valid_accuracy,best,seconds,rows_per_second";

impl HistoryFile {
    /// Creates the file, or empties it.
    ///
    /// # Errors
    ///
    /// [`TrainError::History`] if it cannot be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref().to_owned();
        let json = path.extension().is_some_and(|extension| extension == "jsonl");
        let file = File::create(&path)
            .map_err(|source| TrainError::History { path: path.clone(), source })?;
        let mut history = Self { path, file, json };
        if !json {
            history.write(COLUMNS.to_owned())?;
        }
        Ok(history)
    }

    fn write(&mut self, mut line: String) -> Result<(), TrainError> {
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .map_err(|source| TrainError::History { path: self.path.clone(), source })
    }
}

impl Observer for HistoryFile {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        match event {
            Event::Epoch(record) if self.json => self
                .write(serde_json::to_string(record).expect("a record of numbers is valid JSON")),
            Event::Epoch(record) => self.write(csv(record)),
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
        valid_loss,
        valid_accuracy,
        best,
        seconds,
        rows_per_second,
    } = record;
    let optional = |value: &Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let (valid_loss, valid_accuracy) = (optional(valid_loss), optional(valid_accuracy));
    format!(
        "{restart},{epoch},{iterations},{learning_rate},{train_loss},{valid_loss},\
         {valid_accuracy},{best},{seconds},{rows_per_second}"
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
            valid_loss,
            valid_accuracy: valid_loss.map(|_| 0.75),
            best: true,
            seconds: 0.5,
            rows_per_second: 1234.5,
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
            "restart,epoch,iterations,learning_rate,train_loss,valid_loss,valid_accuracy,best,\
             seconds,rows_per_second\n\
             1,2,20,0.001,0.30000000000000004,0.25,0.75,true,0.5,1234.5\n\
             1,2,20,0.001,0.30000000000000004,,,true,0.5,1234.5\n"
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
