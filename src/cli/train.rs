use std::path::{Path, PathBuf};

use anyhow::Context;
use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    data::{Table, TableReader, Trap},
    store::check_writable,
    tabular::{Prepared, Settings, Validation, train},
    train::{Checkpoints, Evaluation, HistoryFile, Hooks, Observer, ProgressBar},
};
use serde::Serialize;

use super::{
    checkpoints::{Begun, CheckpointArgs, explain},
    console::{Console, print},
    options::{Options, ReadArgs, read_config},
    output::refuse_overwriting,
    report,
};

/// Train a classifier on a CSV, TSV or Parquet file
///
/// Holds out validation rows, fits the preprocessing on the others, trains until the validation loss
/// no longer falls, and writes one file that holds the network, the preprocessing and the classes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// CSV, TSV or Parquet, perhaps compressed by gzip or zstd; `-` is stdin
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,
    /// The model file to write
    #[arg(short, long, value_name = "MODEL", required_unless_present_any = ["print_config", "resume"])]
    output: Option<PathBuf>,
    /// Read options from a TOML file; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print all options, defaults filled in, as TOML for `--config`, and end there
    #[arg(long)]
    print_config: bool,
    /// Write one row per epoch to this file: JSON lines if it ends in .jsonl, else CSV
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// cuda, rocm, wgpu, flex or ndarray; without it the first of these that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    checkpoints: CheckpointArgs,
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    let Args { mut file, mut output, mut history, backend, mut options, .. } = args;
    if let Some(path) = &args.config {
        options = options.over(read_config(path)?)?;
    }
    let mut begun_backend = None;
    let (resumed, begun) = match args.checkpoints.resume(console)? {
        Some((checkpoints, begun)) => {
            let Begun { file: of, output: to, history: rows, backend, options: all } = begun;
            if file.is_none() && of == Path::new("-") {
                anyhow::bail!(
                    "the run began with a table from standard input, which is to be given again: \
                     `kiln train - --resume {} < FILE`",
                    checkpoints.folder().display()
                );
            }
            (file, output) = (file.or(Some(of)), output.or(Some(to)));
            history = history.or(rows);
            begun_backend = Some(backend.parse()?);
            options = options.over(all.clone())?;
            (Some(checkpoints), Some(all))
        }
        None => (None, None),
    };
    let file = file.expect("clap asks for it");
    let read = options.read_options(&args.read)?;
    let reader = TableReader::open(&file, &read)?;
    let format = *reader.format();
    let table = Table::from_reader(reader)?;
    let settings = options.resolve(&table)?;
    let mut resolved = Options::from_settings(&settings, &options);
    if args.print_config {
        return Ok(print(&toml::to_string(&resolved)?)?);
    }
    // With what flags say of the file, which are no options.
    (resolved.delimiter, resolved.header) = (read.delimiter.map(char::from), read.header);
    if let Some(begun) = &begun {
        resolved.check_same(begun)?;
    }
    let output = output.expect("clap asks for it");
    // Before the work, whose result would be lost.
    check_writable(&output).with_context(|| format!("cannot write {}", output.display()))?;
    let others = [Some(&file), options.valid.as_ref(), history.as_ref()];
    refuse_overwriting(&output, others.into_iter().flatten())?;
    if let Some(history) = &history {
        let inputs = [Some(&file), options.valid.as_ref()];
        refuse_overwriting(history, inputs.into_iter().flatten())?;
    }
    let valid = match &options.valid {
        Some(path) => Some(Table::read(path, &read)?),
        None => None,
    };
    let prepared = Prepared::new(table, &settings)?;
    report::note_table(&prepared, format, console);
    let backend = backend.or(begun_backend).map_or_else(BackendName::preferred, Ok)?;
    let begun = Begun::new(&file, &output, history.as_deref(), backend.as_str(), resolved)?;
    let checkpoints = args.checkpoints.ready(resumed, &begun)?;
    let history = history.map(HistoryFile::create).transpose()?;
    let job = Train { prepared, settings, valid, output, history, checkpoints, backend, console };
    backend::run(Some(backend), job)?
}

struct Train {
    prepared: Prepared,
    settings: Settings,
    valid: Option<Table>,
    output: PathBuf,
    history: Option<HistoryFile>,
    checkpoints: Option<Checkpoints>,
    backend: BackendName,
    console: Console,
}

impl Job for Train {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(mut self, device: B::Device) -> Self::Output {
        let console = self.console;
        let mut progress = (!console.is_quiet())
            .then(|| ProgressBar::stderr().with_epoch_lines(console.is_verbose()));
        let observers: &mut [&mut dyn Observer] = &mut [&mut progress, &mut self.history];
        let rows: Vec<usize> = (0..self.prepared.num_rows()).collect();
        let validation = match &self.valid {
            Some(table) => Validation::Table(table),
            None => Validation::HeldOut,
        };
        let outcome = train::<B>(
            &self.prepared,
            &self.settings,
            &rows,
            validation,
            self.backend.as_str(),
            &device,
            Hooks { observers, checkpoints: self.checkpoints.as_mut() },
        )
        .map_err(|error| explain(error, self.checkpoints.as_ref().map(Checkpoints::folder)))?;
        outcome.classifier.save(&self.output)?;

        let manifest = outcome.classifier.manifest();
        let summary = Summary {
            model: self.output.display().to_string(),
            task: &manifest.task,
            classes: manifest.target.classes(),
            features: manifest.preprocessor.feature_names().len(),
            parameters: manifest.network.num_parameters(),
            train_rows: outcome.train_rows,
            valid_rows: manifest.training.valid_rows,
            epochs: outcome.history.len(),
            kept_epoch: outcome.kept_epoch,
            traps: &self.prepared.traps,
            valid: outcome.valid.as_ref(),
        };
        Ok(console.result(&summary, || summary.text())?)
    }
}

/// What training has to say.
#[derive(Serialize)]
struct Summary<'a> {
    model: String,
    task: &'a kiln::model::Task,
    classes: &'a [String],
    features: usize,
    parameters: usize,
    train_rows: usize,
    valid_rows: usize,
    epochs: usize,
    kept_epoch: usize,
    traps: &'a [Trap],
    valid: Option<&'a Evaluation>,
}

impl Summary<'_> {
    fn text(&self) -> String {
        let Self { model, features, parameters, train_rows, epochs, kept_epoch, .. } = self;
        let mut text = format!(
            "trained on {train_rows} rows, {features} feature{}, {parameters} parameters; \
             {epochs} epoch{}, the weights are those of epoch {kept_epoch}\n",
            plural(*features),
            plural(*epochs)
        );
        if let Some(valid) = self.valid {
            text += &format!(
                "on {} validation rows (which chose the epoch, so a little optimistic):\n{}",
                self.valid_rows,
                report::metrics(valid)
            );
        }
        text + &format!("wrote {model}\n")
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
