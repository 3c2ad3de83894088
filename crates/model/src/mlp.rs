use std::fmt;

use burn::nn::Linear;
use burn::{
    module::{Module, Param},
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{
    Activation, EmbeddingConfig, Initializer, ModelError, Normalization,
    dropout::{dropout, dropout_part},
    embedding::embed,
    norm::Norm,
    random::init_rng,
};

/// The shape of a multilayer perceptron, from which [`MlpConfig::init`] makes an [`Mlp`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `d_input` | – | features per row, columns of category indices included | ≥ 1 |
/// | `d_output` | – | logits per row | ≥ 1 |
/// | `embeddings` | `[]` | the last columns of features are category indices, replaced by learned vectors: one entry per column | at most `d_input`, see [`EmbeddingConfig`] |
/// | `hidden` | `[]` | width of each hidden layer, output excluded; empty is a linear model | each ≥ 1 |
/// | `activation` | ReLU | after each hidden layer | see [`Activation`] |
/// | `normalization` | none | before each activation | see [`Normalization`] |
/// | `input_dropout` | 0 | fraction of dense features dropped in training | [0, 1) |
/// | `dropout` | 0 | fraction of hidden outputs dropped in training | [0, 1) |
/// | `initializer` | matched to the activation | initial weights; biases start at 0 | see [`Initializer`] |
/// | `seed` | 0 | of the initial weights | any |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Features per row.
    pub d_input: usize,
    /// Logits per row.
    pub d_output: usize,
    /// One per column of category indices. Those are the last columns of the features; each holds
    /// whole numbers from 0, and is replaced by a learned vector before the first layer.
    #[serde(default)]
    pub embeddings: Vec<EmbeddingConfig>,
    /// One width per hidden layer, output excluded.
    #[serde(default)]
    pub hidden: Vec<usize>,
    /// The non-linear function after each hidden layer.
    #[serde(default)]
    pub activation: Activation,
    /// What is done to a hidden layer's outputs before the activation.
    #[serde(default)]
    pub normalization: Normalization,
    /// Fraction in [0, 1) of the features set to zero in training, but those that are category indices.
    #[serde(default)]
    pub input_dropout: f64,
    /// Fraction in [0, 1) of each hidden layer's outputs set to zero in training.
    #[serde(default)]
    pub dropout: f64,
    /// `None`: the activation's own, [`Activation::default_initializer`].
    #[serde(default)]
    pub initializer: Option<Initializer>,
    /// Seed of the initial weights: the same on every backend.
    #[serde(default)]
    pub seed: u64,
}

impl MlpConfig {
    /// Most parameters a network may have: 2³¹ − 1 (8 GiB), as GPU backends index with 32 bits.
    pub const MAX_PARAMETERS: usize = i32::MAX as usize;

    /// A linear model from `d_input` features to `d_output` logits.
    pub fn new(d_input: usize, d_output: usize) -> Self {
        Self {
            d_input,
            d_output,
            embeddings: Vec::new(),
            hidden: Vec::new(),
            activation: Activation::default(),
            normalization: Normalization::default(),
            input_dropout: 0.0,
            dropout: 0.0,
            initializer: None,
            seed: 0,
        }
    }

    /// Makes the last columns of features category indices, each with its own learned vectors.
    pub fn with_embeddings(mut self, embeddings: Vec<EmbeddingConfig>) -> Self {
        self.embeddings = embeddings;
        self
    }

    /// Sets one width per hidden layer.
    pub fn with_hidden(mut self, hidden: Vec<usize>) -> Self {
        self.hidden = hidden;
        self
    }

    /// Sets the function after each hidden layer.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets the normalization before each activation.
    pub fn with_normalization(mut self, normalization: Normalization) -> Self {
        self.normalization = normalization;
        self
    }

    /// Sets the fraction, in [0, 1), of dense features dropped in training.
    pub fn with_input_dropout(mut self, input_dropout: f64) -> Self {
        self.input_dropout = input_dropout;
        self
    }

    /// Sets the fraction, in [0, 1), of hidden outputs dropped in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// Sets how initial weights are drawn.
    pub fn with_initializer(mut self, initializer: Initializer) -> Self {
        self.initializer = Some(initializer);
        self
    }

    /// Sets the seed of the initial weights.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::Field`] names the first field that is out of its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        for (field, width) in [("d_input", self.d_input), ("d_output", self.d_output)] {
            if width == 0 {
                return Err(ModelError::field(field, 0, "at least 1"));
            }
        }
        self.validate_embeddings()?;
        if let Some(layer) = self.hidden.iter().position(|width| *width == 0) {
            return Err(ModelError::field(format!("hidden[{layer}]"), 0, "at least 1"));
        }
        for (field, rate) in [("input_dropout", self.input_dropout), ("dropout", self.dropout)] {
            if !(0.0..1.0).contains(&rate) {
                return Err(ModelError::field(field, rate, "a fraction in [0, 1)"));
            }
        }
        self.activation.validate()?;
        if let Some(initializer) = &self.initializer {
            initializer.validate()?;
        }
        match self.checked_num_parameters() {
            Some(count) if count <= Self::MAX_PARAMETERS => Ok(()),
            _ => Err(ModelError::field(
                "hidden",
                format!(
                    "{:?} for {} inputs and {} outputs",
                    self.hidden,
                    self.first_inputs(),
                    self.d_output
                ),
                format!("at most {} parameters in all", Self::MAX_PARAMETERS),
            )),
        }
    }

    fn validate_embeddings(&self) -> Result<(), ModelError> {
        let columns = self.embeddings.len();
        if columns > self.d_input {
            let found = format!("a list of {columns}");
            let expected = format!("at most d_input = {}", self.d_input);
            return Err(ModelError::field("embeddings", found, expected));
        }
        let mut parameters = 0_usize;
        for (column, embedding) in self.embeddings.iter().enumerate() {
            embedding.validate(column)?;
            let own = embedding.checked_num_parameters();
            match own.and_then(|own| parameters.checked_add(own)) {
                Some(sum) if sum <= Self::MAX_PARAMETERS => parameters = sum,
                _ => {
                    return Err(ModelError::field(
                        format!("embeddings[{column}]"),
                        format!(
                            "{} categories of width {}",
                            embedding.num_categories, embedding.d_embedding
                        ),
                        format!("at most {} parameters in all", Self::MAX_PARAMETERS),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Validates, then draws the initial weights from `seed`.
    ///
    /// # Errors
    ///
    /// As [`MlpConfig::validate`].
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Mlp<B>, ModelError> {
        self.validate()?;
        let initializer = self.initializer.unwrap_or(self.activation.default_initializer());
        let rng = &mut init_rng(self.seed);
        let embeddings = self
            .embeddings
            .iter()
            .map(|embedding| Param::from_tensor(embedding.weights(rng, device)))
            .collect();
        let layer_sizes = self.layer_sizes();
        let (output, hidden) = layer_sizes.split_last().expect("there is always an output layer");
        Ok(Mlp {
            embeddings,
            hidden: hidden
                .iter()
                .map(|[d_input, width]| HiddenLayer {
                    linear: linear(initializer.weights(
                        [*d_input, *width],
                        self.activation,
                        rng,
                        device,
                    )),
                    norm: self.normalization.init(*width, device),
                })
                .collect(),
            output: linear(initializer.weights(*output, Activation::Identity, rng, device)),
            activation: self.activation,
            input_dropout: self.input_dropout,
            dropout: self.dropout,
        })
    }

    /// Dense features and the vectors of the categories, side by side. Saturates rather than
    /// overflows, so that `validate` can count the parameters of any config.
    fn first_inputs(&self) -> usize {
        let dense = self.d_input.saturating_sub(self.embeddings.len());
        self.embeddings.iter().fold(dense, |sum, e| sum.saturating_add(e.d_embedding))
    }

    /// `[inputs, outputs]` of each linear layer, the output layer last. The inputs of the first are
    /// the dense features and the vectors of the categories.
    pub fn layer_sizes(&self) -> Vec<[usize; 2]> {
        let inputs = std::iter::once(self.first_inputs()).chain(self.hidden.iter().copied());
        let outputs = self.hidden.iter().copied().chain(std::iter::once(self.d_output));
        inputs.zip(outputs).map(|(inputs, outputs)| [inputs, outputs]).collect()
    }

    /// Trained numbers in the network: weights, biases, the vectors of categories, and the
    /// normalization's scale and shift.
    ///
    /// # Panics
    ///
    /// If the number does not fit a `usize`; [`MlpConfig::validate`] rules that out.
    pub fn num_parameters(&self) -> usize {
        self.checked_num_parameters().expect("validated")
    }

    fn checked_num_parameters(&self) -> Option<usize> {
        let norm = if self.normalization == Normalization::None { 0_usize } else { 2 };
        let norms = self
            .hidden
            .iter()
            .try_fold(0_usize, |sum, width| sum.checked_add(width.checked_mul(norm)?))?;
        let extra = self
            .embeddings
            .iter()
            .try_fold(norms, |sum, e| sum.checked_add(e.checked_num_parameters()?))?;
        self.layer_sizes().iter().try_fold(extra, |sum, [inputs, outputs]| {
            sum.checked_add(inputs.checked_add(1)?.checked_mul(*outputs)?)
        })
    }
}

/// A table of the layers and their parameters. The inputs of an embedding are its categories.
///
/// # Panics
///
/// On a config that [`MlpConfig::validate`] refuses for its size.
impl fmt::Display for MlpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layer_sizes = self.layer_sizes();
        let hidden = layer_sizes.len() - 1;
        let mut rows: Vec<(String, usize, usize, usize)> = Vec::new();
        for (column, embedding) in self.embeddings.iter().enumerate() {
            let EmbeddingConfig { num_categories, d_embedding } = *embedding;
            let name = format!("embedding {}", column + 1);
            rows.push((name, num_categories, d_embedding, num_categories * d_embedding));
        }
        for (layer, [inputs, outputs]) in layer_sizes.into_iter().enumerate() {
            let parameters = (inputs + 1) * outputs;
            rows.push(if layer == hidden {
                ("output".to_owned(), inputs, outputs, parameters)
            } else {
                let norm = if self.normalization == Normalization::None { 0 } else { 2 * outputs };
                (format!("hidden {}", layer + 1), inputs, outputs, parameters + norm)
            });
        }
        let width = rows.iter().map(|(name, ..)| name.len()).max().map_or(10, |len| len.max(10));
        writeln!(f, "{:<width$} {:>8} {:>8} {:>12}", "layer", "inputs", "outputs", "parameters")?;
        for (name, inputs, outputs, parameters) in rows {
            writeln!(f, "{name:<width$} {inputs:>8} {outputs:>8} {parameters:>12}")?;
        }
        write!(f, "{:<width$} {:>30}", "total", self.num_parameters())
    }
}

/// A multilayer perceptron: category indices replaced by their vectors, hidden layers of linear → normalization → activation → dropout, then
/// one linear layer to the logits.
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_flex::Flex;
/// use kiln_model::MlpConfig;
///
/// let device = Default::default();
/// let model = MlpConfig::new(4, 3).with_hidden(vec![8]).init::<Flex>(&device)?;
/// let logits = model.forward(Tensor::zeros([2, 4], &device));
/// assert_eq!(logits.dims(), [2, 3]);
/// # Ok::<(), kiln_model::ModelError>(())
/// ```
#[derive(Module, Debug)]
pub struct Mlp<B: Backend> {
    /// `[num_categories, d_embedding]` each.
    pub(crate) embeddings: Vec<Param<Tensor<B, 2>>>,
    pub(crate) hidden: Vec<HiddenLayer<B>>,
    pub(crate) output: Linear<B>,
    #[module(skip)]
    pub(crate) activation: Activation,
    #[module(skip)]
    pub(crate) input_dropout: f64,
    pub(crate) dropout: f64,
}

#[derive(Module, Debug)]
pub(crate) struct HiddenLayer<B: Backend> {
    pub(crate) linear: Linear<B>,
    pub(crate) norm: Norm<B>,
}

fn linear<B: Backend>(weights: Tensor<B, 2>) -> Linear<B> {
    let [_, width] = weights.dims();
    let bias = Tensor::zeros([width], &weights.device());
    Linear { weight: Param::from_tensor(weights), bias: Some(Param::from_tensor(bias)) }
}

impl<B: Backend> Mlp<B> {
    /// Features per row, columns of category indices included.
    pub fn d_input(&self) -> usize {
        let first = self.hidden.first().map_or(&self.output, |layer| &layer.linear);
        let vectors: usize = self.embeddings.iter().map(|weight| weight.shape()[1]).sum();
        first.weight.shape()[0] - vectors + self.embeddings.len()
    }

    /// Logits per row.
    pub fn d_output(&self) -> usize {
        self.output.weight.shape()[1]
    }

    /// The vectors of each embedded column, `[num_categories, d_embedding]`.
    pub fn embeddings(&self) -> impl Iterator<Item = &Param<Tensor<B, 2>>> {
        self.embeddings.iter()
    }

    /// The function after each hidden layer.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Features of which the dense ones, which come first, have been through `dropout`.
    pub(crate) fn dense_dropped(
        &self,
        features: Tensor<B, 2>,
        dropout: impl FnOnce(Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let [_, width] = features.dims();
        let dense = width.saturating_sub(self.embeddings.len());
        if self.input_dropout == 0.0 || dense == 0 {
            return features;
        }
        if dense == width {
            return dropout(features);
        }
        let indices = features.clone().narrow(1, dense, width - dense);
        Tensor::cat(vec![dropout(features.narrow(1, 0, dense)), indices], 1)
    }

    /// What goes into the first linear layer.
    pub(crate) fn inputs(&self, features: Tensor<B, 2>) -> Tensor<B, 2> {
        if self.embeddings.is_empty() {
            return features;
        }
        assert_eq!(features.dims()[1], self.d_input(), "the width of the features is not d_input");
        embed(&self.embeddings, features)
    }

    /// The linear layers, from the features to the logits: weights `[inputs, outputs]`, biases
    /// `[outputs]`.
    pub fn layers(&self) -> impl Iterator<Item = &Linear<B>> {
        self.hidden.iter().map(|layer| &layer.linear).chain(std::iter::once(&self.output))
    }

    /// The logits of each row, as in use: no dropout, and running statistics in batch
    /// normalization. A function of weights and features alone, on every backend.
    ///
    /// Category indices are whole numbers below their column's `num_categories`: others are the
    /// caller's mistake, and are taken for the nearest that there is.
    ///
    /// # Shapes
    ///
    /// `[batch_size, d_input]` → `[batch_size, d_output]`
    ///
    /// # Panics
    ///
    /// If the features have another width than `d_input`.
    pub fn forward(&self, features: Tensor<B, 2>) -> Tensor<B, 2> {
        let mut x = self.inputs(features);
        for layer in &self.hidden {
            x = self.activation.forward(layer.norm.forward(layer.linear.forward(x)));
        }
        self.output.forward(x)
    }
}

impl<B: AutodiffBackend> Mlp<B> {
    /// The logits of each row, as in training: features and hidden outputs are dropped at random (from
    /// `rng`; untouched without dropout), and batch normalization uses, and learns from, the batch.
    ///
    /// # Shapes
    ///
    /// `[batch_size, d_input]` → `[batch_size, d_output]`
    ///
    /// # Panics
    ///
    /// If the features have another width than `d_input`.
    pub fn forward_train(&self, features: Tensor<B, 2>, rng: &mut impl Rng) -> Tensor<B, 2> {
        self.forward_dropping(features, |x, rate| dropout(x, rate, rng))
    }

    /// As [`Mlp::forward_train`], of some rows of a batch of `batch_rows`: what is dropped is what that
    /// drops of them, if `rng` stands where it does there. Batch normalization sees these rows only.
    ///
    /// `places` says where in the batch each row stands.
    ///
    /// # Shapes
    ///
    /// `[places.len(), d_input]` → `[places.len(), d_output]`
    ///
    /// # Panics
    ///
    /// If the features have another width than `d_input`.
    pub fn forward_train_part(
        &self,
        features: Tensor<B, 2>,
        rng: &mut ChaCha8Rng,
        places: &[u32],
        batch_rows: usize,
    ) -> Tensor<B, 2> {
        self.forward_dropping(features, |x, rate| dropout_part(x, rate, rng, places, batch_rows))
    }

    fn forward_dropping(
        &self,
        features: Tensor<B, 2>,
        mut dropout: impl FnMut(Tensor<B, 2>, f64) -> Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let mut x = self.inputs(self.dense_dropped(features, |x| dropout(x, self.input_dropout)));
        for layer in &self.hidden {
            x = self.activation.forward(layer.norm.forward_train(layer.linear.forward(x)));
            x = dropout(x, self.dropout);
        }
        self.output.forward(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Autodiff;
    use burn_flex::Flex;
    use burn_ndarray::NdArray;

    fn features<B: Backend>(rows: usize, width: usize) -> Tensor<B, 2> {
        let values: Vec<f32> = (0..rows * width).map(|i| (i as f32 * 0.7).sin()).collect();
        let data = burn::tensor::TensorData::new(values, [rows, width]);
        Tensor::from_data(data, &Default::default())
    }

    fn config() -> MlpConfig {
        MlpConfig::new(5, 3).with_hidden(vec![7, 4]).with_seed(42)
    }

    #[test]
    fn one_seed_is_one_network_on_every_backend() {
        let flex: Vec<f64> = config()
            .init::<Flex>(&Default::default())
            .unwrap()
            .forward(features(6, 5))
            .into_data()
            .iter()
            .collect();
        let ndarray = config().init::<NdArray>(&Default::default()).unwrap();
        let ndarray: Vec<f64> = ndarray.forward(features(6, 5)).into_data().iter().collect();
        for (a, b) in flex.iter().zip(&ndarray) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        let other = config().with_seed(43).init::<Flex>(&Default::default()).unwrap();
        let other: Vec<f64> = other.forward(features(6, 5)).into_data().iter().collect();
        assert_ne!(flex, other);
    }

    #[test]
    fn no_hidden_layers_is_a_linear_model() {
        let model = MlpConfig::new(2, 2).init::<Flex>(&Default::default()).unwrap();
        let logits = |x: [f32; 2]| -> Vec<f32> {
            let x = Tensor::from_floats([x], &Default::default());
            model.forward(x).into_data().to_vec().unwrap()
        };
        let (a, b, sum) = (logits([1.0, 0.0]), logits([0.0, 1.0]), logits([1.0, 1.0]));
        assert!((a[0] + b[0] - sum[0]).abs() < 1e-6 && (a[1] + b[1] - sum[1]).abs() < 1e-6);
    }

    #[test]
    fn parameters_are_counted_as_the_module_counts_them() {
        for normalization in [Normalization::None, Normalization::Layer] {
            let config = config().with_normalization(normalization);
            let model = config.init::<Flex>(&Default::default()).unwrap();
            assert_eq!(config.num_parameters(), model.num_params());
            assert_eq!((model.d_input(), model.d_output()), (5, 3));
        }
        // (5+1)·7 + (7+1)·4 + (4+1)·3, and 2·(7+4) of the batch norms; Burn's own count takes
        // their running statistics for parameters, too.
        assert_eq!(config().num_parameters(), 89);
        let batch_norm = config().with_normalization(Normalization::Batch);
        assert_eq!(batch_norm.num_parameters(), 111);
    }

    #[test]
    fn display_is_a_table_of_the_layers() {
        assert_eq!(
            config().to_string(),
            "layer        inputs  outputs   parameters\n\
             hidden 1          5        7           42\n\
             hidden 2          7        4           32\n\
             output            4        3           15\n\
             total                                  89"
        );
    }

    #[test]
    fn embeddings_are_in_the_table() {
        let config = config()
            .with_embeddings(vec![EmbeddingConfig::new(6, 2), EmbeddingConfig::new(3, 4)])
            .with_normalization(Normalization::Layer);
        assert_eq!(
            config.to_string(),
            "layer         inputs  outputs   parameters\n\
             embedding 1        6        2           12\n\
             embedding 2        3        4           12\n\
             hidden 1           9        7           84\n\
             hidden 2           7        4           40\n\
             output             4        3           15\n\
             total                                  163"
        );
        let model = config.init::<Flex>(&Default::default()).unwrap();
        assert_eq!((model.num_params(), model.d_input()), (163, 5));
    }

    #[test]
    fn a_seed_means_the_weights_it_always_meant() {
        let model = config().init::<Flex>(&Default::default()).unwrap();
        let weights: Vec<f32> = model.output.weight.val().into_data().to_vec().unwrap();
        assert_eq!(weights[..3], [0.17206785, -0.67519134, -0.77876127]);
    }

    #[test]
    fn dropout_acts_in_training_only() {
        type B = Autodiff<Flex>;
        let model = config().with_dropout(0.5).init::<B>(&Default::default()).unwrap();
        let plain = config().init::<B>(&Default::default()).unwrap();
        let x = features::<B>(6, 5);
        let expected = plain.forward(x.clone()).into_data();
        assert_eq!(model.forward(x.clone()).into_data(), expected);
        assert_eq!(plain.forward_train(x.clone(), &mut init_rng(0)).into_data(), expected);
        let train = |seed| model.forward_train(x.clone(), &mut init_rng(seed)).into_data();
        assert_ne!(train(0), expected);
        assert_ne!(train(0), train(1));
        assert_eq!(train(0), train(0));
    }

    #[test]
    fn of_the_features_only_dense_ones_are_dropped() {
        type B = Autodiff<Flex>;
        // A linear model whose weights are 1 and whose second category counts 100.
        let config = MlpConfig::new(3, 1).with_embeddings(vec![EmbeddingConfig::new(2, 1)]);
        let mut model =
            config.with_input_dropout(0.5).init::<B>(&Default::default()).expect("in range");
        model.embeddings[0] = Param::from_data([[0.0], [100.0]], &Default::default());
        model.output.weight = Param::from_data([[1.0], [1.0], [1.0]], &Default::default());
        let row = [1.0, 10.0, 1.0];
        let x = Tensor::<B, 2>::from_data([row; 64], &Default::default());
        let all = model.forward(x.clone()).into_data();
        assert!(all.iter::<f32>().all(|logit| logit == 111.0));
        let seen = model.forward_train(x, &mut init_rng(0)).into_data();
        let mut seen: Vec<f32> = seen.iter().collect();
        seen.sort_by(f32::total_cmp);
        seen.dedup();
        assert_eq!(seen, [100.0, 102.0, 120.0, 122.0]);
    }

    #[test]
    fn wrong_configs_name_the_field_and_its_range() {
        for (config, message) in [
            (MlpConfig::new(0, 1), "`d_input` is 0, expected at least 1"),
            (MlpConfig::new(1, 0), "`d_output` is 0, expected at least 1"),
            (
                config().with_embeddings(vec![EmbeddingConfig::new(2, 1); 6]),
                "`embeddings` is a list of 6, expected at most d_input = 5",
            ),
            (
                config().with_embeddings(vec![EmbeddingConfig::new(0, 1)]),
                "`embeddings[0].num_categories` is 0, expected 1 to 16777216",
            ),
            (
                config().with_embeddings(vec![EmbeddingConfig::new((1 << 24) + 1, 1)]),
                "`embeddings[0].num_categories` is 16777217, expected 1 to 16777216",
            ),
            (
                config()
                    .with_embeddings(vec![EmbeddingConfig::new(2, 1), EmbeddingConfig::new(2, 0)]),
                "`embeddings[1].d_embedding` is 0, expected at least 1",
            ),
            (
                config().with_embeddings(vec![EmbeddingConfig::new(1 << 24, 64); 2]),
                "`embeddings[1]` is 16777216 categories of width 64, \
                 expected at most 2147483647 parameters in all",
            ),
            (
                config().with_embeddings(vec![EmbeddingConfig::new(3, usize::MAX)]),
                "`embeddings[0]` is 3 categories of width 18446744073709551615, \
                 expected at most 2147483647 parameters in all",
            ),
            (
                config()
                    .with_embeddings(vec![EmbeddingConfig::new(1, 30_000)])
                    .with_hidden(vec![100_000]),
                "`hidden` is [100000] for 30004 inputs and 3 outputs, \
                 expected at most 2147483647 parameters in all",
            ),
            (config().with_hidden(vec![3, 0]), "`hidden[1]` is 0, expected at least 1"),
            (
                config().with_input_dropout(1.0),
                "`input_dropout` is 1, expected a fraction in [0, 1)",
            ),
            (config().with_dropout(1.0), "`dropout` is 1, expected a fraction in [0, 1)"),
            (config().with_dropout(-0.1), "`dropout` is -0.1, expected a fraction in [0, 1)"),
            (config().with_dropout(f64::NAN), "`dropout` is NaN, expected a fraction in [0, 1)"),
            (
                config().with_activation(Activation::Elu { alpha: -1.0 }),
                "`activation.alpha` is -1, expected a finite number above 0",
            ),
            (
                config().with_activation(Activation::LeakyRelu { negative_slope: f64::INFINITY }),
                "`activation.negative_slope` is inf, expected a finite number",
            ),
            (
                config().with_initializer(Initializer::Normal { std: 0.0 }),
                "`initializer.std` is 0, expected a finite number above 0",
            ),
            (
                config().with_initializer(Initializer::Uniform { limit: f64::NAN }),
                "`initializer.limit` is NaN, expected a finite number above 0",
            ),
            (
                config().with_hidden(vec![usize::MAX]),
                "`hidden` is [18446744073709551615] for 5 inputs and 3 outputs, \
                 expected at most 2147483647 parameters in all",
            ),
            (
                config().with_hidden(vec![100_000, 100_000]),
                "`hidden` is [100000, 100000] for 5 inputs and 3 outputs, \
                 expected at most 2147483647 parameters in all",
            ),
        ] {
            let error = config.init::<Flex>(&Default::default()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn config_survives_json() {
        let config = config()
            .with_activation(Activation::LeakyRelu { negative_slope: 0.2 })
            .with_normalization(Normalization::Layer)
            .with_initializer(Initializer::Normal { std: 0.1 })
            .with_dropout(0.25)
            .with_embeddings(vec![EmbeddingConfig::new(9, 4)]);
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<MlpConfig>(&json).unwrap(), config);
        let short: MlpConfig = serde_json::from_str(r#"{"d_input": 4, "d_output": 3}"#).unwrap();
        assert_eq!(short, MlpConfig::new(4, 3));
    }
}
