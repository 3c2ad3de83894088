use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    model::Normalization,
    table::{Format, Scanned, Table, TableFile, TableReader, Warning},
    tabular::assessment::About,
    tabular::{
        Asked, Prepared, Preset, Recipe, Settings, TrainedOn, Validation, assess, scan_file, train,
        train_streamed,
    },
    tabular::{HyperParameter, TensorBoard},
    train::{Checkpoints, HistoryFile, Hooks, Observer, ProgressBar, Scores},
};

use crate::{
    advice::advised,
    checkpoints::{Begun, CheckpointArgs, explain},
    console::{Console, print},
    options::{Options, ReadArgs, read_config},
    processes::{Process, ProcessArgs},
    report,
    run_files::RunFiles,
    summary::{Measured, Summary, validation_rows},
};

/// Train a classifier on a CSV, TSV or Parquet file
///
/// Deals the rows over folds, trains several networks that leave out one fold each, keeps the epoch that is best
/// on what they left out, and writes one file that holds the networks, the preprocessing and the classes. See
/// --preset for other ways.
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
    processes: ProcessArgs,
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    args.checkpoints.check(args.file.is_some() && args.output.is_some(), args.config.is_some())?;
    let processes = args.processes;
    processes.run(console, |process, console| train_in(args, process, console))
}

/// In one process, perhaps of several.
fn train_in(args: Args, process: Process<'_>, console: Console) -> anyhow::Result<()> {
    let Args { mut file, mut output, mut files, backend, mut options, .. } = args;
    if let Some(path) = &args.config {
        options = options.over(read_config(path)?)?;
    }
    let mut begun_backend = None;
    let (resumed, begun) = args.checkpoints.resume(process, console)?;
    let begun = match begun {
        Some(begun) => {
            let Begun { file: of, output: to, files: others, backend, options: all } = begun;
            if file.is_none() && of == Path::new("-") {
                anyhow::bail!(
                    "the run began with a table from standard input, which is to be given again: \
                     `kiln train - --resume {} < FILE`",
                    args.checkpoints.folder().unwrap_or(Path::new("DIR")).display()
                );
            }
            (file, output) = (file.or(Some(of)), output.or(Some(to)));
            files = files.or(others);
            begun_backend = Some(backend.parse()?);
            options = options.over(all.clone())?;
            Some(all)
        }
        None => None,
    };
    let file = file.expect("clap asks for it");
    if process.is_one_of_several() && file == Path::new("-") {
        anyhow::bail!("- is standard input, which one rank only can read; expected a file");
    }
    let read = options.read_options(&args.read)?;
    let source = match options.stream {
        Some(true) => Source::File(TableFile::open(&file, &read)?),
        _ => {
            let reader = TableReader::open(&file, &read)?;
            Source::Table(*reader.format(), Table::from_reader(reader)?)
        }
    };
    let (name, columns, recipe) = source.facts(options.preset.unwrap_or_default(), &process)?;
    let settings = options.resolve(name, columns, recipe)?;
    let mut resolved = Options::from_settings(&settings, &options);
    if args.print_config {
        return Ok(print(&toml::to_string(&resolved)?)?);
    }
    // With what flags say of the file, which are no options.
    (resolved.delimiter, resolved.header) = (read.delimiter.map(char::from), read.header);
    if let Some(begun) = &begun {
        resolved.check_same(begun)?;
    }
    if process.is_one_of_several() && settings.network.normalization == Normalization::Batch {
        console.warn(
            "batch normalization takes mean and variance over the rows of one process: what is trained \
             depends on how many there are",
        );
    }
    let output = output.expect("clap asks for it");
    let inputs: Vec<&PathBuf> = std::iter::once(&file).chain(&options.valid).collect();
    if process.is_first() {
        files.check(&output, &inputs)?;
    } else {
        // Rank 0 writes them all, and measures.
        files = RunFiles::default();
    }
    let table_of =
        |path: &Option<PathBuf>| path.as_ref().map(|path| Table::read(path, &read)).transpose();
    let (valid, test) = (table_of(&options.valid)?, table_of(&files.test)?);
    let rows = source.understand(&settings, valid.as_ref(), console)?;
    let backend = backend.or(begun_backend).map_or_else(BackendName::preferred, Ok)?;
    let begun = Begun::new(&file, &output, &files, backend.as_str(), resolved)?;
    let checkpoints = args.checkpoints.ready(process, resumed, &begun)?;
    let tensorboard = match &files.tensorboard {
        Some(folder) => Some(
            TensorBoard::create(folder, rows.classes().to_vec())?
                .with_hyperparameters(hyperparameters(&begun.options)?)
                .with_histograms_every(args.histograms_every.map(NonZeroUsize::get)),
        ),
        None => None,
    };
    let history = files.history.as_ref().map(HistoryFile::create).transpose()?;
    let job = Train {
        rows,
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
        process,
    };
    backend::run_on(Some(backend), process.of_machine(), job)?
}

/// The file of rows to train on.
enum Source {
    Table(Format, Table),
    File(TableFile),
}

/// The rows to train on, understood.
enum Rows {
    Memory(Prepared),
    Streamed(Scanned),
}

impl Source {
    /// Name, columns, and the recipe for so many rows.
    fn facts(
        &self,
        preset: Preset,
        process: &Process<'_>,
    ) -> anyhow::Result<(&str, &[String], Recipe)> {
        Ok(match self {
            Self::Table(_, table) => {
                let recipe = Recipe::for_table(preset, table);
                // However many there are, that the result is the same.
                let recipe = match process.ranks() {
                    Some(_) => recipe.with_one_network(),
                    None => recipe,
                };
                (table.name(), table.columns(), recipe)
            }
            Self::File(file) => {
                let columns = file.columns();
                let recipe = Recipe::streamed(preset, file.estimated_rows()?, columns.len());
                (file.name(), columns, recipe)
            }
        })
    }

    fn understand(
        self,
        settings: &Settings,
        valid: Option<&Table>,
        console: Console,
    ) -> anyhow::Result<Rows> {
        Ok(match self {
            Self::Table(format, table) => {
                let prepared = Prepared::new(table, settings)?;
                report::note_table(&prepared, format, console);
                Rows::Memory(prepared)
            }
            Self::File(file) => {
                let (name, format) = (file.name(), *file.format());
                console.note(format_args!("reading {name} once, to find what is in it"));
                let scanned = scan_file(file, settings, validation(valid))?;
                report::note_table(&scanned, format, console);
                Rows::Streamed(scanned)
            }
        })
    }
}

impl Rows {
    fn classes(&self) -> &[String] {
        match self {
            Self::Memory(prepared) => prepared.encoder.classes(),
            Self::Streamed(scanned) => scanned.encoder.classes(),
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        match self {
            Self::Memory(prepared) => advised(&prepared.warnings),
            Self::Streamed(scanned) => advised(&scanned.warnings),
        }
    }
}

fn validation(valid: Option<&Table>) -> Validation<'_> {
    valid.map_or(Validation::HeldOut, Validation::Table)
}

struct Train<'a> {
    rows: Rows,
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
    process: Process<'a>,
}

impl Job for Train<'_> {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(mut self, device: B::Device) -> Self::Output {
        let console = self.console;
        let mut progress = (!console.is_quiet())
            .then(|| ProgressBar::stderr().with_epoch_lines(console.is_verbose()));
        let observers: &mut [&mut dyn Observer] =
            &mut [&mut progress, &mut self.history, &mut self.tensorboard];
        let validation = validation(self.valid.as_ref());
        let (settings, backend) = (&self.settings, self.backend.as_str());
        let (checkpoints, ranks) = (self.checkpoints.as_mut(), self.process.ranks());
        let hooks = Hooks { observers, checkpoints, ranks };
        let outcome = match &self.rows {
            Rows::Memory(prepared) => {
                let rows: Vec<usize> = (0..prepared.num_rows()).collect();
                train::<B>(prepared, settings, &rows, validation, backend, &device, hooks)
            }
            Rows::Streamed(scanned) => {
                train_streamed::<B>(scanned, settings, validation, backend, &device, hooks)
            }
        };
        let outcome = outcome
            .map_err(|error| explain(error, self.checkpoints.as_ref().map(Checkpoints::folder)))?;
        if !self.process.is_first() {
            return Ok(());
        }
        outcome.classifier.save(&self.output)?;

        let (asked, about_rows) = match (&self.test, &self.valid, &outcome.valid) {
            (Some(test), ..) => (Some(Asked::Table(test)), "test rows"),
            (None, Some(valid), _) => (Some(Asked::Table(valid)), validation_rows(0)),
            (None, None, Some(_)) => {
                let held_out = match &self.rows {
                    Rows::Memory(_) => Some(Asked::HeldOut),
                    Rows::Streamed(scanned) => scanned.held_out.as_ref().map(Asked::Table),
                };
                let bag_folds = outcome.classifier.manifest().training.bag_folds;
                (held_out, validation_rows(bag_folds))
            }
            (None, None, None) => (None, ""),
        };
        // Beside streamed rows there is no second training.
        let trained_on = match &self.rows {
            Rows::Memory(prepared) => Some(TrainedOn { prepared, settings, validation }),
            Rows::Streamed(_) => None,
        };
        let weight = self.settings.columns.weight.as_deref();
        let in_detail = self.files.report.is_asked();
        let assess = |asked| {
            let classifier = &outcome.classifier;
            assess::<B>(classifier, asked, trained_on, weight, in_detail, &device)
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
                    warnings: self.rows.warnings().iter().map(Warning::to_string).collect(),
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
            parameters: manifest.num_parameters(),
            members: manifest.members,
            bag_folds: manifest.training.bag_folds,
            train_rows: outcome.train_rows,
            valid_rows: manifest.training.valid_rows,
            epochs: outcome.history.len(),
            kept_epoch: outcome.kept_epoch,
            warnings: self.rows.warnings(),
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
