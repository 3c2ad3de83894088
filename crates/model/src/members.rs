use burn::nn::Linear;
use burn::tensor::{Tensor, backend::AutodiffBackend};
use rand::Rng;

use crate::{
    Mlp,
    dropout::{dropout, fill_dropout_factors, masked},
};

/// The logits of several networks of one shape, each of rows of its own, as [`Mlp::forward_train`] gives them of
/// one: layer by layer, by one product of a batch of matrices. A GPU starts a few large operations in place of
/// many small ones, between which it would wait.
///
/// `rngs` has one generator for each network, for what it drops.
///
/// # Shapes
///
/// `[batch_size, d_input]` each → `[members, batch_size, d_output]`
///
/// # Panics
///
/// If the networks have not all the same shape, or the batches not all as many rows; if there are none, or not
/// as many of each.
pub fn forward_train_members<B: AutodiffBackend>(
    models: &[&Mlp<B>],
    features: Vec<Tensor<B, 2>>,
    rngs: &mut [impl Rng],
) -> Tensor<B, 3> {
    let (members, first) = (models.len(), models[0]);
    assert!(features.len() == members && rngs.len() == members, "one of each for a network");
    let inputs =
        models.iter().zip(features).zip(rngs.iter_mut()).map(|((model, features), rng)| {
            model.inputs(model.dense_dropped(features, |x| dropout(x, model.input_dropout, rng)))
        });
    // [members, batch_size, inputs]
    let mut x = Tensor::stack::<3>(inputs.collect(), 0);
    let [_, rows, _] = x.dims();
    for layer in 0..first.hidden.len() {
        let layers = || models.iter().map(|model| &model.hidden[layer]);
        let outputs = linear(layers().map(|layer| &layer.linear), x);
        let [_, _, width] = outputs.dims();
        // What follows knows of no members: [members * batch_size, width]
        let mut outputs = outputs.reshape([members * rows, width]);
        if first.hidden[layer].norm.is_some() {
            let own = layers().zip(outputs.split(rows, 0));
            outputs = Tensor::cat(own.map(|(layer, x)| layer.norm.forward_train(x)).collect(), 0);
        }
        outputs = first.activation.forward(outputs);
        if first.dropout > 0.0 {
            let mut mask = vec![0.0; members * rows * width];
            for (rng, own) in rngs.iter_mut().zip(mask.chunks_exact_mut(rows * width)) {
                fill_dropout_factors(first.dropout, rng, own);
            }
            outputs = masked(outputs, mask);
        }
        x = outputs.reshape([members, rows, width]);
    }
    linear(models.iter().map(|model| &model.output), x)
}

/// `[members, batch_size, inputs]` → `[members, batch_size, outputs]`
fn linear<'a, B: AutodiffBackend>(
    layers: impl Iterator<Item = &'a Linear<B>> + Clone,
    x: Tensor<B, 3>,
) -> Tensor<B, 3> {
    let weights = Tensor::stack::<3>(layers.clone().map(|layer| layer.weight.val()).collect(), 0);
    let biases: Vec<Tensor<B, 1>> =
        layers.filter_map(|layer| layer.bias.as_ref().map(|bias| bias.val())).collect();
    let x = x.matmul(weights);
    match biases.is_empty() {
        true => x,
        // [members, 1, outputs]
        false => x + Tensor::stack::<2>(biases, 0).unsqueeze_dim(1),
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::TensorData;
    use burn_ndarray::NdArray;

    use super::*;
    use crate::{EmbeddingConfig, MlpConfig, Normalization, random::init_rng};

    type B = Autodiff<NdArray<f64>>;

    /// Two numbers, and one of three categories.
    fn features(member: usize) -> Tensor<B, 2> {
        let row = |row: usize| {
            let x = (row + 10 * member) as f64;
            [x.sin(), x.cos(), (row % 3) as f64]
        };
        let values: Vec<f64> = (0..7).flat_map(row).collect();
        Tensor::from_data(TensorData::new(values, [7, 3]), &Default::default())
    }

    #[test]
    fn logits_and_gradients_are_those_of_each_by_itself() {
        for normalization in [Normalization::None, Normalization::Layer, Normalization::Batch] {
            let config = MlpConfig::new(3, 2)
                .with_embeddings(vec![EmbeddingConfig::new(3, 2)])
                .with_hidden(vec![5, 4])
                .with_normalization(normalization)
                .with_input_dropout(0.2)
                .with_dropout(0.3);
            let init =
                |seed| config.clone().with_seed(seed).init::<B>(&Default::default()).unwrap();
            let models = [init(1), init(2), init(3)];
            let numbers =
                |tensor: Tensor<B, 2>| tensor.into_data().iter::<f64>().collect::<Vec<_>>();
            let slopes = |model: &Mlp<B>, gradients: &_| -> Vec<f64> {
                let weights = model.layers().map(|layer| layer.weight.val());
                let all = weights.chain(model.embeddings().map(|vectors| vectors.val()));
                all.flat_map(|of| {
                    of.grad(gradients).unwrap().into_data().iter::<f64>().collect::<Vec<_>>()
                })
                .collect()
            };
            let alone: Vec<(Vec<f64>, Vec<f64>)> = models
                .iter()
                .enumerate()
                .map(|(member, model)| {
                    let model = model.clone();
                    let rng = &mut init_rng(member as u64);
                    let logits = model.forward_train(features(member), rng);
                    let gradients = logits.clone().powi_scalar(2).sum().backward();
                    (numbers(logits), slopes(&model, &gradients))
                })
                .collect();
            let mut rngs: Vec<_> = (0..3).map(init_rng).collect();
            let logits = forward_train_members(
                &models.each_ref(),
                (0..3).map(features).collect(),
                &mut rngs,
            );
            assert_eq!(logits.dims(), [3, 7, 2]);
            let gradients = logits.clone().powi_scalar(2).sum().backward();
            let close = |a: &[f64], b: &[f64]| {
                assert_eq!(a.len(), b.len());
                let far = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(far < 1e-12, "{normalization:?}: {far}");
            };
            let all = logits.split(1, 0).into_iter().zip(&models);
            for ((logits, model), (expected, expected_slopes)) in all.zip(&alone) {
                close(&numbers(logits.squeeze_dim(0)), expected);
                close(&slopes(model, &gradients), expected_slopes);
            }
        }
    }
}
