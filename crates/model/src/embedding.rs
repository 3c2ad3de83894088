use burn::{
    module::Param,
    tensor::{Tensor, backend::Backend},
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{Activation, Initializer, ModelError};

/// A feature column of category indices, each category of which the network learns as a vector
/// (Guo & Berkhahn 2016, arXiv:1604.06737).
///
/// It says the same as one-hot columns that go through a linear layer without bias, but stores no
/// zeros and multiplies by none.
///
/// | Name | Purpose | Range |
/// |---|---|---|
/// | `num_categories` | indices are 0 to `num_categories` − 1 | 1 to 2²⁴ |
/// | `d_embedding` | width of each category's vector | ≥ 1 |
///
/// The vectors are drawn from N(0, 1 / `d_embedding`), so that a vector has length 1 on average
/// however wide it is, and weighs as much as one standardised feature: the scale of Gorishniy et al.
/// 2021 (arXiv:2106.11959), who draw them uniformly from ±1/√`d_embedding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingConfig {
    /// How many categories the column tells apart.
    pub num_categories: usize,
    /// Width of each category's vector.
    pub d_embedding: usize,
}

impl EmbeddingConfig {
    /// Most categories of one column: up to 2²⁴ an `f32` holds every whole number.
    pub const MAX_CATEGORIES: usize = 1 << 24;

    /// Vectors of width `d_embedding` for `num_categories` categories.
    pub fn new(num_categories: usize, d_embedding: usize) -> Self {
        Self { num_categories, d_embedding }
    }

    pub(crate) fn validate(&self, column: usize) -> Result<(), ModelError> {
        let Self { num_categories, d_embedding } = *self;
        if !(1..=Self::MAX_CATEGORIES).contains(&num_categories) {
            return Err(ModelError::field(
                format!("embeddings[{column}].num_categories"),
                num_categories,
                format!("1 to {}", Self::MAX_CATEGORIES),
            ));
        }
        if d_embedding == 0 {
            let field = format!("embeddings[{column}].d_embedding");
            return Err(ModelError::field(field, 0, "at least 1"));
        }
        Ok(())
    }

    pub(crate) fn checked_num_parameters(&self) -> Option<usize> {
        self.num_categories.checked_mul(self.d_embedding)
    }

    /// # Shapes
    ///
    /// `[num_categories, d_embedding]`
    pub(crate) fn weights<B: Backend>(
        &self,
        rng: &mut impl Rng,
        device: &B::Device,
    ) -> Tensor<B, 2> {
        let std = 1.0 / (self.d_embedding as f64).sqrt();
        let shape = [self.num_categories, self.d_embedding];
        Initializer::Normal { std }.weights(shape, Activation::Identity, rng, device)
    }
}

/// Replaces the last columns, of category indices, by the vectors of those categories.
///
/// # Shapes
///
/// `[batch_size, d_dense + embeddings]` → `[batch_size, d_dense + Σ d_embedding]`
pub(crate) fn embed<B: Backend>(
    embeddings: &[Param<Tensor<B, 2>>],
    features: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let [batch_size, width] = features.dims();
    let d_dense = width - embeddings.len();
    let indices = features.clone().narrow(1, d_dense, embeddings.len()).int();
    let mut parts = Vec::with_capacity(embeddings.len() + 1);
    if d_dense > 0 {
        parts.push(features.narrow(1, 0, d_dense));
    }
    for (column, weight) in embeddings.iter().enumerate() {
        let last = weight.shape()[0] as i64 - 1;
        let indices = indices.clone().narrow(1, column, 1).reshape([batch_size]).clamp(0, last);
        parts.push(weight.val().select(0, indices)); // [batch_size, d_embedding]
    }
    Tensor::cat(parts, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mlp, MlpConfig};
    use burn::backend::Autodiff;
    use burn::{
        module::Module,
        tensor::{Int, TensorData, backend::AutodiffBackend},
    };
    use burn_flex::Flex;
    use burn_ndarray::NdArray;

    // One dense column, then one of 3 categories and one of 2.
    const FEATURES: [[f32; 3]; 4] =
        [[0.5, 0.0, 1.0], [-1.0, 2.0, 0.0], [2.0, 2.0, 1.0], [0.1, 0.0, 0.0]];

    fn config() -> MlpConfig {
        MlpConfig::new(3, 2)
            .with_hidden(vec![4])
            .with_activation(Activation::Tanh)
            .with_embeddings(vec![EmbeddingConfig::new(3, 2), EmbeddingConfig::new(2, 3)])
            .with_seed(7)
    }

    /// Logits and the gradients of both embeddings, of the network and of the one that multiplies
    /// one-hot columns by the same matrices.
    fn looked_up_and_multiplied<A: AutodiffBackend>() -> [Vec<Vec<f64>>; 2] {
        let device = Default::default();
        let model: Mlp<A> = config().init(&device).unwrap();
        let plain: Mlp<A> = {
            let shapes = model.tensors();
            let config = MlpConfig { d_input: 1 + 2 + 3, embeddings: Vec::new(), ..config() };
            let find = |name: &str| shapes.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone());
            config.from_tensors(find, &device).unwrap()
        };
        let matrices: Vec<Tensor<A, 2>> =
            model.embeddings.iter().map(|e| e.val().detach().require_grad()).collect();
        let one_hot = |column: usize, classes: usize| -> Tensor<A, 2> {
            let indices: Vec<i64> = FEATURES.iter().map(|row| row[column] as i64).collect();
            Tensor::<A, 1, Int>::from_data(TensorData::new(indices, [4]), &device)
                .one_hot::<2>(classes)
                .float()
        };

        let results = |logits: Tensor<A, 2>, weights: &[Tensor<A, 2>]| {
            let targets = Tensor::from_floats([[0.3, -0.2]], &device);
            let gradients = (logits.clone() - targets).powi_scalar(2).sum().backward();
            let gradients = weights.iter().map(|w| w.grad(&gradients).unwrap().into_data());
            std::iter::once(logits.into_data())
                .chain(gradients)
                .map(|data| data.iter().collect())
                .collect()
        };
        let looked_up = model.forward(Tensor::from_floats(FEATURES, &device));
        let dense = Tensor::from_floats(FEATURES.map(|row| [row[0]]), &device);
        let multiplied = plain.forward(Tensor::cat(
            vec![
                dense,
                one_hot(1, 3).matmul(matrices[0].clone()),
                one_hot(2, 2).matmul(matrices[1].clone()),
            ],
            1,
        ));
        let weights: Vec<_> = model.embeddings.iter().map(|e| e.val()).collect();
        [results(looked_up, &weights), results(multiplied, &matrices)]
    }

    #[test]
    fn looking_up_equals_one_hot_times_matrix_in_logits_and_gradients() {
        fn check<A: AutodiffBackend>(tolerance: f64) {
            let [looked_up, multiplied] = looked_up_and_multiplied::<A>();
            for (a, b) in looked_up.iter().flatten().zip(multiplied.iter().flatten()) {
                assert!((a - b).abs() < tolerance, "{looked_up:?} {multiplied:?}");
            }
            // Category 1 of the first column is in no row, the others are.
            let rows: Vec<bool> = looked_up[1].chunks(2).map(|row| row != [0.0, 0.0]).collect();
            assert_eq!(rows, [true, false, true]);
        }
        check::<Autodiff<Flex>>(1e-6);
        check::<Autodiff<NdArray>>(1e-6);
        check::<Autodiff<NdArray<f64>>>(1e-12);
    }

    #[test]
    fn indices_out_of_range_are_clamped() {
        let model: Mlp<Flex> = config().init(&Default::default()).unwrap();
        let logits = |a: f32, b: f32| {
            let x = Tensor::from_floats([[0.5, a, b]], &Default::default());
            model.forward(x).into_data()
        };
        assert_eq!(logits(3.0, -1.0), logits(2.0, 0.0));
        assert_eq!(logits(f32::INFINITY, f32::NEG_INFINITY), logits(2.0, 0.0));
        assert_ne!(logits(2.0, 0.0), logits(1.0, 0.0));
    }

    #[test]
    fn a_network_may_have_nothing_but_embeddings() {
        let config = MlpConfig::new(1, 2).with_embeddings(vec![EmbeddingConfig::new(5, 3)]);
        let model: Mlp<Flex> = config.init(&Default::default()).unwrap();
        assert_eq!((model.d_input(), config.layer_sizes()), (1, vec![[3, 2]]));
        assert_eq!((config.num_parameters(), model.num_params()), (15 + 8, 15 + 8));
        let logits = model.forward(Tensor::from_floats([[4.0], [0.0]], &Default::default()));
        assert_eq!(logits.dims(), [2, 2]);
    }

    #[test]
    fn vectors_have_length_one_on_average() {
        let config = EmbeddingConfig::new(2000, 16);
        let weights = config.weights::<Flex>(&mut crate::random::init_rng(3), &Default::default());
        let squares: f64 = weights.into_data().iter::<f64>().map(|v| v * v).sum();
        assert!((squares / 2000.0 - 1.0).abs() < 0.03, "{squares}");
    }
}
