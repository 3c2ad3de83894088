use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    classifier::{Classifier, FORMAT_VERSION, Manifest, Training, task_of},
    import::{Layers, read_torch},
    model::{Activation, LossConfig, MlpConfig, Task},
    store::{Plain, decode_plain, read},
    table::{
        ColumnKind, ColumnSchema, Feature, Numeric, Preprocessor, Scale, Schema, TargetEncoder,
        TargetForm, Transform,
    },
};
use serde::Serialize;

use crate::{console::Console, options::UsageError, output::refuse_overwriting};

/// Make a model file of weights from elsewhere
///
/// The weights are those of a multilayer perceptron as PyTorch or Keras name them, in a safetensors file or one
/// that `torch.save(model.state_dict(), FILE)` wrote. What weights do not tell is said by flags, or taken from another model (`--like`), or found in the file: one that
/// `kiln export --format pytorch` wrote has it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file of weights: safetensors, or PyTorch's own (.pt)
    weights: PathBuf,
    /// The model file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// A model file that all but the weights is taken from
    #[arg(long, value_name = "MODEL", conflicts_with_all = [
        "classes", "labels", "columns", "target", "mean", "std", "activation",
    ])]
    like: Option<PathBuf>,
    /// The classes in the order of the outputs; two for a single output, the second the positive one
    #[arg(long, value_delimiter = ',', conflicts_with = "labels")]
    classes: Option<Vec<String>>,
    /// The labels in the order of the outputs, for a network that says of each whether it applies
    #[arg(long, value_delimiter = ',')]
    labels: Option<Vec<String>>,
    /// The columns in the order of the inputs, all of them numbers [default: column_1, column_2, …]
    #[arg(long, value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// The column of the class [default: class]
    #[arg(long, value_name = "COLUMN", conflicts_with = "labels")]
    target: Option<String>,
    /// What is subtracted from a value, for all columns or for each [default: 0]
    ///
    /// It is also what a missing value counts as.
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    mean: Option<Vec<f64>>,
    /// What it is divided by then, for all columns or for each [default: 1]
    #[arg(long, value_delimiter = ',')]
    std: Option<Vec<f64>>,
    /// The activation of the hidden layers: relu, leaky_relu, gelu, silu, elu, selu, mish, softplus, tanh, sigmoid
    /// or identity
    #[arg(long)]
    activation: Option<Activation>,
    /// What normalizations add to a variance [default: 1e-5 for those of PyTorch, 1e-3 for those of Keras]
    #[arg(long)]
    epsilon: Option<f64>,
    /// The linear layers in their order, where that is not the one of their names
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    layers: Option<Vec<String>>,
    /// Where the network is put to check it; without it the first that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    if let Some(epsilon) = args.epsilon.filter(|e| !(e.is_finite() && *e > 0.0)) {
        let message = format!("`--epsilon` is {epsilon}, expected a finite number above 0");
        return Err(UsageError::new(message).into());
    }
    backend::run(args.backend, Import { args, console })?
}

struct Import {
    args: Args,
    console: Console,
}

impl Job for Import {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Self { args, console } = self;
        refuse_overwriting(&args.output, std::iter::once(&args.weights).chain(&args.like))?;
        let name = args.weights.display().to_string();
        let unusable = || format!("{name} cannot be imported");
        let Plain { metadata, tensors } = read_weights(&args.weights).with_context(unusable)?;
        let layers = Layers::recognise(tensors, args.layers.as_deref(), args.epsilon)
            .with_context(unusable)?;
        let mut manifest = match (&args.like, metadata.get("kiln")) {
            (Some(like), _) => {
                let like = Classifier::<B::InnerBackend>::load(like, &device)?;
                like_another(like.manifest(), &layers)
            }
            (None, Some(manifest)) if args.classes.is_none() && args.labels.is_none() => {
                let found: Manifest = serde_json::from_str(manifest)
                    .context("its entry `kiln` cannot be read")
                    .with_context(unusable)?;
                like_another(&found, &layers)
            }
            _ => said(&args, &layers)?,
        };
        manifest.training.source =
            args.weights.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let network =
            layers.network::<B::InnerBackend>(&manifest.network, &device).with_context(unusable)?;
        let classifier = Classifier::new(manifest, &[network], &device).with_context(unusable)?;
        classifier.save(&args.output)?;
        let manifest = classifier.manifest();
        let result = Imported {
            file: args.output.display().to_string(),
            layers: layers.names(),
            network: &manifest.network,
            task: manifest.task,
            classes: classifier.classes(),
            columns: manifest.feature_columns().collect(),
        };
        Ok(console.result(&result, || result.text())?)
    }
}

/// The tensors of a safetensors file, or of one that `torch.save` wrote.
fn read_weights(path: &Path) -> anyhow::Result<Plain> {
    let mut start = [0; 4];
    if path.is_file() {
        let mut file = File::open(path)?;
        if file.read_exact(&mut start).is_ok() && start == *b"PK\x03\x04" {
            return Ok(Plain { metadata: BTreeMap::new(), tensors: read_torch(file)? });
        }
    }
    Ok(decode_plain(&read(path)?)?)
}

#[derive(Serialize)]
struct Imported<'a> {
    file: String,
    /// The linear layers in their order.
    layers: &'a [String],
    network: &'a MlpConfig,
    task: Task,
    classes: &'a [String],
    columns: Vec<&'a str>,
}

impl Imported<'_> {
    fn text(&self) -> String {
        let outputs = if let Task::MultiLabel { .. } = self.task { "labels" } else { "classes" };
        format!(
            "{}: {} columns, {}: {}\nlayers: {}\nnetwork ({}):\n{}\n",
            self.file,
            self.columns.len(),
            outputs,
            self.classes.join(", "),
            self.layers.join(", "),
            self.network.activation.name(),
            self.network
        )
    }
}

/// All but the weights of another model, whose layers may be of other widths.
fn like_another(like: &Manifest, layers: &Layers) -> Manifest {
    let found = layers.config();
    let network = MlpConfig {
        d_input: found.d_input,
        d_output: found.d_output,
        hidden: found.hidden,
        normalization: found.normalization,
        embeddings: found.embeddings,
        ..like.network.clone()
    };
    Manifest {
        format_version: FORMAT_VERSION,
        kiln_version: env!("CARGO_PKG_VERSION").to_owned(),
        network,
        training: imported(),
        metrics: serde_json::Value::Null,
        ..like.clone()
    }
}

/// What the flags say.
fn said(args: &Args, layers: &Layers) -> anyhow::Result<Manifest> {
    let config = layers.config();
    if !config.embeddings.is_empty() {
        bail!(
            "the network has vectors of categories, expected `--like` a model that has the categories"
        );
    }
    let target = target(args, config.d_output)?;
    let activation = match (args.activation, config.hidden.len()) {
        (Some(activation), _) => activation,
        (None, 0) => Activation::Identity,
        (None, _) => {
            return Err(UsageError::new(
                "weights do not tell the activation of the hidden layers: expected `--activation`"
                    .to_owned(),
            )
            .into());
        }
    };
    let width = config.d_input;
    let columns = match &args.columns {
        Some(columns) if columns.len() != width => {
            bail!("`--columns` names {}, expected one for each of {width} inputs", columns.len())
        }
        Some(columns) => columns.clone(),
        None => (1..=width).map(|column| format!("column_{column}")).collect(),
    };
    let means = for_each("mean", args.mean.as_deref().unwrap_or(&[0.0]), width)?;
    let stds = for_each("std", args.std.as_deref().unwrap_or(&[1.0]), width)?;
    let scales = means.into_iter().zip(stds);
    let features = columns.iter().zip(scales).map(|(name, (center, spread))| Feature {
        name: name.clone(),
        missing: Vec::new(),
        transform: Transform::Numeric(Numeric {
            median: center,
            scale: Some(Scale { center, spread, clip: false }),
            bins: None,
            missing_column: false,
        }),
    });
    let preprocessor = Preprocessor::new(Vec::new(), features.collect())?;
    let schema = |name: &String, kind| ColumnSchema {
        name: name.clone(),
        kind,
        reason: "as imported".to_owned(),
        missing: Vec::new(),
    };
    let inputs = columns.iter().map(|name| schema(name, ColumnKind::Numeric));
    let targets = target.columns().iter().map(|name| schema(name, ColumnKind::Target));
    Ok(Manifest {
        format_version: FORMAT_VERSION,
        kiln_version: env!("CARGO_PKG_VERSION").to_owned(),
        task: task_of(&target),
        schema: Schema { columns: inputs.chain(targets).collect(), missing: Vec::new() },
        preprocessor,
        target,
        threshold: 0.5,
        temperature: 1.0,
        loss: LossConfig::default(),
        network: config.with_activation(activation),
        members: 1,
        training: imported(),
        metrics: serde_json::Value::Null,
    })
}

fn target(args: &Args, outputs: usize) -> anyhow::Result<TargetEncoder> {
    let column = args.target.clone().unwrap_or_else(|| "class".to_owned());
    let (columns, form) = match (&args.classes, &args.labels) {
        (None, None) => {
            return Err(UsageError::new(format!(
                "weights do not tell what their {outputs} outputs mean: expected `--classes`, `--labels` or `--like`"
            ))
            .into());
        }
        (Some(classes), _) => match (outputs, classes.as_slice()) {
            (1, [negative, positive]) => {
                let classes = [negative.clone(), positive.clone()];
                (vec![column], TargetForm::Binary { classes })
            }
            (1, classes) => {
                bail!("`--classes` names {}, expected two for a single output", classes.len())
            }
            (_, classes) if classes.len() != outputs => bail!(
                "`--classes` names {}, expected one for each of {outputs} outputs",
                classes.len()
            ),
            (_, classes) => (vec![column], TargetForm::Sparse { classes: classes.to_vec() }),
        },
        (None, Some(labels)) if labels.len() != outputs => {
            bail!("`--labels` names {}, expected one for each of {outputs} outputs", labels.len())
        }
        (None, Some(labels)) => (labels.clone(), TargetForm::Labels),
    };
    Ok(TargetEncoder::new(columns, form, Vec::new())?)
}

/// One number for each column, or one for all.
fn for_each(flag: &str, numbers: &[f64], columns: usize) -> anyhow::Result<Vec<f64>> {
    match numbers {
        [number] => Ok(vec![*number; columns]),
        numbers if numbers.len() == columns => Ok(numbers.to_vec()),
        numbers => bail!(
            "`--{flag}` has {} numbers, expected one, or one for each of {columns} inputs",
            numbers.len()
        ),
    }
}

fn imported() -> Training {
    Training {
        source: String::new(),
        rows: 0,
        valid_rows: 0,
        bag_folds: 0,
        seed: 0,
        epochs: 0,
        kept_epoch: 0,
        stop_reason: "imported".to_owned(),
        backend: String::new(),
        config: serde_json::Value::Null,
        class_rows: Vec::new(),
        history: Vec::new(),
    }
}
