use std::path::PathBuf;

use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    classifier::Classifier,
    data::Table,
    tabular::evaluate,
    train::Evaluation,
};
use serde::Serialize;

use super::{
    console::Console,
    options::ReadArgs,
    report::{self, metrics},
};

/// Measure a classifier on rows whose classes are known
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model file that `kiln train` wrote
    model: PathBuf,
    /// CSV, TSV or Parquet with the columns of the training file, target included; `-` is stdin
    file: PathBuf,
    /// The column of row weights, which count in the loss
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// cuda, rocm, wgpu, flex or ndarray; without it the first of these that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
    #[command(flatten)]
    read: ReadArgs,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    backend::run(args.backend, Evaluate { args, console })?
}

struct Evaluate {
    args: Args,
    console: Console,
}

#[derive(Serialize)]
struct Report<'a> {
    model: String,
    file: String,
    classes: &'a [String],
    #[serde(flatten)]
    evaluation: &'a Evaluation,
}

impl Job for Evaluate {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Self { args, console } = self;
        let classifier = Classifier::<B::InnerBackend>::load(&args.model, &device)?;
        let table = Table::read(&args.file, &args.read.options())?;
        let evaluation = evaluate(&classifier, &table, args.weight.as_deref(), &device)?;
        let result = Report {
            model: args.model.display().to_string(),
            file: args.file.display().to_string(),
            classes: classifier.manifest().target.classes(),
            evaluation: &evaluation,
        };
        Ok(console.result(&result, || {
            let rows = evaluation.rows;
            let text = format!("{}: {rows} rows\n{}", result.file, metrics(&evaluation));
            text + &report::confusion(&evaluation, classifier.manifest().target.classes())
        })?)
    }
}
