use std::path::{Path, PathBuf};

use anyhow::Context;
use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    classifier::{Classifier, Manifest},
    table::{ReadOptions, Table},
    tabular::assessment::{About, Assessment},
    tabular::{Asked, Prepared, Settings, TrainedOn, Validation, assess},
};
use serde::{Deserialize, Serialize};

use crate::{console::Console, options::ReadArgs, report, run_files::ReportArgs};

/// Measure a classifier on rows whose classes are known
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model file that `kiln train` wrote
    model: PathBuf,
    /// CSV, TSV or Parquet with the columns of the training file, target included; `-` is stdin
    file: PathBuf,
    /// The file that the model was trained on: a logistic regression is trained on the same rows, for
    /// comparison, and rows that stand in both files are counted
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// The column of row weights, which count in the loss
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// cuda, rocm, wgpu, flex or ndarray; without it the first of these that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    read: ReadArgs,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    let inputs = [Some(&args.model), Some(&args.file), args.train.as_ref()];
    args.report.check(inputs.into_iter().flatten())?;
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
    #[serde(flatten)]
    assessment: &'a Assessment,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wrote: Vec<String>,
}

impl Job for Evaluate {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Self { args, console } = self;
        let classifier = Classifier::<B::InnerBackend>::load(&args.model, &device)?;
        let read = args.read.options();
        let table = Table::read(&args.file, &read)?;
        let trained_on = match &args.train {
            Some(path) => Some(trained_on(classifier.manifest(), path, &read)?),
            None => None,
        };
        let trained_on = trained_on.as_ref().map(|(prepared, settings)| TrainedOn {
            prepared,
            settings,
            validation: Validation::HeldOut,
        });
        let (asked, weight) = (Asked::Table(&table), args.weight.as_deref());
        let in_detail = args.report.is_asked();
        let assessment = assess::<B>(&classifier, asked, trained_on, weight, in_detail, &device)?;
        let about = About {
            title: args.model.display().to_string(),
            subtitle: format!("Measured on {} rows of {}", assessment.scores.rows(), table.name()),
            ..About::model(classifier.manifest())
        };
        let result = Report {
            model: args.model.display().to_string(),
            file: args.file.display().to_string(),
            wrote: args.report.write(&assessment, &about)?,
            assessment: &assessment,
        };
        Ok(console.result(&result, || {
            let rows = assessment.scores.rows();
            let mut text =
                format!("{}: {rows} rows\n{}", result.file, report::assessment(&assessment));
            text += &report::confusion(&assessment.evaluation, &assessment.classes);
            for path in &result.wrote {
                text += &format!("wrote {path}\n");
            }
            text
        })?)
    }
}

/// The table that a model was trained on, understood as it was then.
fn trained_on(
    manifest: &Manifest,
    path: &Path,
    read: &ReadOptions,
) -> anyhow::Result<(Prepared, Settings)> {
    let settings = Settings::deserialize(&manifest.training.config)
        .context("the model file does not say how it was trained")?;
    if settings.streamed {
        anyhow::bail!(
            "the model was trained on streamed rows, which are not compared with: leave out --train"
        );
    }
    let table = Table::read(path, read)?;
    Ok((Prepared::new(table, &settings)?, settings))
}
