//! One layer's tensors.

use std::collections::BTreeMap;

use burn::tensor::{DType, TensorData};

use crate::ImportError;

/// What Keras adds to a variance unless it is told otherwise.
const KERAS_EPSILON: f64 = 1e-3;
/// What PyTorch adds to it.
const TORCH_EPSILON: f64 = 1e-5;

#[derive(Debug)]
pub(crate) enum Module {
    Linear(Linear),
    Norm(Norm),
    /// A table of vectors, `[num_categories, d_embedding]`.
    Embedding(TensorData),
}

#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Row-major `[inputs, outputs]`.
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

#[derive(Debug)]
pub(crate) struct Norm {
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
    /// Running mean and variance, of a batch normalization.
    pub(crate) running: Option<[Vec<f32>; 2]>,
    /// What is added to the variance where nobody says otherwise.
    pub(crate) epsilon: f64,
}

impl Module {
    /// `name` is what the names of the tensors begin with, `parts` are the tensors by what follows.
    pub(crate) fn new(
        name: &str,
        parts: &BTreeMap<&str, (&str, TensorData)>,
    ) -> Result<Self, ImportError> {
        let names: Vec<&str> = parts.keys().copied().collect();
        let rank = |part: &str| parts.get(part).map_or(0, |(_, data)| data.shape.num_dims());
        let of_width = |part: &str, width: usize| numbers(&parts[part], &[width]);
        match names.as_slice() {
            ["weight"] if rank("weight") == 2 && is_embedding(name) => {
                let (_, table) = &parts["weight"];
                numbers(&parts["weight"], &table.shape)?;
                Ok(Self::Embedding(table.clone()))
            }
            ["weight"] | ["bias", "weight"] if rank("weight") == 2 => {
                let [outputs, inputs] = two(&parts["weight"].1);
                let weight = transposed(&numbers(&parts["weight"], &[outputs, inputs])?, inputs);
                Ok(Self::Linear(Linear { inputs, outputs, weight, bias: bias(parts, outputs)? }))
            }
            ["kernel"] | ["bias", "kernel"] if rank("kernel") == 2 => {
                let [inputs, outputs] = two(&parts["kernel"].1);
                let weight = numbers(&parts["kernel"], &[inputs, outputs])?;
                Ok(Self::Linear(Linear { inputs, outputs, weight, bias: bias(parts, outputs)? }))
            }
            ["bias", "weight"] if rank("weight") == 1 => {
                Norm::module(of_width, parts, ["weight", "bias"], None, TORCH_EPSILON)
            }
            ["bias", "running_mean", "running_var", "weight"] => {
                let running = Some(["running_mean", "running_var"]);
                Norm::module(of_width, parts, ["weight", "bias"], running, TORCH_EPSILON)
            }
            ["beta", "gamma"] => {
                Norm::module(of_width, parts, ["gamma", "beta"], None, KERAS_EPSILON)
            }
            ["beta", "gamma", "moving_mean", "moving_variance"] => {
                let running = Some(["moving_mean", "moving_variance"]);
                Norm::module(of_width, parts, ["gamma", "beta"], running, KERAS_EPSILON)
            }
            _ => {
                let found =
                    parts.iter().map(|(part, (_, data))| format!("`{part}` {:?}", &*data.shape));
                let found = found.collect::<Vec<_>>().join(", ");
                Err(ImportError::Layer { layer: name.to_owned(), found })
            }
        }
    }
}

impl Norm {
    fn module(
        of_width: impl Fn(&str, usize) -> Result<Vec<f32>, ImportError>,
        parts: &BTreeMap<&str, (&str, TensorData)>,
        [gamma, beta]: [&str; 2],
        running: Option<[&str; 2]>,
        epsilon: f64,
    ) -> Result<Module, ImportError> {
        let width = parts[gamma].1.num_elements();
        let running = match running {
            Some([mean, variance]) => Some([of_width(mean, width)?, of_width(variance, width)?]),
            None => None,
        };
        let (gamma, beta) = (of_width(gamma, width)?, of_width(beta, width)?);
        Ok(Module::Norm(Self { gamma, beta, running, epsilon }))
    }

    pub(crate) fn width(&self) -> usize {
        self.gamma.len()
    }
}

/// As `kiln export --format pytorch` names them: a linear layer without bias looks the same.
fn is_embedding(name: &str) -> bool {
    name.strip_prefix("embeddings.").is_some_and(|rest| rest.parse::<usize>().is_ok())
}

fn two(data: &TensorData) -> [usize; 2] {
    [data.shape[0], data.shape[1]]
}

/// Zeros where a layer has none.
fn bias(
    parts: &BTreeMap<&str, (&str, TensorData)>,
    outputs: usize,
) -> Result<Vec<f32>, ImportError> {
    parts.get("bias").map_or_else(|| Ok(vec![0.0; outputs]), |bias| numbers(bias, &[outputs]))
}

/// The numbers of a tensor, which is to have this shape.
fn numbers((name, data): &(&str, TensorData), expected: &[usize]) -> Result<Vec<f32>, ImportError> {
    let tensor = (*name).to_owned();
    if !matches!(data.dtype, DType::F32 | DType::F64) {
        return Err(ImportError::Type { tensor, found: format!("{:?}", data.dtype) });
    }
    let found = data.shape.to_vec();
    if found != expected {
        return Err(ImportError::Shape { tensor, found, expected: expected.to_vec() });
    }
    Ok(data.iter().collect())
}

/// `[outputs, inputs]` to `[inputs, outputs]`.
fn transposed(weight: &[f32], inputs: usize) -> Vec<f32> {
    let column = |input: usize| weight.iter().skip(input).step_by(inputs).copied();
    (0..inputs).flat_map(column).collect()
}
