//! A network on the host, as other programs are told of it.

use std::collections::BTreeMap;

use burn::tensor::backend::Backend;
use kiln_model::{Activation, Mlp, MlpConfig, Normalization};

/// The weights of a network, batch normalization folded into the layers before it.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    /// One table of vectors for each column of category indices.
    pub(crate) embeddings: Vec<Table>,
    /// Hidden layers, then the output layer.
    pub(crate) layers: Vec<Layer>,
    pub(crate) activation: Activation,
}

/// Row-major `[rows, width]`.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) values: Vec<f32>,
    pub(crate) width: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// `[inputs, outputs]`.
    pub(crate) weight: Table,
    pub(crate) bias: Vec<f32>,
    pub(crate) norm: Option<LayerNorm>,
}

/// Scale and shift of a layer normalization, before the activation.
#[derive(Debug, Clone)]
pub(crate) struct LayerNorm {
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
}

impl Network {
    pub(crate) fn new<B: Backend>(config: &MlpConfig, model: &Mlp<B>) -> Self {
        let mut tensors: BTreeMap<String, Vec<f32>> =
            model.tensors().into_iter().map(|(name, data)| (name, data.iter().collect())).collect();
        let mut take = |name: String| {
            tensors.remove(&name).expect("a classifier has all tensors of its network")
        };
        let embeddings = config.embeddings.iter().enumerate().map(|(i, embedding)| Table {
            values: take(format!("embeddings.{i}.weight")),
            width: embedding.d_embedding,
        });
        let embeddings = embeddings.collect();
        let layers = config.layer_sizes().into_iter().enumerate().map(|(i, [_, width])| {
            let hidden = i < config.hidden.len();
            let name = if hidden { format!("hidden.{i}") } else { "output".to_owned() };
            let values = take(format!("{name}.weight"));
            let bias = take(format!("{name}.bias"));
            let mut layer = Layer { weight: Table { values, width }, bias, norm: None };
            match config.normalization {
                Normalization::Batch if hidden => {
                    let [gamma, beta, mean, variance] =
                        ["gamma", "beta", "running_mean", "running_var"]
                            .map(|part| take(format!("{name}.norm.{part}")));
                    layer.fold(&gamma, &beta, &mean, &variance);
                }
                Normalization::Layer if hidden => {
                    let [gamma, beta] =
                        ["gamma", "beta"].map(|part| take(format!("{name}.norm.{part}")));
                    layer.norm = Some(LayerNorm { gamma, beta });
                }
                _ => {}
            }
            layer
        });
        Self { layers: layers.collect(), embeddings, activation: config.activation }
    }
}

impl Layer {
    /// Makes the layer do what a batch normalization after it does. In f64, so that rounding is that of
    /// the result alone.
    fn fold(&mut self, gamma: &[f32], beta: &[f32], mean: &[f32], variance: &[f32]) {
        let factors: Vec<f64> = gamma
            .iter()
            .zip(variance)
            .map(|(gamma, variance)| {
                f64::from(*gamma) / (f64::from(*variance) + Normalization::EPSILON).sqrt()
            })
            .collect();
        for row in self.weight.values.chunks_exact_mut(self.weight.width) {
            for (weight, factor) in row.iter_mut().zip(&factors) {
                *weight = (f64::from(*weight) * factor) as f32;
            }
        }
        for (i, bias) in self.bias.iter_mut().enumerate() {
            let centred = f64::from(*bias) - f64::from(mean[i]);
            *bias = (centred * factors[i] + f64::from(beta[i])) as f32;
        }
    }
}

impl Table {
    /// Puts these rows, in this order, in place of all.
    pub(crate) fn select_rows(&mut self, rows: &[usize]) {
        let row = |row: &usize| &self.values[row * self.width..][..self.width];
        self.values = rows.iter().flat_map(row).copied().collect();
    }
}
