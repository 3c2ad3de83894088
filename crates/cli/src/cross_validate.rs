use std::path::PathBuf;

use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    table::{Table, TableReader},
    tabular::{FoldResult, Folds, Prepared, Recipe, Settings, cross_validate},
    train::Metric,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    console::Console,
    options::{Options, ReadArgs, as_usage, read_config},
    report,
};

/// Train on all folds but one and measure on that one, for each fold in turn
///
/// No row that is measured has chosen anything: each run holds out its own validation rows from the
/// folds it trains on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// CSV, TSV or Parquet, perhaps compressed by gzip or zstd; `-` is stdin
    file: PathBuf,
    /// How many folds, each with its share of every class
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    folds: usize,
    /// The column that names the fold of each row; it is no feature
    #[arg(long, value_name = "COLUMN", conflicts_with = "folds")]
    fold_column: Option<String>,
    /// Read options from a TOML file; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// cuda, rocm, wgpu, flex or ndarray; without it the first of these that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    let mut options = args.options;
    if let Some(path) = &args.config {
        options = options.over(read_config(path)?)?;
    }
    if let Some(path) = &options.valid {
        anyhow::bail!(
            "cross-validation holds out its own validation rows, found the file {}",
            path.display()
        );
    }
    let reader = TableReader::open(&args.file, &options.read_options(&args.read)?)?;
    let format = *reader.format();
    let table = Table::from_reader(reader)?;
    if options.stream == Some(true) {
        anyhow::bail!("cross-validation keeps all rows in memory, found `stream`");
    }
    let recipe = Recipe::for_table(options.preset.unwrap_or_default(), &table);
    let mut settings = options.resolve(table.name(), table.columns(), recipe)?;
    settings.columns.fold = args.fold_column.clone();
    let prepared = Prepared::new(table, &settings)?;
    report::note_table(&prepared, format, console);
    let folds = match args.fold_column {
        Some(column) => Folds::Column(column),
        None => Folds::Random(args.folds),
    };
    let backend = args.backend.map_or_else(BackendName::preferred, Ok)?;
    backend::run(Some(backend), CrossValidate { prepared, settings, folds, backend, console })?
}

struct CrossValidate {
    prepared: Prepared,
    settings: Settings,
    folds: Folds,
    backend: BackendName,
    console: Console,
}

/// A metric over the folds.
#[derive(Serialize)]
struct Spread {
    mean: f64,
    /// Sample standard deviation over the folds that have the metric; 0 for one fold.
    std: f64,
    folds: Vec<Option<f64>>,
}

#[derive(Serialize)]
struct Report {
    file: String,
    classes: Vec<String>,
    folds: Vec<Fold>,
    metrics: Map<String, Value>,
}

#[derive(Serialize)]
struct Fold {
    fold: String,
    train_rows: usize,
    rows: usize,
}

impl Job for CrossValidate {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Self { prepared, settings, folds, backend, console } = self;
        let say = |result: &FoldResult| {
            let FoldResult { fold, evaluation, .. } = result;
            let (accuracy, log_loss) = (evaluation.accuracy, evaluation.log_loss);
            console.note(format_args!(
                "fold {fold}: accuracy {accuracy:.4}, log loss {log_loss:.4} on {} rows",
                evaluation.rows
            ));
        };
        let results =
            cross_validate::<B>(&prepared, &settings, &folds, backend.as_str(), &device, say)
                .map_err(as_usage)?;

        let spreads = spreads(&results);
        let mut metrics = Map::new();
        for (name, spread) in &spreads {
            metrics.insert((*name).to_owned(), serde_json::to_value(spread)?);
        }
        let fold = |result: &FoldResult| Fold {
            fold: result.fold.clone(),
            train_rows: result.train_rows,
            rows: result.evaluation.rows,
        };
        let report = Report {
            file: prepared.table.name().to_owned(),
            classes: prepared.encoder.classes().to_vec(),
            folds: results.iter().map(fold).collect(),
            metrics,
        };
        Ok(console.result(&report, || {
            let mut text = format!("{} folds, mean and standard deviation:\n", results.len());
            for (name, Spread { mean, std, .. }) in &spreads {
                text += &format!("  {name:<18} {mean:>8.4} ± {std:.4}\n");
            }
            text
        })?)
    }
}

/// Each metric that some fold has: its mean and spread over those folds.
fn spreads(results: &[FoldResult]) -> Vec<(&'static str, Spread)> {
    let spread = |metric: Metric| {
        let folds: Vec<Option<f64>> =
            results.iter().map(|result| metric.of(&result.evaluation)).collect();
        let values: Vec<f64> = folds.iter().flatten().copied().collect();
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let std = (squares / (values.len() as f64 - 1.0).max(1.0)).sqrt();
        Some((metric.name(), Spread { mean, std, folds }))
    };
    Metric::ALL.into_iter().filter_map(spread).collect()
}
