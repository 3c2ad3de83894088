mod args;
mod outcome;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, bail};
use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    classifier::Manifest,
    store::write_atomically,
    table::{ReadOptions, Table, TableReader},
    tabular::assessment::{About, Assessment},
    tabular::{
        Asked, Prepared, Recipe, Settings, TabularError, TrainedOn, Validation, assess, train,
        tune::{
            Journal, Limits, Search, Searched, Space, Stopped, Trial, TrialState, TuneError, best,
            importance, search, section,
        },
    },
    train::{Event, Hooks, Observer, ProgressBar, TrainError, compare},
};
use serde_json::Value;

pub(crate) use self::args::Args;
use self::outcome::{Measured, Outcome};
use super::{
    advice::advised,
    console::Console,
    interrupt::{Interrupted, on_signals},
    options::{Options, UsageError, as_usage, read_config},
    report,
};

/// The share of the rows that no trial sees.
const OUTER_FRACTION: f64 = 0.2;
/// A trial learns of those that are at least so many before it, so that up to so many can be trained at a time.
const DISTANCE: usize = 4;

pub(crate) fn run(mut args: Args, console: Console) -> anyhow::Result<()> {
    if let Some(path) = &args.config {
        args.options = args.options.over(read_config(path)?)?;
    }
    // Of the search, not of a trial.
    let deadline =
        args.options.time_budget.take().and_then(|budget| Instant::now().checked_add(budget.0));
    let options = &args.options;
    if options.stream == Some(true) {
        let usage = "a search keeps all rows in memory, found `stream`";
        return Err(UsageError::new(usage.to_owned()).into());
    }
    let read = options.read_options(&args.read)?;
    let reader = TableReader::open(&args.file, &read)?;
    let format = *reader.format();
    let table = Table::from_reader(reader)?;
    let recipe = Recipe::for_table(options.preset.unwrap_or_default(), &table);
    let settings = options.resolve(table.name(), table.columns(), recipe)?;
    let journal = args.journal();
    args.check_files(&journal)?;
    let valid = options.valid.as_ref().map(|path| Table::read(path, &read)).transpose()?;
    let prepared = Prepared::new(table, &settings)?;
    report::note_table(&prepared, format, console);

    let all: Vec<usize> = (0..prepared.num_rows()).collect();
    let (inner, outer) = prepared
        .split(&all, OUTER_FRACTION, settings.train.seed)
        .with_context(|| format!("{}: a fifth of the rows is to be kept", prepared.table.name()))?;
    let (inner, outer) = (prepared.part(&inner)?, prepared.part(&outer)?);
    let given = options.given()?;
    let is_given = |option: &str| given.iter().any(|name| name == option);
    let space = Space::new(&settings, &prepared.schema, is_given).map_err(explain)?;
    let backend = args.backend.map_or_else(BackendName::preferred, Ok)?;
    let job = Tune {
        args,
        deadline,
        read,
        settings,
        inner,
        outer,
        valid,
        space,
        journal,
        backend,
        console,
    };
    backend::run(Some(backend), job)?
}

/// Errors of a search as the user knows its options.
fn explain(error: TuneError) -> anyhow::Error {
    match error {
        TuneError::Tabular(error) => as_usage(error),
        TuneError::NoValidation => UsageError::new(
            "a search compares trials on validation rows, and there are none: `valid_fraction` is 0"
                .to_owned(),
        )
        .into(),
        TuneError::NothingToSearch { .. } => UsageError::new(error.to_string()).into(),
        TuneError::JournalDiffers { .. } => {
            let other = "another `--journal` or `--output` begins anew";
            UsageError::new(format!("{error}; {other}")).into()
        }
        error => error.into(),
    }
}

struct Tune {
    args: Args,
    deadline: Option<Instant>,
    read: ReadOptions,
    settings: Settings,
    inner: Prepared,
    outer: Prepared,
    valid: Option<Table>,
    space: Space,
    journal: PathBuf,
    backend: BackendName,
    console: Console,
}

impl Job for Tune {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Self { args, settings, space, console, .. } = &self;
        let (total, validation) = (args.trials as usize, self.validation());
        let what = Search {
            prepared: &self.inner,
            base: settings,
            validation,
            space,
            backend: self.backend.as_str(),
        };
        let searched = self.searched(&what)?;
        let distance = args.jobs.map_or(DISTANCE, |jobs| jobs.get().max(DISTANCE));
        let journal = Journal::open(&self.journal, &searched, space, distance).map_err(explain)?;
        if journal.num_trials() > 0 {
            let (over, path) = (journal.num_trials(), self.journal.display());
            console.note(format_args!("{path} holds {over} trials that are over"));
        }
        let interrupted = Arc::new(AtomicBool::new(false));
        on_signals(&interrupted)?;
        let limits = Limits {
            trials: total,
            jobs: args.jobs,
            deadline: self.deadline,
            interrupted: &interrupted,
        };
        let lowest = Mutex::new(f64::INFINITY);
        let done = |trial: &Trial| console.note(line(trial, &lowest));
        let found = search::<B>(what, limits, journal, &device, done).map_err(explain)?;
        let trials = &found.trials;
        if found.stopped == Stopped::Interrupted {
            return Err(self.interrupted(trials.len()));
        }
        let Some(best) = best(trials) else { bail!(self.nothing_found(trials.len())) };

        let settings_of = |trial: &Trial| space.apply(settings, &trial.values);
        let measure = |settings: &Settings, is_best| {
            let measured = self.measure::<B>(settings, is_best, &interrupted, &device);
            measured.map_err(|error| match error {
                TabularError::Train(TrainError::Ended) => self.interrupted(trials.len()),
                error => as_usage(error),
            })
        };
        let best_settings = settings_of(best);
        console.note(format_args!("training the best settings on {} rows", self.inner.num_rows()));
        let (manifest, assessment) = measure(&best_settings, true)?;
        let default = match best.trial {
            0 => None,
            _ => {
                console.note("training the default settings on the same rows");
                let (_, default) = measure(settings, false)?;
                let seed = settings.train.seed;
                let comparison = compare(&default.scores, &assessment.scores, seed);
                Some(Measured { evaluation: default.evaluation, comparison })
            }
        };
        let mut outcome = Outcome {
            file: self.inner.table.name(),
            trials,
            space,
            stopped: found.stopped,
            best,
            importance: importance(space, trials),
            inner_rows: self.inner.num_rows(),
            assessment: &assessment,
            default,
            wrote: vec![args.output.display().to_string()],
        };
        self.write_options(&best_settings, &outcome)?;
        if args.report.is_asked() {
            let page = self.page(&manifest, &outcome);
            outcome.wrote.extend(args.report.write_page(&page)?);
        }
        Ok(console.result(&outcome.json(), || outcome.text())?)
    }
}

impl Tune {
    fn validation(&self) -> Validation<'_> {
        self.valid.as_ref().map_or(Validation::HeldOut, Validation::Table)
    }

    /// What the journal holds trials of: options by their names, what is searched, the rows.
    fn searched(&self, what: &Search<'_>) -> anyhow::Result<Searched> {
        let options = serde_json::to_value(self.options(&self.settings))?;
        let Value::Object(mut searched) = options else { bail!("options are a table") };
        searched.retain(|_, value| !value.is_null());
        let settings = self.space.settings().iter();
        let settings = settings.map(|of| format!("{} {}", of.name.name(), of.range));
        searched.insert("searched".to_owned(), settings.collect::<Vec<_>>().join("; ").into());
        searched.insert("table".to_owned(), what.fingerprint().map_err(as_usage)?.into());
        Ok(searched)
    }

    fn options(&self, settings: &Settings) -> Options {
        let mut options = Options::from_settings(settings, &self.args.options);
        // With what flags say of the file, which are no options.
        (options.delimiter, options.header) =
            (self.read.delimiter.map(char::from), self.read.header);
        options
    }

    /// Trains on all rows that trials have seen, and measures on those that none has; the best settings with all
    /// that is to be said beside them.
    fn measure<B: TrainBackend>(
        &self,
        settings: &Settings,
        is_best: bool,
        interrupted: &AtomicBool,
        device: &B::Device,
    ) -> Result<(Manifest, Assessment), TabularError> {
        let (prepared, validation) = (&self.inner, self.validation());
        let mut progress = (!self.console.is_quiet())
            .then(|| ProgressBar::stderr().with_epoch_lines(self.console.is_verbose()));
        let observers: &mut [&mut dyn Observer] = &mut [&mut progress, &mut EndOn(interrupted)];
        let hooks = Hooks { observers, ..Hooks::default() };
        let (rows, backend) = ((0..prepared.num_rows()).collect::<Vec<_>>(), self.backend.as_str());
        let outcome = train::<B>(prepared, settings, &rows, validation, backend, device, hooks)?;
        let asked = Asked::Table(&self.outer.table);
        let on = is_best.then_some(TrainedOn { prepared, settings, validation });
        let in_detail = is_best && self.args.report.is_asked();
        let weight = settings.columns.weight.as_deref();
        let classifier = &outcome.classifier;
        let assessment = assess::<B>(classifier, asked, on, weight, in_detail, device)?;
        Ok((classifier.manifest().clone(), assessment))
    }

    fn write_options(&self, best: &Settings, outcome: &Outcome<'_>) -> anyhow::Result<()> {
        let options = toml::to_string(&self.options(best))?;
        let text = format!("{}{options}", outcome.comment());
        let output = &self.args.output;
        write_atomically(output, |to| to.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write {}", output.display()))
    }

    fn page(&self, manifest: &Manifest, outcome: &Outcome<'_>) -> kiln::report::Page {
        let rows = self.outer.num_rows();
        let stem = self.args.output.file_stem().unwrap_or_default();
        let about = About {
            title: stem.to_string_lossy().into_owned(),
            subtitle: format!(
                "The best settings of a search, measured on {rows} rows that no trial saw"
            ),
            warnings: advised(&self.inner.warnings).iter().map(ToString::to_string).collect(),
            ..About::model(manifest)
        };
        let mut page = outcome.assessment.page(&about);
        page.sections.push(section(&self.space, outcome.trials, &outcome.importance));
        page
    }

    fn interrupted(&self, over: usize) -> anyhow::Error {
        let (journal, total) = (self.journal.display(), self.args.trials);
        let end = match over {
            0 => String::new(),
            over => format!(", or ends it there with `--trials {over}`"),
        };
        Interrupted(format!(
            "interrupted after {over} of {total} trials, which {journal} holds; the same command goes on \
             with the search{end}"
        ))
        .into()
    }

    fn nothing_found(&self, over: usize) -> String {
        match over {
            0 => "no trial was over in time: the first trains the default settings to their end; \
                  expected a larger `--time-budget`"
                .to_owned(),
            over => format!(
                "{over} trials are over, and the loss of each diverged; see --learning-rate"
            ),
        }
    }
}

/// Ends a run when the flag is raised.
struct EndOn<'a>(&'a AtomicBool);

impl Observer for EndOn<'_> {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        match event {
            Event::Iteration { .. } if self.0.load(Ordering::Relaxed) => Err(TrainError::Ended),
            _ => Ok(()),
        }
    }
}

/// What a trial came to.
fn line(trial: &Trial, lowest: &Mutex<f64>) -> String {
    let number = trial.trial;
    let epochs = match trial.losses.len() {
        1 => "1 epoch".to_owned(),
        epochs => format!("{epochs} epochs"),
    };
    let loss = trial.loss.unwrap_or(f64::NAN);
    match trial.state {
        TrialState::Complete => {
            let mut lowest = lowest.lock().unwrap_or_else(PoisonError::into_inner);
            let best = if loss < *lowest { ", the best so far" } else { "" };
            *lowest = lowest.min(loss);
            format!("trial {number}: validation loss {loss:.4}, {epochs}{best}")
        }
        TrialState::Pruned => {
            format!("trial {number}: given up after {epochs} at {loss:.4}")
        }
        TrialState::Diverged => format!("trial {number}: diverged"),
    }
}
