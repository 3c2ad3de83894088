use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use kiln::{
    HyperParameter, TensorBoard,
    assessment::About,
    backend::{self, BackendName, Job, TrainBackend},
    data::{Table, TableReader, Trap},
    tabular::{Asked, Prepared, Settings, TrainedOn, Validation, assess, train},
    train::{Checkpoints, HistoryFile, Hooks, Observer, ProgressBar, Scores},
};

use super::{
    checkpoints::{Begun, CheckpointArgs, explain},
    console::{Console, print},
    options::{Options, ReadArgs, read_config},
    outputs::RunFiles,
    report,
    summary::{Measured, Summary, VALIDATION_ROWS},
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
    /// Histograms for TensorBoard after every so many epochs [default: as often as 1 % of the time allows]
    #[arg(long, value_name = "EPOCHS", requires = "tensorboard")]
    histograms_every: Option<NonZeroUsize>,
    /// cuda, rocm, wgpu, flex or ndarray; without it the first of these that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
    #[command(flatten)]
    files: RunFiles,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    checkpoints: CheckpointArgs,
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    let Args { mut file, mut output, mut files, backend, mut options, .. } = args;
    if let Some(path) = &args.config {
        options = options.over(read_config(path)?)?;
    }
    let mut begun_backend = None;
    let (resumed, begun) = match args.checkpoints.resume(console)? {
        Some((checkpoints, begun)) => {
            let Begun { file: of, output: to, files: others, backend, options: all } = begun;
            if file.is_none() && of == Path::new("-") {
                anyhow::bail!(
                    "the run began with a table from standard input, which is to be given again: \
                     `kiln train - --resume {} < FILE`",
                    checkpoints.folder().display()
                );
            }
            (file, output) = (file.or(Some(of)), output.or(Some(to)));
            files = files.or(others);
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
    let inputs: Vec<&PathBuf> = std::iter::once(&file).chain(&options.valid).collect();
    files.check(&output, &inputs)?;
    let table_of =
        |path: &Option<PathBuf>| path.as_ref().map(|path| Table::read(path, &read)).transpose();
    let (valid, test) = (table_of(&options.valid)?, table_of(&files.test)?);
    let prepared = Prepared::new(table, &settings)?;
    report::note_table(&prepared, format, console);
    let backend = backend.or(begun_backend).map_or_else(BackendName::preferred, Ok)?;
    let begun = Begun::new(&file, &output, &files, backend.as_str(), resolved)?;
    let checkpoints = args.checkpoints.ready(resumed, &begun)?;
    let tensorboard = match &files.tensorboard {
        Some(folder) => Some(
            TensorBoard::create(folder, prepared.encoder.classes().to_vec())?
                .with_hyperparameters(hyperparameters(&begun.options)?)
                .with_histograms_every(args.histograms_every.map(NonZeroUsize::get)),
        ),
        None => None,
    };
    let history = files.history.as_ref().map(HistoryFile::create).transpose()?;
    let job = Train {
        prepared,
        settings,
        valid,
        test,
        output,
        files,
        history,
        tensorboard,
        checkpoints,
        backend,
        console,
    };
    backend::run(Some(backend), job)?
}

struct Train {
    prepared: Prepared,
    settings: Settings,
    valid: Option<Table>,
    test: Option<Table>,
    output: PathBuf,
    files: RunFiles,
    history: Option<HistoryFile>,
    tensorboard: Option<TensorBoard>,
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
        let observers: &mut [&mut dyn Observer] =
            &mut [&mut progress, &mut self.history, &mut self.tensorboard];
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

        let (asked, about_rows) = match (&self.test, &self.valid, &outcome.valid) {
            (Some(test), ..) => (Some(Asked::Table(test)), "test rows"),
            (None, Some(valid), _) => (Some(Asked::Table(valid)), VALIDATION_ROWS),
            (None, None, Some(_)) => (Some(Asked::HeldOut), VALIDATION_ROWS),
            (None, None, None) => (None, ""),
        };
        let trained_on =
            TrainedOn { prepared: &self.prepared, settings: &self.settings, validation };
        let weight = self.settings.columns.weight.as_deref();
        let in_detail = self.files.report.is_asked();
        let assess = |asked| {
            let classifier = &outcome.classifier;
            assess::<B>(classifier, asked, Some(trained_on), weight, in_detail, &device)
        };
        let assessment = asked.map(assess).transpose()?;
        let manifest = outcome.classifier.manifest();
        let mut wrote = vec![self.output.display().to_string()];
        let others = [&self.files.history, &self.files.tensorboard];
        wrote.extend(others.into_iter().flatten().map(|path| path.display().to_string()));
        match &assessment {
            Some(assessment) => {
                let rows = assessment.scores.rows();
                let about = About {
                    title: file_stem(&self.output),
                    subtitle: format!("Measured on {rows} {about_rows}"),
                    warnings: self.prepared.traps.iter().map(Trap::to_string).collect(),
                    ..About::model(manifest)
                };
                wrote.extend(self.files.report.write(assessment, &about)?);
            }
            None if in_detail => console.warn(
                "there is no report: it needs validation rows, or test rows (--test), to measure on",
            ),
            None => {}
        }
        let valid = outcome.valid.as_ref().map(Scores::evaluation);
        let summary = Summary {
            model: self.output.display().to_string(),
            task: &manifest.task,
            classes: manifest.target.classes(),
            features: manifest.preprocessor.feature_names().len(),
            parameters: manifest.network.num_parameters(),
            train_rows: outcome.train_rows.len(),
            valid_rows: manifest.training.valid_rows,
            epochs: outcome.history.len(),
            kept_epoch: outcome.kept_epoch,
            traps: &self.prepared.traps,
            temperature: manifest.temperature,
            threshold: manifest.threshold,
            valid: match (&self.test, &assessment, &valid) {
                (None, Some(assessment), _) => Some(Measured::Assessed(assessment)),
                (_, _, valid) => valid.as_ref().map(Measured::Evaluated),
            },
            test: self.test.as_ref().and(assessment.as_ref()),
            wrote,
        };
        Ok(console.result(&summary, || summary.text())?)
    }
}

/// The options of a run, as numbers, texts and flags.
fn hyperparameters(options: &Options) -> anyhow::Result<Vec<(String, HyperParameter)>> {
    let value = |value: toml::Value| match value {
        toml::Value::Integer(value) => HyperParameter::Number(value as f64),
        toml::Value::Float(value) => HyperParameter::Number(value),
        toml::Value::Boolean(value) => HyperParameter::Flag(value),
        toml::Value::String(text) => HyperParameter::Text(text),
        other => HyperParameter::Text(other.to_string()),
    };
    let options = toml::Table::try_from(options)?;
    Ok(options.into_iter().map(|(name, of)| (name, value(of))).collect())
}

/// The name of a file without its folder and ending.
fn file_stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}
