//! What Burn's optimizers keep, as bytes.
//!
//! Burn files it under the ids of the parameters, which are drawn anew whenever a network is built. Here
//! it stands under their places in the network. The form is CBOR, as Burn's records serialize.

use burn::{
    module::{Module, ModuleVisitor, Param, ParamId},
    record::{DoublePrecisionSettings, Record},
    tensor::{Tensor, backend::Backend},
};
use ciborium::Value;
use kiln_model::Mlp;
use thiserror::Error;

/// Holds the numbers of every backend, `f64` ones included.
type Precision = DoublePrecisionSettings;

/// Why bytes are not what an optimizer keeps of a network.
#[derive(Debug, Error)]
#[error("the optimizer's state: {0}")]
pub(crate) struct RecordError(String);

pub(crate) fn to_bytes<B: Backend>(record: impl Record<B>, model: &Mlp<B>) -> Vec<u8> {
    let value = Value::serialized(&record.into_item::<Precision>()).expect("plain data");
    let Value::Map(entries) = value else { unreachable!("a record of parameters by their ids") };
    let mut by_place: Vec<(usize, Value)> = Vec::new();
    let parameters = parameters(model);
    for (id, state) in entries {
        // A parameter of another network would be left out; there is none.
        let place = parameters.iter().position(|p| Some(p.id.serialize().as_str()) == id.as_text());
        by_place.extend(place.map(|place| (place, state)));
    }
    by_place.sort_by_key(|(place, _)| *place);
    let entries =
        by_place.into_iter().map(|(place, state)| (Value::from(place as u64), state)).collect();
    let mut bytes = Vec::new();
    ciborium::into_writer(&Value::Map(entries), &mut bytes).expect("a vector takes everything");
    bytes
}

pub(crate) fn from_bytes<B: Backend, R: Record<B>>(
    bytes: &[u8],
    model: &Mlp<B>,
    device: &B::Device,
) -> Result<R, RecordError> {
    let parameters = parameters(model);
    let unreadable = |error: &dyn std::fmt::Display| RecordError(error.to_string());
    let Value::Map(mut entries) = ciborium::from_reader(bytes).map_err(|e| unreadable(&e))? else {
        return Err(RecordError("found no map, expected one by parameter".to_owned()));
    };
    for (key, state) in &mut entries {
        let place = key.as_integer().and_then(|place| usize::try_from(place).ok());
        let Some(parameter) = place.and_then(|place| parameters.get(place)) else {
            let found = format!("{key:?}");
            let expected = format!("a parameter's place below {}", parameters.len());
            return Err(RecordError(format!("found {found}, expected {expected}")));
        };
        // Burn would panic at what does not fit, now or at the next step.
        check(state, parameter)?;
        *key = Value::Text(parameter.id.serialize());
    }
    let item = Value::Map(entries).deserialized().map_err(|e| unreadable(&e))?;
    Ok(R::from_item::<Precision>(item, device))
}

/// Whether every tensor of a state is as large as the parameter.
fn check(state: &Value, parameter: &Parameter) -> Result<(), RecordError> {
    match state {
        Value::Map(entries) => {
            let entry = |name: &str| {
                let found = entries.iter().find(|(key, _)| key.as_text() == Some(name));
                found.map(|(_, value)| value)
            };
            if let Some(bytes) = entry("bytes") {
                return check_tensor(bytes, entry("shape"), entry("dtype"), parameter);
            }
            entries.iter().try_for_each(|(key, value)| {
                let rank = key.as_text().and_then(|key| key.strip_prefix("Rank"));
                let expected = parameter.shape.len().to_string();
                if rank.is_some_and(|rank| rank != expected) {
                    let shape = &parameter.shape;
                    let problem = format!("found {key:?}, expected that of shape {shape:?}");
                    return Err(RecordError(problem));
                }
                check(value, parameter)
            })
        }
        Value::Array(values) => values.iter().try_for_each(|value| check(value, parameter)),
        _ => Ok(()),
    }
}

fn check_tensor(
    bytes: &Value,
    shape: Option<&Value>,
    dtype: Option<&Value>,
    parameter: &Parameter,
) -> Result<(), RecordError> {
    let found: Option<Vec<usize>> = shape.and_then(|shape| shape.deserialized().ok());
    let is_double = dtype.and_then(Value::as_text) == Some("F64");
    let expected = &parameter.shape;
    let len = bytes.as_bytes().map(Vec::len);
    let fits =
        found.as_ref() == Some(expected) && len == Some(8 * expected.iter().product::<usize>());
    if is_double && fits {
        return Ok(());
    }
    Err(RecordError(format!(
        "found a tensor of shape {found:?}, type {dtype:?} and {len:?} bytes, expected {expected:?}"
    )))
}

struct Parameter {
    id: ParamId,
    shape: Vec<usize>,
}

/// In the order of the network.
fn parameters<B: Backend>(model: &Mlp<B>) -> Vec<Parameter> {
    struct Visitor(Vec<Parameter>);
    impl<B: Backend> ModuleVisitor<B> for Visitor {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            self.0.push(Parameter { id: param.id, shape: param.dims().to_vec() });
        }
    }
    let mut visitor = Visitor(Vec::new());
    model.visit(&mut visitor);
    visitor.0
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::module::AutodiffModule;
    use burn::optim::GradientsParams;
    use burn_ndarray::NdArray;
    use kiln_model::MlpConfig;

    use super::*;
    use crate::optimizer::{OptimizerConfig, Step};

    type B = Autodiff<NdArray<f64>>;
    type Optimizer = Box<dyn Step<B>>;

    fn steps(optimizer: &mut Optimizer, mut model: Mlp<B>, count: usize) -> Mlp<B> {
        for at in 0..count {
            let features =
                Tensor::from_floats([[0.5, at as f32], [-1.0, 2.0]], &Default::default());
            let loss = model.forward(features).powi_scalar(2).sum();
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(0.1, model, gradients);
        }
        model
    }

    /// A network whose parameters have other ids.
    fn another(config: &MlpConfig, model: &Mlp<B>) -> Mlp<B> {
        let mut tensors: std::collections::HashMap<_, _> =
            model.valid().exact_tensors().into_iter().collect();
        config.from_tensors(|name| tensors.remove(name), &Default::default()).unwrap()
    }

    #[test]
    fn moments_survive_a_network_whose_parameters_have_new_ids() {
        let config = MlpConfig::new(2, 1).with_hidden(vec![3]);
        let start = config.init::<B>(&Default::default()).unwrap();
        for name in ["momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "adan"] {
            let rule: OptimizerConfig = name.parse().unwrap();
            let mut straight: Optimizer = rule.init();
            let half = steps(&mut straight, start.clone(), 3);
            let saved = straight.save(&half);
            let expected = steps(&mut straight, half.clone(), 2).exact_tensors();

            let model = another(&config, &half);
            assert_ne!(parameters(&model)[0].id, parameters(&half)[0].id);
            let mut forgetful: Optimizer = rule.init();
            let without = steps(&mut forgetful, model.clone(), 2).exact_tensors();
            assert_ne!(without, expected, "{name} keeps nothing that matters");
            let mut loaded = rule.init().load(&saved, &model, &Default::default()).unwrap();
            assert_eq!(steps(&mut loaded, model, 2).exact_tensors(), expected, "{name}");
        }
    }

    #[test]
    fn a_state_that_does_not_fit_is_an_error() {
        let rule = OptimizerConfig::adam();
        let config = MlpConfig::new(2, 1).with_hidden(vec![3]);
        let start = config.init::<B>(&Default::default()).unwrap();
        let mut optimizer: Optimizer = rule.init();
        let model = steps(&mut optimizer, start, 1);
        let saved = optimizer.save(&model);
        let load = |bytes: &[u8], model: &Mlp<B>| {
            let loaded = rule.init().load(bytes, model, &Default::default());
            loaded.err().map(|error| error.to_string())
        };
        assert_eq!(load(&saved, &model), None);
        let wider = config.clone().with_hidden(vec![4]).init::<B>(&Default::default()).unwrap();
        let message = load(&saved, &wider).unwrap();
        assert!(message.starts_with("the optimizer's state: found a tensor of shape Some([2, 3])"));
        let linear = config.with_hidden(vec![]).init::<B>(&Default::default()).unwrap();
        assert!(load(&saved, &linear).is_some());
        for at in 0..saved.len() {
            assert!(load(&saved[..at], &model).is_some(), "{at}");
        }
    }
}
