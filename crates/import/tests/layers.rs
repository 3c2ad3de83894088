//! Networks of PyTorch and Keras, by their tensors.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;
use kiln_import::Layers;
use kiln_model::{Activation, Normalization};
use proptest::prelude::*;

type Tensors = BTreeMap<String, TensorData>;

/// Numbers that are all different, and no whole ones.
fn numbers(shape: &[usize], seed: usize) -> TensorData {
    let len: usize = shape.iter().product();
    let value = |i: usize| ((i * 37 + seed * 11) % 101) as f32 / 50.0 - 1.01;
    TensorData::new((0..len).map(value).collect::<Vec<f32>>(), shape.to_vec())
}

fn tensors(shapes: &[(&str, &[usize])]) -> Tensors {
    let named = shapes.iter().enumerate();
    named.map(|(seed, (name, shape))| ((*name).to_owned(), numbers(shape, seed))).collect()
}

fn values(data: &TensorData) -> Vec<f64> {
    data.iter().collect()
}

/// Logits of three rows.
fn logits(layers: &Layers, activation: Activation) -> Vec<f64> {
    let config = layers.config().with_activation(activation);
    let network = layers.network::<Flex>(&config, &Default::default()).unwrap();
    let rows = Tensor::from_data(numbers(&[3, config.d_input], 5), &Default::default());
    values(&network.forward(rows).into_data())
}

/// `rows · weight + bias` in f64, the weight `[inputs, outputs]`.
fn linear(rows: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let inputs = weight.len() / bias.len();
    let output = |row: &[f64], output: usize| {
        let column = weight.iter().skip(output).step_by(bias.len());
        row.iter().zip(column).map(|(x, w)| x * w).sum::<f64>() + bias[output]
    };
    rows.chunks(inputs).flat_map(|row| (0..bias.len()).map(move |o| output(row, o))).collect()
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{found} {expected}");
    }
}

/// `[outputs, inputs]` to `[inputs, outputs]`.
fn transposed(data: &TensorData) -> Vec<f64> {
    let values = values(data);
    let inputs = data.shape[1];
    (0..inputs)
        .flat_map(|i| values.iter().skip(i).step_by(inputs).copied().collect::<Vec<_>>())
        .collect()
}

#[test]
fn a_sequential_of_pytorch_computes_what_its_tensors_say() {
    let tensors = tensors(&[
        ("0.weight", &[4, 2]),
        ("0.bias", &[4]),
        ("2.weight", &[3, 4]),
        ("2.bias", &[3]),
    ]);
    let rows = values(&numbers(&[3, 2], 5));
    let hidden = linear(&rows, &transposed(&tensors["0.weight"]), &values(&tensors["0.bias"]));
    let hidden: Vec<f64> = hidden.into_iter().map(f64::tanh).collect();
    let expected = linear(&hidden, &transposed(&tensors["2.weight"]), &values(&tensors["2.bias"]));
    let layers = Layers::recognise(tensors, None, None).unwrap();
    assert_eq!(layers.names(), ["0", "2"]);
    close(&logits(&layers, Activation::Tanh), &expected);
}

#[test]
fn a_model_of_keras_computes_what_its_variables_say() {
    let mut tensors = tensors(&[
        ("net/dense/kernel", &[2, 4]),
        ("net/dense/bias", &[4]),
        ("net/batch_normalization/gamma", &[4]),
        ("net/batch_normalization/beta", &[4]),
        ("net/batch_normalization/moving_mean", &[4]),
        ("net/dense_1/kernel", &[4, 3]),
        ("net/dense_1/bias", &[3]),
    ]);
    let variance = [1e-4_f32, 0.5, 2.0, 0.0];
    tensors.insert("net/batch_normalization/moving_variance".into(), variance.into());
    tensors.insert("net/dropout/seed_generator_state".into(), [1_i64, 2].into());
    let get = |name: &str| values(&tensors[&format!("net/{name}")]);
    let rows = values(&numbers(&[3, 2], 5));
    let mut hidden = linear(&rows, &get("dense/kernel"), &get("dense/bias"));
    let norm = |part: &str| get(&format!("batch_normalization/{part}"));
    for row in hidden.chunks_mut(4) {
        for (unit, x) in row.iter_mut().enumerate() {
            let z = (*x - norm("moving_mean")[unit]) / (f64::from(variance[unit]) + 1e-3).sqrt();
            *x = (z * norm("gamma")[unit] + norm("beta")[unit]).max(0.0);
        }
    }
    let expected = linear(&hidden, &get("dense_1/kernel"), &get("dense_1/bias"));
    let layers = Layers::recognise(tensors, None, None).unwrap();
    assert_eq!(layers.config().normalization, Normalization::Batch);
    close(&logits(&layers, Activation::Relu), &expected);
}

#[test]
fn layer_normalization_keeps_its_epsilon() {
    let tensors = tensors(&[
        ("dense/kernel", &[2, 4]),
        ("dense/bias", &[4]),
        ("layer_normalization/gamma", &[4]),
        ("layer_normalization/beta", &[4]),
        ("dense_1/kernel", &[4, 1]),
        ("dense_1/bias", &[1]),
    ]);
    for epsilon in [None, Some(0.1)] {
        let mut hidden = linear(
            &values(&numbers(&[3, 2], 5)),
            &values(&tensors["dense/kernel"]),
            &values(&tensors["dense/bias"]),
        );
        for row in hidden.chunks_mut(4) {
            let mean = row.iter().sum::<f64>() / 4.0;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4.0;
            let spread = (variance + epsilon.unwrap_or(1e-3)).sqrt();
            let gamma = values(&tensors["layer_normalization/gamma"]);
            let beta = values(&tensors["layer_normalization/beta"]);
            for (unit, x) in row.iter_mut().enumerate() {
                *x = ((*x - mean) / spread * gamma[unit] + beta[unit]).max(0.0);
            }
        }
        let expected =
            linear(&hidden, &values(&tensors["dense_1/kernel"]), &values(&tensors["dense_1/bias"]));
        let layers = Layers::recognise(tensors.clone(), None, epsilon).unwrap();
        close(&logits(&layers, Activation::Relu), &expected);
    }
}

#[test]
fn layers_follow_each_other_by_number_and_may_lack_a_bias() {
    let shapes: Vec<(String, [usize; 2])> =
        (1..=11).map(|layer| (format!("fc{layer}.weight"), [layer + 1, layer])).collect();
    let shapes: Vec<(&str, &[usize])> = shapes.iter().map(|(n, s)| (n.as_str(), &s[..])).collect();
    let layers = Layers::recognise(tensors(&shapes), None, None).unwrap();
    assert_eq!(layers.names()[9..], ["fc10", "fc11"]);
    assert_eq!(layers.config().hidden, (2..=11).collect::<Vec<_>>());
}

#[test]
fn an_order_may_be_said() {
    let tensors = tensors(&[("input.weight", &[4, 2]), ("head.weight", &[1, 4])]);
    let message = |order: Option<&[&str]>| {
        let order =
            order.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        match Layers::recognise(tensors.clone(), order.as_deref(), None) {
            Ok(layers) => layers.names().join(" "),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(
        message(None),
        "layer `head` gives 1 numbers, and `input`, the next by name, takes 2: if this is not their order, say it"
    );
    assert_eq!(message(Some(&["input", "head"])), "input head");
    let expected = "expected an order of `head`, `input`";
    assert_eq!(message(Some(&["input"])), format!("the layers are said to be `input`, {expected}"));
    assert_eq!(
        message(Some(&["input", "head", "head"])),
        format!("the layers are said to be `input`, `head`, `head`, {expected}")
    );
}

#[test]
fn what_is_no_such_network_is_named() {
    let message = |shapes: &[(&str, &[usize])]| {
        Layers::recognise(tensors(shapes), None, None).unwrap_err().to_string()
    };
    assert_eq!(message(&[]), "there is no linear layer among the tensors, expected one at least");
    assert_eq!(
        message(&[("conv.weight", &[8, 1, 3, 3]), ("conv.bias", &[8])]),
        "the tensors of `conv` are `bias` [8], `weight` [8, 1, 3, 3], expected those of a linear layer (`weight` \
         [outputs, inputs], or Keras's `kernel` [inputs, outputs], and `bias`), of a batch normalization or of a \
         layer normalization"
    );
    assert_eq!(
        message(&[("0.weight", &[4, 2]), ("0.bias", &[5])]),
        "tensor `0.bias` has shape [5], expected [4]"
    );
    let norm: [(&str, &[usize]); 2] = [("2.weight", &[4]), ("2.bias", &[4])];
    assert_eq!(
        message(&[("0.weight", &[4, 2]), norm[0], norm[1], ("3.weight", &[1, 4])]),
        "normalization `2` is not the next module after `0`, expected it between a layer and its activation"
    );
    assert_eq!(
        message(&[("0.weight", &[4, 2]), norm[0], norm[1]]),
        "1 normalizations for 0 hidden layers, expected one behind each hidden layer, or none"
    );
    let whole = [("0.weight".to_owned(), TensorData::from([[1_i64, 2]]))];
    assert_eq!(
        Layers::recognise(whole.into(), None, None).unwrap_err().to_string(),
        "tensor `0.weight` holds I64, expected numbers of floating point"
    );
}

proptest! {
    /// Whatever tensors there are, they are a network that can be made, or an error.
    #[test]
    fn no_tensors_make_it_panic(
        tensors in prop::collection::btree_map(
            "(([a0-2]|embeddings\\.[01])[./])?(weight|bias|kernel|gamma|beta|running_mean|running_var|moving_mean|moving_variance|x)",
            prop::collection::vec(0_usize..4, 0..4),
            0..8,
        ),
        epsilon in prop::option::of(any::<f64>()),
    ) {
        let tensors = tensors.into_iter().map(|(name, shape)| (name, numbers(&shape, 1))).collect();
        if let Ok(layers) = Layers::recognise(tensors, None, epsilon) {
            let _ = layers.network::<Flex>(&layers.config(), &Default::default());
        }
    }
}
