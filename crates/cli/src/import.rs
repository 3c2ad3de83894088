use std::path::PathBuf;

use anyhow::{Context, anyhow};
use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    classifier::{Classifier, Manifest},
    import::{Description, ImportError, Layers, Outputs, manifest_like, read_weights},
    model::{Activation, MlpConfig, Task},
    store::Plain,
};
use serde::Serialize;

use crate::{console::Console, options::UsageError, write_file::refuse_overwriting};

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
                manifest_like(like.manifest(), &layers)
            }
            (None, Some(manifest)) if args.classes.is_none() && args.labels.is_none() => {
                let found: Manifest = serde_json::from_str(manifest)
                    .context("its entry `kiln` cannot be read")
                    .with_context(unusable)?;
                manifest_like(&found, &layers)
            }
            _ => description(&args).manifest(&layers).map_err(with_flags)?,
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

/// What the flags say of the classifier.
fn description(args: &Args) -> Description {
    let outputs = match (&args.classes, &args.labels) {
        (Some(classes), _) => Outputs::Classes(classes.clone()),
        (None, Some(labels)) => Outputs::Labels(labels.clone()),
        (None, None) => Outputs::Unknown,
    };
    Description {
        outputs,
        columns: args.columns.clone(),
        target: args.target.clone(),
        mean: args.mean.clone(),
        std: args.std.clone(),
        activation: args.activation,
    }
}

/// Names the flags behind what is missing or does not fit.
fn with_flags(error: ImportError) -> anyhow::Error {
    match error {
        ImportError::Missing { what, fields } => {
            let flags: Vec<String> = fields.iter().map(|field| format!("`--{field}`")).collect();
            let flags = match flags.split_last() {
                Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
                _ => flags.concat(),
            };
            UsageError::new(format!("weights do not tell {what}: expected {flags}")).into()
        }
        ImportError::Description { field, found, expected } => {
            anyhow!("`--{field}` {found}, expected {expected}")
        }
        ImportError::Categories => {
            anyhow!("{error}, expected `--like` a model that has the categories")
        }
        other => other.into(),
    }
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
