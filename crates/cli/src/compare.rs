use std::path::PathBuf;

use anyhow::bail;
use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    classifier::Classifier,
    table::Table,
    tabular::assessment::{Run, Runs},
    tabular::{Asked, assess},
    train::{Comparison, Metric},
};
use serde::Serialize;

use crate::{console::Console, options::ReadArgs, report::aligned, run_files::ReportArgs};

/// Put several runs side by side: what they were told, how they were trained, how good they are
///
/// With a file of rows, all are asked about them, and each is tested against the first; else each stands
/// with its own validation rows.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model files that `kiln train` wrote; the first is what the others are compared with
    #[arg(required = true, num_args = 2.., value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// CSV, TSV or Parquet with the columns of all training files, target included
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// cuda, rocm, wgpu, flex or ndarray; without it the first of these that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    read: ReadArgs,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    args.report.check(args.models.iter().chain(&args.data))?;
    backend::run(args.backend, Compare { args, console })?
}

struct Compare {
    args: Args,
    console: Console,
}

/// One run, as JSON.
#[derive(Serialize)]
struct Entry<'a> {
    model: &'a str,
    metrics: std::collections::BTreeMap<&'static str, f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intervals: Option<&'a kiln::train::Intervals>,
    /// Beside the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<&'a Comparison>,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    runs: Vec<Entry<'a>>,
    differences: std::collections::BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wrote: Vec<String>,
}

impl Job for Compare {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Self { args, console } = self;
        let read = args.read.options();
        let table = args.data.as_ref().map(|path| Table::read(path, &read)).transpose()?;
        let mut runs: Vec<Run> = Vec::new();
        for path in &args.models {
            let classifier = Classifier::<B::InnerBackend>::load(path, &device)?;
            let assessment = match &table {
                Some(table) => {
                    let asked = Asked::Table(table);
                    Some(assess::<B>(&classifier, asked, None, None, false, &device)?)
                }
                None => None,
            };
            let (name, manifest) = (path.display().to_string(), classifier.manifest().clone());
            runs.push(Run { name, manifest, assessment });
        }
        check_same(&runs)?;
        let runs = Runs::new(runs, 0);
        let rows = match (&table, runs.runs()[0].assessment.as_ref()) {
            (Some(table), Some(first)) => {
                format!("on the same {} rows of {}", first.scores.rows(), table.name())
            }
            _ => "each on its own validation rows (--data asks all about the same ones)".to_owned(),
        };
        let differences = runs.differences();
        let report = Report {
            data: args.data.as_ref().map(|path| path.display().to_string()),
            runs: (0..args.models.len()).map(|run| entry(&runs, run)).collect(),
            wrote: args.report.write_page(&runs.page(&capital(&rows)))?,
            differences: differences.iter().cloned().collect(),
        };
        Ok(console.result(&report, || text(&runs, &rows, &differences, &report.wrote))?)
    }
}

/// Only runs that tell the same classes apart can be asked the same.
fn check_same(runs: &[Run]) -> anyhow::Result<()> {
    let (first, others) = runs.split_first().expect("clap asks for two");
    for other in others {
        let classes = |run: &Run| run.manifest.target.classes().join(", ");
        if classes(first) != classes(other) || first.manifest.task != other.manifest.task {
            bail!(
                "{} tells apart {}, expected the classes of {}: {}",
                other.name,
                classes(other),
                first.name,
                classes(first)
            );
        }
        if let (Some(one), Some(two)) = (&first.assessment, &other.assessment)
            && one.scores.actual() != two.scores.actual()
        {
            bail!(
                "{} takes other rows of the file for missing a target than {} does, so that they can't \
                 be compared row by row",
                other.name,
                first.name
            );
        }
    }
    Ok(())
}

fn entry(runs: &Runs, run: usize) -> Entry<'_> {
    let value = |metric: Metric| Some((metric.name(), runs.metric(run, metric)?));
    Entry {
        model: &runs.runs()[run].name,
        metrics: Metric::ALL.into_iter().filter_map(value).collect(),
        intervals: runs.runs()[run].assessment.as_ref().map(|of| &of.intervals),
        comparison: run.checked_sub(1).and_then(|other| runs.comparisons().get(other)),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Metrics, differences of pairs, and what the runs were told; runs by number, so that it fits.
fn text(
    runs: &Runs,
    rows: &str,
    differences: &[(String, Vec<String>)],
    wrote: &[String],
) -> String {
    let count = runs.runs().len();
    let mut text = String::new();
    for (number, run) in (1..).zip(runs.runs()) {
        text += &format!("{number}: {}\n", run.name);
    }
    let head = |first: &str| {
        let numbers = (1..=count).map(|number| number.to_string());
        std::iter::once(first.to_owned()).chain(numbers).collect::<Vec<String>>()
    };
    let mut lines = vec![head("")];
    for metric in Metric::ALL {
        let values = (0..count).map(|run| runs.metric(run, metric));
        let values =
            values.map(|value| value.map_or("-".to_owned(), |value| format!("{value:.4}")));
        lines.push(std::iter::once(metric.name().to_owned()).chain(values).collect());
    }
    text += &format!("\n{rows}:\n{}", aligned(&lines));
    for (number, comparison) in (2..).zip(runs.comparisons()) {
        text += &format!("\n{number} minus 1, with 95 % intervals:\n");
        let lines = comparison.differences.iter().map(|(metric, (difference, interval))| {
            vec![metric.name().to_owned(), format!("{difference:+.4}"), format!("{interval:+.4}")]
        });
        text += &aligned(&lines.collect::<Vec<_>>());
        let Comparison { first_only, second_only, p_value, .. } = comparison;
        text += &format!(
            "  right in 1 alone: {first_only} rows, in {number} alone: {second_only} (McNemar p = \
             {p_value:.4})\n"
        );
    }
    if differences.is_empty() {
        text += "\nthey were told the same\n";
    } else {
        let mut lines = vec![head("setting")];
        lines.extend(
            differences.iter().map(|(name, of)| [std::slice::from_ref(name), &of[..]].concat()),
        );
        text += &format!("\ntold differently:\n{}", aligned(&lines));
    }
    for path in wrote {
        text += &format!("wrote {path}\n");
    }
    text
}
