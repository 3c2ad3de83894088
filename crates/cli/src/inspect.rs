use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    classifier::{Classifier, ClassifierError, Manifest, Training},
    model::Task,
    table::{
        ColumnKind, ColumnProfile, ColumnSchema, Profiler, Schema, SchemaOptions, TableReader,
        Transform, Warning, infer_schema,
    },
    tabular::Settings,
};
use serde::Serialize;

use crate::{
    advice::advised,
    console::Console,
    options::{Options, ReadArgs, column},
    report::{aligned, describe, kind},
};

/// Describe a model file, or a file of rows
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model file, or CSV, TSV or Parquet; `-` is rows from stdin
    file: PathBuf,
    /// The column to predict, for its class balance
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Texts that mean a missing value, beside the empty one [default: NA, N/A, NaN, null, ?, …]
    #[arg(long, value_name = "TEXTS", value_delimiter = ',')]
    missing: Option<Vec<String>>,
    /// Where a model file's network is put to check it; without it the first that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
    #[command(flatten)]
    read: ReadArgs,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    if is_model(&args.file) {
        let manifest = backend::run(args.backend, Load(args.file.clone()))??;
        return Ok(console.result(&manifest, || model_text(&args.file, &manifest))?);
    }
    let reader = TableReader::open(&args.file, &args.read.options())?;
    let (name, format) = (reader.name().to_owned(), *reader.format());
    let target = match &args.target {
        Some(target) => vec![column(&name, reader.columns(), target)?],
        None => Vec::new(),
    };
    let options = SchemaOptions { target, missing: args.missing, ..SchemaOptions::default() };
    // Chunk by chunk: the file may be larger than memory.
    let mut profiler = Profiler::new(reader.columns(), &options.missing_texts());
    let mut unusable = 0;
    for rows in reader {
        let rows = rows?;
        unusable += rows.problems.len();
        profiler.push(&rows);
    }
    let profiles = profiler.finish();
    let (schema, warnings) = infer_schema(&name, &profiles, &options)?;
    let (format, warnings) = (describe(format), advised(&warnings));
    let data = Data { file: name, format, unusable, schema, profiles, warnings };
    Ok(console.result(&data, || data.text())?)
}

/// Safetensors begin with the length of their header, in 8 bytes, and its `{`.
fn is_model(path: &Path) -> bool {
    let mut start = [0; 9];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start[8] == b'{' && start[5..8] == [0; 3]
}

#[derive(Serialize)]
struct Data {
    file: String,
    format: String,
    /// Rows that could not be split into columns.
    unusable: usize,
    schema: Schema,
    profiles: Vec<ColumnProfile>,
    warnings: Vec<Warning>,
}

impl Data {
    fn text(&self) -> String {
        let rows = self.profiles.first().map_or(0, |profile| profile.rows);
        let mut text = format!(
            "{}: {}, {rows} rows, {} columns\n",
            self.file,
            self.format,
            self.profiles.len()
        );
        if self.unusable > 0 {
            text += &format!("{} rows could not be split into columns\n", self.unusable);
        }
        let mut lines =
            vec![["column", "kind", "missing", "distinct", "values"].map(str::to_owned).to_vec()];
        for (column, profile) in self.schema.columns.iter().zip(&self.profiles) {
            lines.push(vec![
                column.name.clone(),
                kind(column.kind).to_owned(),
                profile.missing.to_string(),
                if profile.distinct_of < profile.values() {
                    format!("{}+", profile.distinct)
                } else {
                    profile.distinct.to_string()
                },
                values(column, profile),
            ]);
        }
        text += &aligned(&lines);
        let targets = self.schema.columns.iter().zip(&self.profiles);
        for (column, profile) in targets.filter(|(column, _)| column.kind == ColumnKind::Target) {
            text += &format!("\nclasses of {}, the most frequent first:\n", column.name);
            for (class, count) in &profile.most_common {
                let share = 100.0 * *count as f64 / profile.values() as f64;
                text += &format!("  {class}: {count} ({share:.1} %)\n");
            }
            if profile.distinct > profile.most_common.len() {
                let more = profile.distinct - profile.most_common.len();
                text += &format!("  and {more} more\n");
            }
        }
        for warning in &self.warnings {
            text += &format!("\nlook at: {warning}");
        }
        text.trim_end().to_owned() + "\n"
    }
}

/// The range of numbers, or the most frequent values.
fn values(column: &ColumnSchema, profile: &ColumnProfile) -> String {
    const SHOWN: usize = 4;
    match (column.kind, profile.min, profile.max) {
        (ColumnKind::Numeric, Some(min), Some(max)) => format!("{min} to {max}"),
        (ColumnKind::Ignored, ..) => column.reason.clone(),
        _ => {
            let common = profile.most_common.iter().take(SHOWN);
            let shown: Vec<String> =
                common.map(|(value, count)| format!("{value} ({count})")).collect();
            let more = if profile.distinct > SHOWN { ", …" } else { "" };
            shown.join(", ") + more
        }
    }
}

/// A model file is checked as a whole, weights and all.
struct Load(PathBuf);

impl Job for Load {
    type Output = Result<Manifest, ClassifierError>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        Ok(Classifier::<B::InnerBackend>::load(&self.0, &device)?.manifest().clone())
    }
}

fn model_text(path: &Path, manifest: &Manifest) -> String {
    let training = &manifest.training;
    let task = match manifest.task {
        Task::Binary => "binary".to_owned(),
        Task::Multiclass { num_classes } => format!("multiclass, {num_classes} classes"),
        Task::MultiLabel { num_labels } => format!("multi-label, {num_labels} labels"),
    };
    let mut text = format!(
        "{}: Kiln {} classifier\n\ntask: {task}\ntarget: {}\nclasses: {}\n",
        path.display(),
        manifest.kiln_version,
        manifest.target.columns().join(", "),
        manifest.target.classes().join(", ")
    );
    if let Task::Binary = manifest.task {
        let [_, positive] = [0, 1].map(|class| &manifest.target.classes()[class]);
        text += &format!("positive: {positive}, from a probability of {} on\n", manifest.threshold);
    }
    text += "\nfeatures:\n";
    let mut lines = vec![["column", "preprocessing"].map(str::to_owned).to_vec()];
    for feature in manifest.preprocessor.features() {
        lines.push(vec![feature.name.clone(), describe_transform(&feature.transform)]);
    }
    text += &aligned(&lines);
    let networks = match manifest.members {
        1 => "network".to_owned(),
        members => format!("each of {members} networks, whose probabilities are averaged"),
    };
    let activation = manifest.network.activation.name();
    text += &format!("\n{networks} ({activation}):\n{}\n", manifest.network);
    text += &trained(training);
    text += &settings(training);
    if let Some(metrics) = manifest.metrics.as_object() {
        text += "\nmetrics on the validation rows:\n";
        for (name, value) in metrics {
            if let Some(value) = value.as_f64().filter(|_| name != "rows") {
                text += &format!("  {name:<18} {value:>8.4}\n");
            }
        }
    }
    text
}

fn trained(training: &Training) -> String {
    if training.is_imported() {
        return format!("\nimported from {}\n", training.source);
    }
    let valid = match training.bag_folds {
        0 => format!("{} more for validation", training.valid_rows),
        folds => format!("in {folds} folds, of which each network left out one"),
    };
    format!(
        "\ntrained on {} rows of {} ({valid}), seed {}, backend {}\n\
         {} epochs, weights of epoch {} ({})\n",
        training.rows,
        training.source,
        training.seed,
        training.backend,
        training.epochs,
        training.kept_epoch,
        training.stop_reason
    )
}

/// All options of the run, as `kiln train --config` takes them; none of a network that was trained elsewhere.
fn settings(training: &Training) -> String {
    let Ok(settings) = serde_json::from_value::<Settings>(training.config.clone()) else {
        return String::new();
    };
    let options = Options::from_settings(&settings, &Options::default());
    let options = toml::to_string(&options).expect("options are plain data");
    let lines: String = options.lines().map(|line| format!("  {line}\n")).collect();
    format!("\nsettings, as `kiln train --config FILE` takes them:\n{lines}")
}

fn describe_transform(transform: &Transform) -> String {
    let missing = |column: bool| if column { ", and whether it is missing" } else { "" };
    match transform {
        Transform::Numeric(numeric) => {
            let scale = numeric.scale.map_or("constant".to_owned(), |scale| {
                format!(
                    "(x - {:.6}) / {:.6}{}",
                    scale.center,
                    scale.spread,
                    if scale.clip { ", smoothly clipped" } else { "" }
                )
            });
            let median = numeric.median;
            let bins = numeric
                .bins
                .as_ref()
                .map_or_else(String::new, |bins| format!(", {} bins", bins.width()));
            let also = missing(numeric.missing_column);
            format!("numeric: {scale}{bins}; missing is {median}{also}")
        }
        Transform::Boolean => "boolean: 1, -1, missing 0".to_owned(),
        Transform::OneHot(one_hot) => {
            let also = missing(one_hot.missing_column);
            format!("one-hot: {}{also}", one_hot.categories.join(", "))
        }
        Transform::Embedding(embedded) => format!(
            "embedding: {} categories as vectors of width {}",
            embedded.categories.len(),
            embedded.d_embedding
        ),
    }
}
