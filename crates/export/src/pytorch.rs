//! A classifier's network as weights of a `torch.nn.Sequential`.

use std::collections::BTreeMap;

use burn::tensor::TensorData;
use kiln_classifier::Classifier;
use kiln_kernels::KilnBackend;
use kiln_model::{Activation, MlpConfig, Normalization, Task, member_tensor_name};
use kiln_store::encode_plain;
use serde_json::json;

/// The weights of a network under the names of the `torch.nn.Sequential` that computes the same logits; several
/// networks are a `torch.nn.ModuleList` of these, and their probabilities are averaged.
///
/// Each hidden layer is `nn.Linear`, the normalization if there is one, and the activation; the output layer is
/// `nn.Linear`. Dropout, which does nothing in predictions, is left out. Batch normalization is not folded, so
/// that training can go on; before predictions the Sequential is to be put into evaluation mode.
///
/// Its input is `float`, `[rows, columns]`: what the preprocessing makes of rows of a table. An `nn.Sequential`
/// has no place for vectors of categories: those are beside it, as `embeddings.I.weight`, and the vectors of a row
/// stand behind its other features ([`PyTorch::usage`] has the line). Of several networks each has its own, as
/// `members.M.embeddings.I.weight`.
///
/// The file's metadata:
///
/// | Entry | |
/// |---|---|
/// | `format` | `pt` |
/// | `torch` | the Sequential, or the ModuleList, as a Python expression |
/// | `features` | the columns of the preprocessed matrix, as a JSON list; those of category indices are the last |
/// | `kiln` | the [`Manifest`](kiln_classifier::Manifest), as JSON: the constants of the preprocessing, the classes, the temperature |
#[derive(Debug, Clone)]
pub struct PyTorch {
    expression: String,
    features: Vec<String>,
    /// How many of the last features are category indices.
    embedded: usize,
    members: usize,
    /// What makes probabilities of logits.
    probabilities: &'static str,
    manifest: String,
    tensors: BTreeMap<String, TensorData>,
}

impl PyTorch {
    /// Any classifier has this form.
    pub fn new<B: KilnBackend>(classifier: &Classifier<B>) -> Self {
        let manifest = classifier.manifest();
        let network = &manifest.network;
        let (mut tensors, mut expressions) = (BTreeMap::new(), Vec::new());
        for (member, model) in classifier.members().iter().enumerate() {
            let (expression, own) = sequential(network, model.tensors());
            expressions.push(expression);
            let members = classifier.members().len();
            tensors.extend(own.into_iter().map(|(name, data)| {
                let in_list = members > 1 && !name.starts_with("embeddings.");
                let name = match in_list {
                    true => format!("{member}.{name}"),
                    false => member_tensor_name(members, member, &name),
                };
                (name, data)
            }));
        }
        let expression = match expressions.as_slice() {
            [only] => only.clone(),
            // Of one shape.
            [first, ..] => {
                format!("nn.ModuleList([{first} for _ in range({})])", expressions.len())
            }
            [] => unreachable!("a classifier has a network"),
        };
        Self {
            expression,
            features: manifest.preprocessor.feature_names(),
            embedded: network.embeddings.len(),
            members: classifier.members().len(),
            probabilities: match manifest.task {
                Task::Multiclass { .. } => "softmax(dim=1)",
                Task::Binary | Task::MultiLabel { .. } => "sigmoid()",
            },
            manifest: serde_json::to_string(manifest).expect("plain data with text keys"),
            tensors,
        }
    }

    /// The Sequential as a Python expression: `nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 3))`.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The columns of the preprocessed matrix.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// The lines of Python that load the file, of this name, as `model`. Where there are vectors of categories,
    /// one more makes its input `x` of the matrix `features`.
    ///
    /// They need `torch`, `nn` of it, and `load_file` of `safetensors.torch`.
    pub fn usage(&self, file_name: &str) -> Vec<String> {
        let mut lines = vec![
            // A JSON text is one of Python too.
            format!("state = load_file({})", json!(file_name)),
            format!("model = {}.eval()", self.expression),
        ];
        if self.embedded == 0 {
            lines.push("model.load_state_dict(state)".to_owned());
            lines.extend(self.mean("features"));
            return lines;
        }
        lines.push(
            "model.load_state_dict({name: state[name] for name in model.state_dict()})".to_owned(),
        );
        let (dense, embedded) = (self.features.len() - self.embedded, self.embedded);
        let inputs = |prefix: &str| {
            format!(
                "torch.cat([features[:, :{dense}]] + [state[f\"{prefix}embeddings.{{i}}.weight\"]\
                 [features[:, {dense} + i].long()] for i in range({embedded})], dim=1)"
            )
        };
        match self.members {
            1 => lines.push(format!("x = {}", inputs(""))),
            _ => lines.extend(self.mean(&inputs("members.{m}."))),
        }
        lines
    }

    /// Of several networks, the line that makes `probabilities`; `inputs` is what network `m` sees.
    fn mean(&self, inputs: &str) -> Option<String> {
        (self.members > 1).then(|| {
            format!(
                "probabilities = sum(network({inputs}).{} for m, network in enumerate(model)) / {}",
                self.probabilities, self.members
            )
        })
    }

    /// The contents of its file: the same for the same classifier, every time.
    pub fn encode(&self) -> Vec<u8> {
        let features = json!(self.features).to_string();
        let metadata = [
            ("format", "pt"),
            ("torch", &self.expression),
            ("features", &features),
            ("kiln", &self.manifest),
        ];
        encode_plain(&metadata.into(), &self.tensors)
    }
}

/// A network as a Python expression, and its tensors under the names that they have there.
fn sequential(
    network: &MlpConfig,
    tensors: Vec<(String, TensorData)>,
) -> (String, BTreeMap<String, TensorData>) {
    let mut from: BTreeMap<String, TensorData> = tensors.into_iter().collect();
    let mut take =
        |name: String| from.remove(&name).expect("a classifier has all tensors of its network");
    let mut tensors = BTreeMap::new();
    for column in 0..network.embeddings.len() {
        let name = format!("embeddings.{column}.weight");
        tensors.insert(name.clone(), take(name));
    }
    let mut modules: Vec<String> = Vec::new();
    for (layer, [inputs, outputs]) in network.layer_sizes().into_iter().enumerate() {
        let hidden = layer < network.hidden.len();
        let name = if hidden { format!("hidden.{layer}") } else { "output".to_owned() };
        let place = modules.len();
        modules.push(format!("nn.Linear({inputs}, {outputs})"));
        tensors.insert(format!("{place}.weight"), transposed(take(format!("{name}.weight"))));
        tensors.insert(format!("{place}.bias"), take(format!("{name}.bias")));
        if !hidden {
            continue;
        }
        let place = modules.len();
        let parts: &[[&str; 2]] = match network.normalization {
            Normalization::None => &[],
            Normalization::Batch => {
                modules.push(format!("nn.BatchNorm1d({outputs})"));
                tensors.insert(format!("{place}.num_batches_tracked"), scalar(0));
                &[
                    ["gamma", "weight"],
                    ["beta", "bias"],
                    ["running_mean", "running_mean"],
                    ["running_var", "running_var"],
                ]
            }
            Normalization::Layer => {
                modules.push(format!("nn.LayerNorm({outputs})"));
                &[["gamma", "weight"], ["beta", "bias"]]
            }
            other => unreachable!("a normalization that the export was not told of: {other:?}"),
        };
        for [ours, theirs] in parts {
            tensors.insert(format!("{place}.{theirs}"), take(format!("{name}.norm.{ours}")));
        }
        modules.push(module(network.activation));
    }
    (format!("nn.Sequential({})", modules.join(", ")), tensors)
}

fn module(activation: Activation) -> String {
    match activation {
        Activation::Identity => "nn.Identity()".to_owned(),
        Activation::Relu => "nn.ReLU()".to_owned(),
        Activation::LeakyRelu { negative_slope } => format!("nn.LeakyReLU({negative_slope:?})"),
        Activation::Gelu => "nn.GELU()".to_owned(),
        Activation::Silu => "nn.SiLU()".to_owned(),
        Activation::Elu { alpha } => format!("nn.ELU(alpha={alpha:?})"),
        Activation::Selu => "nn.SELU()".to_owned(),
        Activation::Mish => "nn.Mish()".to_owned(),
        Activation::Softplus => "nn.Softplus()".to_owned(),
        Activation::Tanh => "nn.Tanh()".to_owned(),
        Activation::Sigmoid => "nn.Sigmoid()".to_owned(),
        other => unreachable!("an activation that the export was not told of: {other:?}"),
    }
}

/// `[inputs, outputs]` to the `[outputs, inputs]` of PyTorch.
fn transposed(weight: TensorData) -> TensorData {
    let [inputs, outputs] = [weight.shape[0], weight.shape[1]];
    let values: Vec<f32> = weight.iter().collect();
    let column = |output: usize| values[output..].iter().step_by(outputs).copied();
    let turned: Vec<f32> = (0..outputs).flat_map(column).collect();
    TensorData::new(turned, [outputs, inputs])
}

fn scalar(value: i64) -> TensorData {
    TensorData::new(vec![value], Vec::<usize>::new())
}
