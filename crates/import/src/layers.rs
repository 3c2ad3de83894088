use std::collections::BTreeMap;

use burn::tensor::{TensorData, backend::Backend};
use kiln_model::{EmbeddingConfig, Mlp, MlpConfig, ModelError, Normalization};

use crate::{
    ImportError,
    module::{Linear, Module, Norm},
};

/// Counters that say nothing of what a network computes, by the ends of their names.
const IGNORED: [&str; 2] = ["num_batches_tracked", "seed_generator_state"];

/// The layers of a multilayer perceptron, as they were found.
#[derive(Debug)]
pub struct Layers {
    config: MlpConfig,
    names: Vec<String>,
    tensors: BTreeMap<String, TensorData>,
}

impl Layers {
    /// Finds linear layers, and the normalization of each hidden one if there are any, among the tensors of a
    /// PyTorch `state_dict` or of the variables of a Keras model. Their names are paths that end in `weight`,
    /// `kernel`, `bias` and so on.
    ///
    /// Layers follow each other by name, numbers in names as such (`fc2` before `fc10`); `order` names all linear
    /// layers where that is not so. `epsilon` is what normalizations add to a variance: 1e-5 unless said for those
    /// of PyTorch, 1e-3 for those of Keras. Where it is not Kiln's own, weights are scaled so that the network
    /// computes the same. Tables of vectors of categories are `embeddings.0.weight` and so on.
    ///
    /// # Errors
    ///
    /// Tensors that are no such layers, layers that do not fit each other, or normalizations that are not one for
    /// each hidden layer, right behind it.
    pub fn recognise(
        tensors: BTreeMap<String, TensorData>,
        order: Option<&[String]>,
        epsilon: Option<f64>,
    ) -> Result<Self, ImportError> {
        let mut groups: BTreeMap<String, BTreeMap<&str, (&str, TensorData)>> = BTreeMap::new();
        for (name, data) in &tensors {
            let (layer, part) = name.rsplit_once(['.', '/']).unwrap_or(("", name));
            if !IGNORED.contains(&part) {
                let group = groups.entry(layer.to_owned()).or_default();
                group.insert(part, (name, data.clone()));
            }
        }
        let (mut linears, mut norms, mut embeddings) = (Vec::new(), Vec::new(), Vec::new());
        for (name, parts) in groups {
            match Module::new(&name, &parts)? {
                Module::Linear(linear) => linears.push((name, linear)),
                Module::Norm(norm) => norms.push((name, norm)),
                Module::Embedding(table) => embeddings.push((name, table)),
            }
        }
        linears.sort_by_cached_key(|(name, _)| natural(name));
        norms.sort_by_cached_key(|(name, _)| natural(name));
        embeddings.sort_by_cached_key(|(name, _)| natural(name));
        if let Some(order) = order {
            linears = in_order(linears, order)?;
        }
        check_chain(&linears)?;
        let normalization = check_norms(&linears, &norms)?;

        let Some((_, first)) = linears.first() else { return Err(ImportError::NoLayer) };
        let d_output = linears.last().map_or(0, |(_, linear)| linear.outputs);
        let config = MlpConfig::new(first.inputs, d_output)
            .with_hidden(linears.iter().rev().skip(1).rev().map(|(_, l)| l.outputs).collect())
            .with_normalization(normalization);
        let names = linears.iter().map(|(name, _)| name.clone()).collect();
        let tables = embeddings.into_iter().map(|(_, table)| table).collect();
        Ok(Self::new(config, names, linears, norms, tables, epsilon))
    }

    fn new(
        mut config: MlpConfig,
        names: Vec<String>,
        linears: Vec<(String, Linear)>,
        norms: Vec<(String, Norm)>,
        tables: Vec<TensorData>,
        epsilon: Option<f64>,
    ) -> Self {
        let mut tensors = BTreeMap::new();
        let hidden = config.hidden.len();
        let mut norms = norms.into_iter();
        for (i, (_, mut linear)) in linears.into_iter().enumerate() {
            let name = if i < hidden { format!("hidden.{i}") } else { "output".to_owned() };
            if let Some((_, norm)) = norms.next() {
                let epsilon = epsilon.unwrap_or(norm.epsilon);
                insert_norm(&mut tensors, &name, norm, &mut linear, epsilon);
            }
            let Linear { inputs, outputs, weight, bias } = linear;
            tensors.insert(format!("{name}.weight"), TensorData::new(weight, [inputs, outputs]));
            tensors.insert(format!("{name}.bias"), TensorData::new(bias, [outputs]));
        }
        // Each table stands for one column in place of its width.
        let widths: usize = tables.iter().map(|table| table.shape[1]).sum();
        config.d_input = (config.d_input + tables.len()).saturating_sub(widths);
        for (i, table) in tables.into_iter().enumerate() {
            config.embeddings.push(EmbeddingConfig::new(table.shape[0], table.shape[1]));
            tensors.insert(format!("embeddings.{i}.weight"), table);
        }
        Self { config, names, tensors }
    }

    /// What is known of the network: all but its activation, which no tensor tells, and dropout.
    pub fn config(&self) -> MlpConfig {
        self.config.clone()
    }

    /// The names of the linear layers in the order in which they follow each other.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The network of this config with the weights that were found.
    ///
    /// # Errors
    ///
    /// As [`MlpConfig::from_tensors`], whose names of tensors are those in messages.
    pub fn network<B: Backend>(
        &self,
        config: &MlpConfig,
        device: &B::Device,
    ) -> Result<Mlp<B>, ModelError> {
        config.from_tensors(|name| self.tensors.get(name).cloned(), device)
    }
}

/// Numbers in a name padded, so that texts compare as numbers do.
fn natural(name: &str) -> String {
    const DIGITS: usize = 20;
    let mut key = String::new();
    let mut digits = String::new();
    for char in name.chars().chain(['\0']) {
        if char.is_ascii_digit() {
            digits.push(char);
            continue;
        }
        if !digits.is_empty() {
            key += &format!("{:0>DIGITS$}", digits.trim_start_matches('0'));
            digits.clear();
        }
        key.push(char);
    }
    key
}

fn in_order(
    mut linears: Vec<(String, Linear)>,
    order: &[String],
) -> Result<Vec<(String, Linear)>, ImportError> {
    let listed = |names: &mut dyn Iterator<Item = &str>| {
        names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let expected = listed(&mut linears.iter().map(|(name, _)| name.as_str()));
    let mut ordered = Vec::new();
    for name in order {
        let Some(at) = linears.iter().position(|(of, _)| of == name) else { break };
        ordered.push(linears.remove(at));
    }
    if ordered.len() < order.len() || !linears.is_empty() {
        let found = listed(&mut order.iter().map(String::as_str));
        return Err(ImportError::Order { found, expected });
    }
    Ok(ordered)
}

fn check_chain(linears: &[(String, Linear)]) -> Result<(), ImportError> {
    for pair in linears.windows(2) {
        let [(from, first), (to, second)] = pair else { continue };
        if first.outputs != second.inputs {
            let (outputs, inputs) = (first.outputs, second.inputs);
            let (from, to) = (from.clone(), to.clone());
            return Err(ImportError::Chain { from, outputs, to, inputs });
        }
    }
    Ok(())
}

/// Each hidden layer has one, or none has.
fn check_norms(
    linears: &[(String, Linear)],
    norms: &[(String, Norm)],
) -> Result<Normalization, ImportError> {
    let Some((first, norm)) = norms.first() else { return Ok(Normalization::None) };
    let wrong = |found: String, expected: &str| {
        Err(ImportError::Normalization { found, expected: expected.to_owned() })
    };
    let hidden = linears.len().saturating_sub(1);
    if norms.len() != hidden {
        let found = format!("{} normalizations for {hidden} hidden layers", norms.len());
        return wrong(found, "one behind each hidden layer, or none");
    }
    for ((name, other), (layer, linear)) in norms.iter().zip(linears) {
        if other.running.is_some() != norm.running.is_some() {
            let found = format!("`{first}` and `{name}` are normalizations of two kinds");
            return wrong(found, "one kind in all layers");
        }
        if other.width() != linear.outputs {
            let (width, outputs) = (other.width(), linear.outputs);
            let found =
                format!("normalization `{name}` has {width} numbers, `{layer}` gives {outputs}");
            return wrong(found, "the same, for it stands between a layer and its activation");
        }
        // In an nn.Sequential the names tell what is between.
        if let (Some((a, at)), Some((b, behind))) = (numbered(layer), numbered(name))
            && a == b
            && at.checked_add(1) != Some(behind)
        {
            let found = format!("normalization `{name}` is not the next module after `{layer}`");
            return wrong(found, "it between a layer and its activation");
        }
    }
    Ok(if norm.running.is_some() { Normalization::Batch } else { Normalization::Layer })
}

/// `net.3` is the module 3 of `net`.
fn numbered(name: &str) -> Option<(&str, u64)> {
    let (parent, last) = name.rsplit_once('.').unwrap_or(("", name));
    Some((parent, last.parse().ok()?))
}

/// With Kiln's epsilon in place of the one that the network has, for
/// (c·x - c·mean) / √(c²·variance + c²·epsilon) = (x - mean) / √(variance + epsilon).
fn insert_norm(
    tensors: &mut BTreeMap<String, TensorData>,
    layer: &str,
    Norm { gamma, beta, running, .. }: Norm,
    linear: &mut Linear,
    epsilon: f64,
) {
    let factor = (Normalization::EPSILON / epsilon).sqrt();
    linear.weight = scaled(&linear.weight, factor);
    linear.bias = scaled(&linear.bias, factor);
    let mut insert = |part: &str, values: Vec<f32>| {
        let shape = [values.len()];
        tensors.insert(format!("{layer}.norm.{part}"), TensorData::new(values, shape));
    };
    insert("gamma", gamma);
    insert("beta", beta);
    if let Some([mean, variance]) = running {
        insert("running_mean", scaled(&mean, factor));
        insert("running_var", scaled(&variance, factor * factor));
    }
}

fn scaled(values: &[f32], factor: f64) -> Vec<f32> {
    values.iter().map(|value| (f64::from(*value) * factor) as f32).collect()
}
