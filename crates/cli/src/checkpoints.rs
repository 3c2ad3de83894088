use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf, absolute},
    str::FromStr,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anyhow::Context;
use kiln::{
    tabular::TabularError,
    train::{Checkpoints, Every, TrainError},
};
use serde::{Deserialize, Serialize};

use crate::{
    console::Console,
    interrupt::{Interrupted, on_signals},
    options::{Options, UsageError, as_usage},
    processes::Process,
    run_files::RunFiles,
};

/// What `--resume` is given to look for a checkpoint in the folder that it would begin with.
const AUTO: &str = "auto";

/// Where and when checkpoints are kept.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Checkpoints")]
#[command(group = clap::ArgGroup::new("checkpoint_folder").multiple(true))]
pub(crate) struct CheckpointArgs {
    /// Keep checkpoints in this folder: a run that was cut off goes on from there
    #[arg(long, value_name = "DIR", group = "checkpoint_folder")]
    checkpoint_dir: Option<PathBuf>,
    /// How often, beside the start and the end: `30s`, `5epochs` or `1000iterations` [default: 30s]
    #[arg(long, value_name = "INTERVAL", requires = "checkpoint_folder")]
    checkpoint_every: Option<Interval>,
    /// How many of the newest stay, beside the one with the lowest validation loss [default: 2]
    #[arg(long, value_name = "COUNT", requires = "checkpoint_folder")]
    checkpoint_keep: Option<NonZeroUsize>,
    /// Go on with the run whose checkpoints are in this folder
    ///
    /// Its file and its options hold, and need not be given again. None that changes the result may
    /// differ, but that `--epochs` may grow. The model is then the one that the run would have given had
    /// it not been cut off. `auto`, with `--checkpoint-dir` and all that begins a run: go on if that folder
    /// holds a checkpoint, else begin
    #[arg(long, value_name = "DIR", group = "checkpoint_folder", conflicts_with = "print_config")]
    resume: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
struct Interval(Every);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number: Option<u32> = text[..text.len() - unit.len()].parse().ok();
        let number = number.filter(|number| *number > 0);
        match (number, unit.trim()) {
            (Some(n), "s" | "seconds") => Ok(Self(Every::Time(Duration::from_secs(n.into())))),
            (Some(n), "epochs" | "epoch") => Ok(Self(Every::Epochs(n as usize))),
            (Some(n), "iterations" | "iteration") => Ok(Self(Every::Iterations(n as usize))),
            _ => Err("expected a number above 0 and `s`, `epochs` or `iterations`: 30s".to_owned()),
        }
    }
}

/// What a run was asked to do, kept in each of its checkpoints.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begun {
    pub(crate) file: PathBuf,
    pub(crate) output: PathBuf,
    pub(crate) files: RunFiles,
    pub(crate) backend: String,
    /// Every default filled in.
    pub(crate) options: Options,
}

impl Begun {
    /// With paths that mean the same in any folder.
    pub(crate) fn new(
        file: &Path,
        output: &Path,
        files: &RunFiles,
        backend: &str,
        mut options: Options,
    ) -> anyhow::Result<Self> {
        let whole = |path: &Path| match path.to_str() {
            Some("-") => Ok(path.to_owned()),
            Some(_) => absolute(path).with_context(|| format!("cannot find {}", path.display())),
            None => {
                anyhow::bail!("{} is no Unicode text, which checkpoints ask for", path.display())
            }
        };
        options.valid = options.valid.as_deref().map(whole).transpose()?;
        Ok(Self {
            file: whole(file)?,
            output: whole(output)?,
            files: files.map(whole)?,
            backend: backend.to_owned(),
            options,
        })
    }
}

impl CheckpointArgs {
    /// The folder of checkpoints, if there are to be any.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.checkpoint_dir.as_deref().or(self.resume.as_deref())
    }

    /// What clap can't say: `--resume DIR` names all that there is, and `--resume auto` nothing.
    pub(crate) fn check(&self, has_files: bool, has_config: bool) -> anyhow::Result<()> {
        let usage = |text: &str| Err(UsageError::new(text.to_owned()).into());
        match (&self.resume, &self.checkpoint_dir) {
            (None, _) => Ok(()),
            (Some(resume), None) if resume == Path::new(AUTO) => usage(
                "`--resume auto` needs `--checkpoint-dir`: the folder that may hold a checkpoint (a folder \
                 called auto is `--resume ./auto`)",
            ),
            (Some(resume), Some(_)) if resume == Path::new(AUTO) => match has_files {
                true => Ok(()),
                false => usage("`--resume auto` may begin a run, and needs FILE and `--output`"),
            },
            (Some(_), Some(_)) => usage(
                "`--resume` and `--checkpoint-dir` both name a folder, expected one of them, or \
                 `--resume auto`",
            ),
            (Some(_), None) if has_config => {
                usage("`--resume` goes on with the options of the run, without `--config`")
            }
            (Some(_), None) => Ok(()),
        }
    }

    /// Takes the folder of the run that is to go on, and says what it was asked to do: to all processes,
    /// though the first alone has the checkpoints.
    pub(crate) fn resume(
        &self,
        process: Process<'_>,
        console: Console,
    ) -> anyhow::Result<(Option<Checkpoints>, Option<Begun>)> {
        let Some(resume) = &self.resume else { return Ok((None, None)) };
        let mut checkpoints = None;
        let begun = process.of_first(|| {
            let auto = resume == Path::new(AUTO);
            let folder = if auto { self.checkpoint_dir.as_ref().unwrap_or(resume) } else { resume };
            let found = match Checkpoints::resume(folder) {
                // Not where there is one that is damaged.
                Err(TrainError::NoCheckpoint { damaged, .. }) if auto && damaged.is_empty() => None,
                Err(TrainError::CheckpointFolder { .. }) if auto && !folder.exists() => None,
                found => Some(found?),
            };
            let Some(found) = found else { return Ok(None) };
            let Some(from) = found.resumed_from() else { return Ok(None) };
            for damaged in found.damaged() {
                console.warn(format_args!("{damaged}; going on from {}", from.display()));
            }
            let begun = Begun::deserialize(found.context())
                .with_context(|| format!("{}: not a checkpoint of `kiln train`", from.display()))?;
            checkpoints = Some(found);
            Ok(Some(begun))
        })?;
        Ok((checkpoints, begun))
    }

    /// The checkpoints of the run, if there are to be any, ready to be written.
    ///
    /// SIGINT and SIGTERM then end the run after the iteration that it is at, and a second one at once.
    ///
    /// The first process has them; others go on till it says so.
    pub(crate) fn ready(
        &self,
        process: Process<'_>,
        resumed: Option<Checkpoints>,
        begun: &Begun,
    ) -> anyhow::Result<Option<Checkpoints>> {
        if self.folder().is_none() {
            return Ok(None);
        }
        let stop = Arc::new(AtomicBool::new(false));
        if !process.is_first() {
            on_signals(&stop)?;
            return Ok(None);
        }
        let mut checkpoints = match (resumed, &self.checkpoint_dir) {
            (Some(checkpoints), _) => checkpoints,
            (None, Some(folder)) => Checkpoints::create(folder).map_err(|error| match error {
                TrainError::CheckpointsExist { .. } => anyhow::anyhow!(
                    "{} holds the checkpoints of another run: go on with it by `--resume {0}`, or \
                     choose another folder",
                    folder.display()
                ),
                error => error.into(),
            })?,
            (None, None) => return Ok(None),
        };
        if let Some(Interval(every)) = self.checkpoint_every {
            checkpoints = checkpoints.every(every);
        }
        if let Some(newest) = self.checkpoint_keep {
            checkpoints = checkpoints.keep(newest.get());
        }
        on_signals(&stop)?;
        Ok(Some(checkpoints.stop_on(stop).with_context(serde_json::to_value(begun)?)))
    }
}

/// What went wrong in training, and of an interrupted run how to go on.
pub(crate) fn explain(error: TabularError, folder: Option<&Path>) -> anyhow::Error {
    use TrainError::{Interrupted, InterruptedUnsaved};
    let interrupted =
        matches!(error, TabularError::Train(Interrupted { .. } | InterruptedUnsaved { .. }));
    let error = as_usage(error);
    match folder {
        Some(folder) if interrupted => {
            let how = format!("{error:#}; go on with `kiln train --resume {}`", folder.display());
            Interrupted(how).into()
        }
        _ if interrupted => Interrupted(format!("{error:#}")).into(),
        _ => error,
    }
}
