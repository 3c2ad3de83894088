use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use kiln_store::write_atomically;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{error::TuneError, space::Space, trial::Trial};

/// The version of the file.
const VERSION: u32 = 1;

/// What is searched, and in what: by name, as it is told where it is no longer the same.
pub type Searched = Map<String, Value>;

/// The trials of a search in a file, one JSON object a line under one that says what is searched.
///
/// A line is written, and on the disk, when its trial is over: what ends the process costs the trials in
/// training, no others. The file is made with the first of them.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Option<File>,
    header: Header,
    pub(super) trials: Vec<Trial>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    kiln_tune: u32,
    /// A trial learns of those that are at least so many before it.
    distance: usize,
    searched: Searched,
}

impl Journal {
    /// Opens the journal of a search, or begins one. Trial `n` of a search that begins learns of those up to
    /// `n - distance`; of one that goes on, what it began with holds. A last line that was cut off in the
    /// middle is dropped.
    ///
    /// # Errors
    ///
    /// A file that is no such journal, is of another search, or is being written by another process.
    pub fn open(
        path: &Path,
        searched: &Searched,
        space: &Space,
        distance: usize,
    ) -> Result<Self, TuneError> {
        let path = path.to_owned();
        if !path.exists() {
            let header = Header { kiln_tune: VERSION, distance, searched: searched.clone() };
            return Ok(Self { path, file: None, header, trials: Vec::new() });
        }
        let failed = |source| TuneError::Journal { path: path.clone(), source };
        let mut file = locked(&path)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut lines = (1..).zip(text[..whole].lines());
        let wrong = |line, problem| TuneError::JournalLine { path: path.clone(), line, problem };
        let header = lines.next().and_then(|(_, line)| serde_json::from_str::<Header>(line).ok());
        let header = header.filter(|header| header.kiln_tune == VERSION && header.distance > 0);
        let Some(header) = header else {
            let problem =
                format!("not the first line of a journal of `kiln tune`, version {VERSION}");
            return Err(wrong(1, problem));
        };
        if let Some((what, found, expected)) = difference(searched, &header.searched) {
            return Err(TuneError::JournalDiffers { path, what, found, expected });
        }
        let mut trials: Vec<Trial> = Vec::new();
        for (number, line) in lines {
            let trial: Trial = serde_json::from_str(line)
                .map_err(|error| wrong(number, format!("not a trial: {error}")))?;
            check(&trial, space, &trials).map_err(|problem| wrong(number, problem))?;
            trials.push(trial);
        }
        file.set_len(whole as u64).map_err(failed)?;
        Ok(Self { path, file: Some(file), header, trials })
    }

    /// How many trials are over.
    pub fn num_trials(&self) -> usize {
        self.trials.len()
    }

    pub(super) fn distance(&self) -> usize {
        self.header.distance
    }

    pub(super) fn append(&mut self, trial: &Trial) -> Result<(), TuneError> {
        let failed = |source| TuneError::Journal { path: self.path.clone(), source };
        let mut file = match self.file.take() {
            Some(file) => file,
            None if self.path.exists() => {
                return Err(TuneError::JournalInUse { path: self.path.clone() });
            }
            None => {
                let line = line_of(&self.header);
                // Whole or not at all: what is there without a first line is another file.
                write_atomically(&self.path, |to| to.write_all(line.as_bytes())).map_err(failed)?;
                locked(&self.path)?
            }
        };
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        file.write_all(line_of(trial).as_bytes()).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        self.file = Some(file);
        Ok(())
    }
}

/// The file, for this process alone.
fn locked(path: &Path) -> Result<File, TuneError> {
    let failed = |source| TuneError::Journal { path: path.to_owned(), source };
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => TuneError::JournalInUse { path: path.to_owned() },
        TryLockError::Error(source) => failed(source),
    })?;
    Ok(file)
}

fn line_of(what: &impl Serialize) -> String {
    serde_json::to_string(what).expect("plain data with text keys") + "\n"
}

/// The first name under which the two differ, and what stands there.
fn difference(found: &Searched, expected: &Searched) -> Option<(String, String, String)> {
    let text = |of: &Searched, name: &str| match of.get(name) {
        None => "not given".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let names = found.keys().chain(expected.keys());
    let name = names.into_iter().find(|name| found.get(*name) != expected.get(*name))?;
    Some((name.clone(), text(found, name), text(expected, name)))
}

/// Whether a search of `space` can have this trial beside the `others`; if not, why.
fn check(trial: &Trial, space: &Space, others: &[Trial]) -> Result<(), String> {
    let settings = space.settings();
    if others.iter().any(|other| other.trial == trial.trial) {
        return Err(format!("trial {} is there twice", trial.trial));
    }
    if trial.values.len() != settings.len() {
        let (found, expected) = (trial.values.len(), settings.len());
        return Err(format!("{found} settings, expected {expected}"));
    }
    for (setting, value) in settings.iter().zip(&trial.values) {
        if !setting.range.holds(value) {
            let (name, range) = (setting.name.name(), &setting.range);
            return Err(format!("`{name}` is {value}, expected {range}"));
        }
    }
    Ok(())
}
