use std::{collections::HashMap, ops::Range};

use burn::tensor::{TensorData, backend::Backend};
use kiln_model::{Mlp, MlpConfig, ModelError};
use rayon::prelude::*;

use crate::activation::Function;
use crate::lane::Rows;
use crate::product::{Panels, forward};
use crate::threads::threads_for;

/// Rows that go through all layers at once: their numbers stay in the second-level cache.
const BLOCK: usize = 96;

/// A network's weights in host memory, laid out for the kernels.
#[derive(Debug, Clone)]
pub struct Network {
    pub(crate) function: Function,
    /// One for each column of category indices, which are the last columns of the features.
    pub(crate) tables: Vec<Table>,
    pub(crate) layers: Vec<Panels>,
}

/// The vectors of the categories of a column.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) width: usize,
    /// Row-major, one row for each category.
    pub(crate) values: Vec<f32>,
}

impl Table {
    /// The place of the vector of a category, or of the nearest that there is.
    pub(crate) fn vector(&self, category: f32) -> Range<usize> {
        let last = self.values.len() / self.width - 1;
        let first = (category as usize).min(last) * self.width;
        first..first + self.width
    }
}

impl Network {
    /// The weights of a network, copied to the host; `None` if it has a part that the kernels lack,
    /// which is normalization.
    pub fn of<B: Backend>(model: &Mlp<B>) -> Option<Self> {
        let function = Function::of(model.activation())?;
        let (mut tables, mut layers) = (Vec::new(), Vec::new());
        let mut weights = None;
        for (name, data) in model.tensors() {
            let shape = data.shape.to_vec();
            let values: Vec<f32> = data.into_vec().ok()?;
            if name.starts_with("embeddings.") {
                tables.push(Table { width: shape[1], values });
            } else if name.ends_with(".weight") {
                weights = Some((shape, values));
            } else if name.ends_with(".bias") {
                let (shape, weights) = weights.take()?;
                layers.push(Panels::new(shape[0], shape[1], &weights, &values));
            } else {
                return None;
            }
        }
        Some(Self { function, tables, layers })
    }

    /// The network as a Burn module.
    ///
    /// # Errors
    ///
    /// If `config` is that of another network, or a weight is not finite.
    pub fn to_model<B: Backend>(
        &self,
        config: &MlpConfig,
        device: &B::Device,
    ) -> Result<Mlp<B>, ModelError> {
        let tables = self.tables.iter().map(|table| table.values.clone());
        let values = tables.chain(self.layers.iter().flat_map(Panels::unpack));
        let named = config.tensor_shapes().into_iter().zip(values);
        let mut tensors: HashMap<String, TensorData> =
            named.map(|((name, shape), values)| (name, TensorData::new(values, shape))).collect();
        config.from_tensors(|name| tensors.remove(name), device)
    }

    /// Numbers in a row of features.
    pub fn d_input(&self) -> usize {
        self.dense_inputs() + self.tables.len()
    }

    /// Logits per row.
    pub fn d_output(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs
    }

    /// Multiplications and additions of one row on its way forward.
    pub(crate) fn flops(&self) -> usize {
        self.layers.iter().map(|layer| 2 * layer.inputs * layer.outputs).sum()
    }

    /// Columns of the features that are numbers, not category indices.
    pub(crate) fn dense_inputs(&self) -> usize {
        self.layers[0].inputs - self.tables.iter().map(|table| table.width).sum::<usize>()
    }

    /// What goes into the first layer for one row of features.
    pub(crate) fn gather(&self, features: &[f32], input: &mut [f32]) {
        let (features, categories) = features.split_at(features.len() - self.tables.len());
        let (dense, mut vectors) = input.split_at_mut(features.len());
        dense.copy_from_slice(features);
        for (table, category) in self.tables.iter().zip(categories) {
            let (vector, rest) = vectors.split_at_mut(table.width);
            vector.copy_from_slice(&table.values[table.vector(*category)]);
            vectors = rest;
        }
    }

    /// The logits of each row. What a row gives does not depend on the other rows, nor on the number
    /// of threads.
    ///
    /// # Shapes
    ///
    /// features: row-major `[rows, d_input]`, result: row-major `[rows, d_output]`
    ///
    /// # Panics
    ///
    /// If the features are not a whole number of rows.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let (d_input, d_output) = (self.d_input(), self.d_output());
        assert!(features.len().is_multiple_of(d_input), "a whole number of rows");
        let rows = features.len() / d_input;
        let mut logits = vec![0.0; rows * d_output];
        let threads = threads_for(rows * self.flops());
        let block = rows.div_ceil(threads).clamp(1, BLOCK);
        let scratch = || Scratch::new(self, block);
        let run = |scratch: &mut Scratch, (features, logits): (&[f32], &mut [f32])| {
            scratch.run(self, features, logits);
        };
        if threads == 1 {
            let mut scratch = scratch();
            let blocks = features.chunks(block * d_input).zip(logits.chunks_mut(block * d_output));
            blocks.for_each(|block| run(&mut scratch, block));
        } else {
            let blocks = features.par_chunks(block * d_input);
            let blocks = blocks.zip(logits.par_chunks_mut(block * d_output));
            blocks.for_each_init(scratch, run);
        }
        logits
    }
}

/// The numbers of a block of rows between the layers.
struct Scratch {
    input: Rows,
    outputs: Vec<Rows>,
}

impl Scratch {
    fn new(network: &Network, rows: usize) -> Self {
        let layers = &network.layers;
        Self {
            input: Rows::new(rows, layers[0].inputs),
            outputs: layers.iter().map(|layer| Rows::new(rows, layer.outputs)).collect(),
        }
    }

    fn run(&mut self, network: &Network, features: &[f32], logits: &mut [f32]) {
        let (d_input, d_output) = (network.d_input(), network.d_output());
        let rows = features.len() / d_input;
        for (row, features) in features.chunks_exact(d_input).enumerate() {
            network.gather(features, self.input.row_mut(row));
        }
        let last = network.layers.len() - 1;
        for (at, panels) in network.layers.iter().enumerate() {
            let (before, after) = self.outputs.split_at_mut(at);
            let output = &mut after[0];
            forward(rows, before.last().unwrap_or(&self.input), panels, output);
            if at < last {
                network.function.apply(output.head_mut(rows));
            }
        }
        for (row, logits) in logits.chunks_exact_mut(d_output).enumerate() {
            logits.copy_from_slice(&self.outputs[last].row(row)[..d_output]);
        }
    }
}
