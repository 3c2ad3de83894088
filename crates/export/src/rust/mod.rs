//! A classifier as Rust source text.

mod features;
mod field;
mod names;
mod statics;
mod uses;

use askama::Template;
use kiln_classifier::Classifier;
use kiln_kernels::KilnBackend;
use kiln_model::{Activation, Normalization, Task};

pub use self::field::{Field, FieldType};
use self::uses::Uses;
use crate::{
    ExportError,
    network::{Layer, Networks},
};

/// Most parameters: as source text they take 14 MB, and the compiler some seconds.
const MAX_PARAMETERS: usize = 1_000_000;

/// A classifier as one file of Rust that needs `core` alone: neither Kiln, nor `std`, nor a heap.
///
/// It is a module of any crate of edition 2024. Its `Row` has a field for each column that the preprocessing uses
/// ([`RustSource::fields`]), `predict` gives the class or the labels with the probabilities, `probabilities` these
/// alone, in the order of `CLASSES`. Weights are `f32` constants, batch normalization is folded into them, and the
/// elementary functions that `core` lacks are in the file, those that this model needs. Probabilities are
/// Kiln's to 1e-5.
///
/// It differs from the classifier where there is no error to return: an infinite number counts as a very large one,
/// and where the classifier refuses logits that are not finite, probabilities are NaN.
#[derive(Debug, Clone)]
pub struct RustSource {
    fields: Vec<Field>,
    text: String,
}

impl RustSource {
    /// # Errors
    ///
    /// [`ExportError::TooLargeForSource`].
    pub fn new<B: KilnBackend>(classifier: &Classifier<B>) -> Result<Self, ExportError> {
        let manifest = classifier.manifest();
        let parameters = manifest.num_parameters();
        if parameters > MAX_PARAMETERS {
            return Err(ExportError::TooLargeForSource { parameters, limit: MAX_PARAMETERS });
        }
        let networks = Networks::new(&manifest.network, classifier.members());
        let fields = features::fields(&manifest.preprocessor);
        let (activation, mut uses) = match manifest.network.hidden.as_slice() {
            [] => (String::new(), Uses::default()),
            _ => activation(networks.activation),
        };
        let (features, mut statics) =
            features::statements(&manifest.preprocessor, &networks, &fields, &mut uses);
        for (i, table) in networks.embeddings.iter().enumerate() {
            statics.push(statics::matrix(&format!("EMBEDDING_{i}"), table));
        }
        let hidden = manifest.network.hidden.len();
        let mut members = Vec::new();
        for (at, layers) in networks.members.iter().enumerate() {
            let (function, prefix) = match networks.members.len() {
                1 => ("logits".to_owned(), String::new()),
                _ => (format!("member_{at}"), format!("MEMBER_{at}_")),
            };
            for (i, layer) in layers[..hidden].iter().enumerate() {
                layer_statics(&format!("{prefix}HIDDEN_{i}"), layer, &mut statics);
            }
            layer_statics(&format!("{prefix}OUTPUT"), &layers[hidden], &mut statics);
            members.push(Member { function, prefix });
        }

        let task = manifest.task;
        let layer_norm = hidden > 0 && manifest.network.normalization == Normalization::Layer;
        uses.sqrt = uses.clip || layer_norm;
        uses.sigmoid |= !matches!(task, Task::Multiclass { .. });
        uses.exp = true; // by softmax or sigmoid
        uses.polynomial = true;
        let text = has_text(&fields);
        let first = &fields[0];
        let example = match first.field_type {
            FieldType::Number => "Some(1.5)",
            FieldType::Boolean => "Some(true)",
            FieldType::Text => "Some(\"…\")",
        };
        let targets = manifest.target.columns().iter().map(|column| format!("`{column:?}`"));
        let source = Source {
            target: targets.collect::<Vec<_>>().join(", "),
            version: env!("CARGO_PKG_VERSION"),
            parameters,
            folded: manifest.network.normalization == Normalization::Batch && hidden > 0,
            example: format!("{}: {example}", first.name),
            classes: classifier.classes(),
            classes_literal: format!("{:?}", classifier.classes()),
            multiclass: matches!(task, Task::Multiclass { .. }),
            labels: matches!(task, Task::MultiLabel { .. }),
            threshold: format!("{:?}", manifest.threshold),
            temperature: format!("{:?}", manifest.temperature),
            lifetime: if text { "<'a>" } else { "" },
            elided: if text { "<'_>" } else { "" },
            fields: &fields,
            width: networks.width(),
            outputs: task.d_output(),
            features,
            hidden,
            members: &members,
            layer_norm,
            epsilon: format!("{:?}", Normalization::EPSILON as f32),
            activation,
            activation_name: networks.activation.name(),
            uses,
            statics,
        };
        let text = source.render().expect("writing to a text does not fail");
        Ok(Self { fields, text: text.trim_end().to_owned() + "\n" })
    }

    /// The fields of the `Row`, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The contents of the file: the same for the same classifier, every time.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn has_text(fields: &[Field]) -> bool {
    fields.iter().any(|field| field.field_type == FieldType::Text)
}

/// One of the networks.
struct Member {
    /// What computes its logits.
    function: String,
    /// What the names of its weights begin with.
    prefix: String,
}

#[derive(Template)]
#[template(path = "model.rs.txt")]
struct Source<'a> {
    target: String,
    version: &'static str,
    parameters: usize,
    folded: bool,
    example: String,
    classes: &'a [String],
    classes_literal: String,
    multiclass: bool,
    labels: bool,
    threshold: String,
    temperature: String,
    lifetime: &'static str,
    elided: &'static str,
    fields: &'a [Field],
    /// Inputs of the first layer.
    width: usize,
    outputs: usize,
    features: Vec<String>,
    /// How many hidden layers there are.
    hidden: usize,
    members: &'a [Member],
    layer_norm: bool,
    epsilon: String,
    /// An expression of `x`; empty without hidden layers.
    activation: String,
    activation_name: &'static str,
    uses: Uses,
    statics: Vec<String>,
}

/// An expression of `x`, and what it needs.
fn activation(activation: Activation) -> (String, Uses) {
    let none = Uses::default;
    // No infinity: it has no literal.
    let literal = |value: f64| format!("{:?}", (value as f32).clamp(f32::MIN, f32::MAX));
    let elu = |alpha| format!("if x > 0.0 {{ x }} else {{ {} * (exp(x) - 1.0) }}", literal(alpha));
    match activation {
        Activation::Identity => ("x".to_owned(), none()),
        Activation::Relu => ("x.max(0.0)".to_owned(), none()),
        Activation::LeakyRelu { negative_slope } => {
            (format!("if x > 0.0 {{ x }} else {{ {} * x }}", literal(negative_slope)), none())
        }
        Activation::Gelu => ("x * normal(x)".to_owned(), Uses { normal: true, ..none() }),
        Activation::Silu => ("x * sigmoid(x)".to_owned(), Uses { sigmoid: true, ..none() }),
        Activation::Elu { alpha } => (elu(alpha), none()),
        Activation::Selu => {
            let elu = elu(Activation::SELU_ALPHA);
            (format!("{} * ({elu})", literal(Activation::SELU_SCALE)), none())
        }
        Activation::Mish => ("mish(x)".to_owned(), Uses { mish: true, ..none() }),
        Activation::Softplus => ("softplus(x)".to_owned(), Uses { softplus: true, ..none() }),
        Activation::Tanh => ("tanh(x)".to_owned(), Uses { tanh: true, ..none() }),
        Activation::Sigmoid => ("sigmoid(x)".to_owned(), Uses { sigmoid: true, ..none() }),
        other => unreachable!("an activation that the export was not told of: {other:?}"),
    }
}

fn layer_statics(name: &str, layer: &Layer, statics: &mut Vec<String>) {
    statics.push(statics::matrix(&format!("{name}_WEIGHT"), &layer.weight));
    statics.push(statics::vector(&format!("{name}_BIAS"), &layer.bias));
    if let Some(norm) = &layer.norm {
        statics.push(statics::vector(&format!("{name}_SCALE"), &norm.gamma));
        statics.push(statics::vector(&format!("{name}_SHIFT"), &norm.beta));
    }
}
