//! The weights of a network by name, as they stand in files.
//!
//! | Name | Shape | |
//! |---|---|---|
//! | `embeddings.I.weight` | `[num_categories, d_embedding]` | |
//! | `hidden.I.weight`, `output.weight` | `[inputs, outputs]` | PyTorch's `Linear` has it transposed |
//! | `hidden.I.bias`, `output.bias` | `[outputs]` | |
//! | `hidden.I.norm.gamma`, `.norm.beta` | `[outputs]` | scale and shift of a normalization |
//! | `hidden.I.norm.running_mean`, `.norm.running_var` | `[outputs]` | batch normalization only |

use burn::nn::Linear;
use burn::{
    module::{Param, RunningState},
    tensor::{DType, Tensor, TensorData, backend::Backend},
};

use crate::{Mlp, MlpConfig, ModelError, Normalization, mlp::HiddenLayer, norm::Norm};

impl<B: Backend> Mlp<B> {
    /// Every tensor that the network's output depends on, as `f32` on the host: the names and shapes
    /// of [`MlpConfig::tensor_shapes`], in that order. On a backend of another precision, rounded.
    ///
    /// Weights of linear layers are `[inputs, outputs]`, which PyTorch's are transposed.
    pub fn tensors(&self) -> Vec<(String, TensorData)> {
        let exact = self.exact_tensors().into_iter();
        exact.map(|(name, data)| (name, data.convert::<f32>())).collect()
    }

    /// The same, not rounded: as `f64` on a backend of that precision, else as `f32`.
    pub fn exact_tensors(&self) -> Vec<(String, TensorData)> {
        fn host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> TensorData {
            match tensor.into_data() {
                data if data.dtype == DType::F64 => data,
                data => data.convert::<f32>(),
            }
        }
        fn linear<B: Backend>(layer: &Linear<B>, name: &str, to: &mut Vec<(String, TensorData)>) {
            to.push((format!("{name}.weight"), host(layer.weight.val())));
            if let Some(bias) = &layer.bias {
                to.push((format!("{name}.bias"), host(bias.val())));
            }
        }
        let mut tensors = Vec::new();
        for (i, weight) in self.embeddings.iter().enumerate() {
            tensors.push((format!("embeddings.{i}.weight"), host(weight.val())));
        }
        for (i, layer) in self.hidden.iter().enumerate() {
            linear(&layer.linear, &format!("hidden.{i}"), &mut tensors);
            let mut norm = |name: &str, tensor: Tensor<B, 1>| {
                tensors.push((format!("hidden.{i}.norm.{name}"), host(tensor)));
            };
            if let Some(layer) = &layer.norm.layer {
                norm("gamma", layer.gamma.val());
                if let Some(beta) = &layer.beta {
                    norm("beta", beta.val());
                }
            }
            if let Some(batch) = &layer.norm.batch {
                norm("gamma", batch.gamma.val());
                norm("beta", batch.beta.val());
                norm("running_mean", batch.running_mean.value_sync());
                norm("running_var", batch.running_var.value_sync());
            }
        }
        linear(&self.output, "output", &mut tensors);
        tensors
    }
}

impl MlpConfig {
    /// Name and shape of every tensor of the network: see [`Mlp::tensors`].
    ///
    /// `embeddings.0.weight`, `hidden.0.weight`, `hidden.0.bias`, `hidden.0.norm.gamma`,
    /// `hidden.0.norm.beta`, `hidden.0.norm.running_mean`, `hidden.0.norm.running_var`,
    /// `output.weight`, `output.bias`: layers are counted from 0, and what the config does not ask
    /// for is not there.
    ///
    /// The config is one that [`MlpConfig::validate`] has passed.
    pub fn tensor_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut shapes = Vec::new();
        for (i, embedding) in self.embeddings.iter().enumerate() {
            let shape = vec![embedding.num_categories, embedding.d_embedding];
            shapes.push((format!("embeddings.{i}.weight"), shape));
        }
        let norm: &[&str] = match self.normalization {
            Normalization::None => &[],
            Normalization::Batch => &["gamma", "beta", "running_mean", "running_var"],
            Normalization::Layer => &["gamma", "beta"],
        };
        for (i, [inputs, outputs]) in self.layer_sizes().into_iter().enumerate() {
            let hidden = i < self.hidden.len();
            let name = if hidden { format!("hidden.{i}") } else { "output".to_owned() };
            shapes.push((format!("{name}.weight"), vec![inputs, outputs]));
            shapes.push((format!("{name}.bias"), vec![outputs]));
            if hidden {
                shapes
                    .extend(norm.iter().map(|part| (format!("{name}.norm.{part}"), vec![outputs])));
            }
        }
        shapes
    }

    /// The network with the given weights: the inverse of [`Mlp::tensors`]. Nothing is drawn at
    /// random, and nothing is allocated for a tensor whose data is not there.
    ///
    /// `tensor` is asked once for each name of [`MlpConfig::tensor_shapes`].
    ///
    /// # Errors
    ///
    /// As [`MlpConfig::validate`]; and for the first tensor that is missing, is neither `f32` nor `f64`, has
    /// another shape, or holds a number that is not finite or a running variance below 0.
    pub fn from_tensors<B: Backend>(
        &self,
        mut tensor: impl FnMut(&str) -> Option<TensorData>,
        device: &B::Device,
    ) -> Result<Mlp<B>, ModelError> {
        self.validate()?;
        let mut checked = Vec::new();
        for (name, shape) in self.tensor_shapes() {
            let Some(data) = tensor(&name) else {
                return Err(ModelError::TensorMissing { name });
            };
            check(&name, &data, shape)?;
            checked.push(data);
        }

        // Taken below in the order in which `tensor_shapes` names them.
        let mut next = checked.into_iter();
        let mut next = || next.next().expect("one tensor for each name");
        let embeddings = self.embeddings.iter().map(|_| Param::from_data(next(), device)).collect();
        let hidden = self
            .hidden
            .iter()
            .map(|width| HiddenLayer {
                linear: Linear {
                    weight: Param::from_data(next(), device),
                    bias: Some(Param::from_data(next(), device)),
                },
                norm: self.norm_from(*width, &mut next, device),
            })
            .collect();
        let output = Linear {
            weight: Param::from_data(next(), device),
            bias: Some(Param::from_data(next(), device)),
        };
        let Self { activation, input_dropout, dropout, .. } = *self;
        Ok(Mlp { embeddings, hidden, output, activation, input_dropout, dropout })
    }

    fn norm_from<B: Backend>(
        &self,
        width: usize,
        next: &mut impl FnMut() -> TensorData,
        device: &B::Device,
    ) -> Norm<B> {
        let mut norm = self.normalization.init(width, device);
        if let Some(layer) = &mut norm.layer {
            layer.gamma = Param::from_data(next(), device);
            layer.beta = Some(Param::from_data(next(), device));
        }
        if let Some(batch) = &mut norm.batch {
            batch.gamma = Param::from_data(next(), device);
            batch.beta = Param::from_data(next(), device);
            batch.running_mean = RunningState::new(Tensor::from_data(next(), device));
            batch.running_var = RunningState::new(Tensor::from_data(next(), device));
        }
        norm
    }
}

fn check(name: &str, data: &TensorData, expected: Vec<usize>) -> Result<(), ModelError> {
    let name = || name.to_owned();
    if !matches!(data.dtype, DType::F32 | DType::F64) {
        return Err(ModelError::TensorType { name: name(), found: format!("{:?}", data.dtype) });
    }
    let found = data.shape.to_vec();
    if found != expected {
        return Err(ModelError::TensorShape { name: name(), found, expected });
    }
    let variance = name().ends_with(".running_var");
    let wrong = |value: f64| !value.is_finite() || (variance && value < 0.0);
    match data.iter::<f64>().enumerate().find(|(_, value)| wrong(*value)) {
        None => Ok(()),
        Some((index, value)) => Err(ModelError::TensorValue {
            name: name(),
            found: value.to_string(),
            index,
            expected: format!("a finite number{}", if variance { ", 0 or more" } else { "" }),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EmbeddingConfig, random::init_rng};
    use burn::backend::Autodiff;
    use burn::module::Module;
    use burn_flex::Flex;
    use burn_ndarray::NdArray;

    fn config(normalization: Normalization) -> MlpConfig {
        MlpConfig::new(4, 2)
            .with_hidden(vec![5, 3])
            .with_normalization(normalization)
            .with_embeddings(vec![EmbeddingConfig::new(6, 2)])
            .with_seed(11)
    }

    fn features<B: Backend>() -> Tensor<B, 2> {
        let rows = [[0.5, 1.0, -2.0, 5.0], [1.5, 0.0, 0.25, 0.0], [-0.5, 3.0, 1.0, 2.0]];
        Tensor::from_floats(rows, &Default::default())
    }

    fn load<B: Backend>(
        config: &MlpConfig,
        tensors: &[(String, TensorData)],
    ) -> Result<Mlp<B>, ModelError> {
        let find = |name: &str| tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone());
        config.from_tensors(find, &Default::default())
    }

    #[test]
    fn weights_survive_the_round_trip_bit_for_bit() {
        type A = Autodiff<Flex>;
        for normalization in [Normalization::None, Normalization::Layer, Normalization::Batch] {
            let config = config(normalization);
            let model = config.init::<A>(&Default::default()).unwrap();
            model.forward_train(features(), &mut init_rng(0)); // moves the running statistics
            let tensors = model.tensors();
            let shapes: Vec<(String, Vec<usize>)> =
                tensors.iter().map(|(name, t)| (name.clone(), t.shape.to_vec())).collect();
            assert_eq!(shapes, config.tensor_shapes());

            let loaded: Mlp<A> = load(&config, &tensors).unwrap();
            assert_eq!(loaded.tensors(), tensors);
            assert_eq!(loaded.num_params(), model.num_params());
            let logits = |model: &Mlp<A>| model.forward(features()).into_data();
            assert_eq!(logits(&loaded), logits(&model));
            // What is loaded can be trained further.
            let gradients = loaded.forward(features()).sum().backward();
            assert!(loaded.output.weight.val().grad(&gradients).is_some());

            let other: Mlp<NdArray> = load(&config, &tensors).unwrap();
            assert_eq!(other.tensors(), tensors);
        }
    }

    #[test]
    fn names_are_those_of_the_documentation() {
        let names: Vec<String> = config(Normalization::Batch)
            .with_hidden(vec![5])
            .tensor_shapes()
            .into_iter()
            .map(|(name, shape)| format!("{name} {shape:?}"))
            .collect();
        assert_eq!(
            names,
            [
                "embeddings.0.weight [6, 2]",
                "hidden.0.weight [5, 5]",
                "hidden.0.bias [5]",
                "hidden.0.norm.gamma [5]",
                "hidden.0.norm.beta [5]",
                "hidden.0.norm.running_mean [5]",
                "hidden.0.norm.running_var [5]",
                "output.weight [5, 2]",
                "output.bias [2]",
            ]
        );
    }

    #[test]
    fn wrong_tensors_are_named() {
        let config = config(Normalization::Batch);
        let tensors = config.init::<Flex>(&Default::default()).unwrap().tensors();
        let message = |name: &str, data: Option<TensorData>| {
            let mut tensors = tensors.clone();
            let at = tensors.iter().position(|(n, _)| n == name).unwrap();
            match data {
                Some(data) => tensors[at].1 = data,
                None => drop(tensors.remove(at)),
            }
            load::<Flex>(&config, &tensors).unwrap_err().to_string()
        };
        let bias = |values: [f32; 2]| Some(TensorData::from(values));
        assert_eq!(message("output.bias", None), "there is no tensor `output.bias`");
        assert_eq!(
            message("output.bias", Some(TensorData::from([1_i32, 2]))),
            "tensor `output.bias` holds I32, expected F32"
        );
        assert_eq!(
            message("output.bias", Some(TensorData::from([[1.0_f32, 2.0]]))),
            "tensor `output.bias` has shape [1, 2], expected [2]"
        );
        assert_eq!(
            message("output.bias", bias([1.0, f32::NAN])),
            "tensor `output.bias` holds NaN at 1 (counted from 0), expected a finite number"
        );
        assert_eq!(
            message("hidden.0.norm.running_var", Some(TensorData::from([1_f32, 1., 1., -1., 1.]))),
            "tensor `hidden.0.norm.running_var` holds -1 at 3 (counted from 0), expected a finite \
             number, 0 or more"
        );
        let error = load::<Flex>(&config.with_dropout(1.0), &tensors).unwrap_err();
        assert_eq!(error.to_string(), "`dropout` is 1, expected a fraction in [0, 1)");
    }
}
