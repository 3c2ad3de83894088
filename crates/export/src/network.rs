//! Networks on the host, as other programs are told of it.

use std::collections::BTreeMap;

use burn::tensor::backend::Backend;
use kiln_model::{Activation, Mlp, MlpConfig, Normalization};

/// The weights of a classifier's networks, batch normalization folded into the layers before it.
///
/// All of them see the same inputs: the vectors of a category are those of all networks, one behind the
/// other, and the first layer of each has weights of 0 for those of the others.
#[derive(Debug, Clone)]
pub(crate) struct Networks {
    /// One table of vectors for each column of category indices.
    pub(crate) embeddings: Vec<Table>,
    /// Of each network hidden layers, then the output layer.
    pub(crate) members: Vec<Vec<Layer>>,
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

impl Networks {
    pub(crate) fn new<B: Backend>(config: &MlpConfig, members: &[Mlp<B>]) -> Self {
        let (embeddings, members) = members.iter().map(|model| parts(config, model)).unzip();
        let mut this = Self { embeddings: Vec::new(), members, activation: config.activation };
        this.join(embeddings);
        this
    }

    /// Inputs of the first layers.
    pub(crate) fn width(&self) -> usize {
        let weight = &self.members[0][0].weight;
        weight.values.len() / weight.width
    }

    /// Puts the vectors that each network has of each column side by side.
    fn join(&mut self, tables: Vec<Vec<Table>>) {
        let count = tables.len();
        let widths: Vec<usize> = tables[0].iter().map(|table| table.width).collect();
        let dense = self.width() - widths.iter().sum::<usize>();
        self.embeddings = (0..widths.len())
            .map(|column| {
                let of_column = || tables.iter().map(|of_member| &of_member[column]);
                let rows = of_column().map(Table::rows).next().unwrap_or(0);
                let row = |row| of_column().flat_map(move |table| table.row(row));
                Table {
                    values: (0..rows).flat_map(row).copied().collect(),
                    width: widths[column] * count,
                }
            })
            .collect();
        for (member, layers) in self.members.iter_mut().enumerate() {
            let weight = &mut layers[0].weight;
            let zeros = vec![0.0; weight.width];
            let mut values = weight.values[..dense * weight.width].to_vec();
            let mut own = dense;
            for width in &widths {
                for of in 0..count {
                    for row in own..own + width {
                        values.extend(if of == member { weight.row(row) } else { &zeros });
                    }
                }
                own += width;
            }
            weight.values = values;
        }
    }
}

/// The tables and the layers of a network.
fn parts<B: Backend>(config: &MlpConfig, model: &Mlp<B>) -> (Vec<Table>, Vec<Layer>) {
    let mut tensors: BTreeMap<String, Vec<f32>> =
        model.tensors().into_iter().map(|(name, data)| (name, data.iter().collect())).collect();
    let mut take =
        |name: String| tensors.remove(&name).expect("a classifier has all tensors of its network");
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
    let layers = layers.collect();
    (embeddings, layers)
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
    fn rows(&self) -> usize {
        self.values.len() / self.width
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..][..self.width]
    }

    /// Puts these rows, in this order, in place of all.
    pub(crate) fn select_rows(&mut self, rows: &[usize]) {
        self.values = rows.iter().flat_map(|row| self.row(*row)).copied().collect();
    }
}
