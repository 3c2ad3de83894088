//! What Burn's optimizers keep, as bytes.
//!
//! Burn files it under the ids of the parameters, which are drawn anew whenever a network is built. Here
//! it stands under their places in the network. The form is CBOR, as Burn's records serialize.

use burn::{
    module::{Module, ModuleVisitor, Param, ParamId},
    record::{DoublePrecisionSettings, FullPrecisionSettings, PrecisionSettings, Record},
    tensor::{DType, Element, Tensor, backend::Backend},
};
use ciborium::Value;
use kiln_model::Mlp;
use thiserror::Error;

/// Why bytes are not what an optimizer keeps of a network.
#[derive(Debug, Error)]
#[error("the optimizer's state: {0}")]
pub(crate) struct RecordError(String);

pub(crate) fn to_bytes<B: Backend>(record: impl Record<B>, model: &Mlp<B>) -> Vec<u8> {
    let value = if B::FloatElem::dtype() == DType::F64 {
        to_value::<B, DoublePrecisionSettings>(record)
    } else {
        to_value::<B, FullPrecisionSettings>(record)
    };
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

fn to_value<B: Backend, S: PrecisionSettings>(record: impl Record<B>) -> Value {
    Value::serialized(&record.into_item::<S>()).expect("records are plain data")
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
    let entries = Value::Map(entries);
    if B::FloatElem::dtype() == DType::F64 {
        from_value::<B, R, DoublePrecisionSettings>(&entries, device)
    } else {
        from_value::<B, R, FullPrecisionSettings>(&entries, device)
    }
    .map_err(|error| unreadable(&error))
}

fn from_value<B: Backend, R: Record<B>, S: PrecisionSettings>(
    value: &Value,
    device: &B::Device,
) -> Result<R, ciborium::value::Error> {
    Ok(R::from_item::<S>(value.deserialized()?, device))
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
    let size = match dtype.and_then(Value::as_text) {
        Some("F32") => 4,
        Some("F64") => 8,
        _ => 0,
    };
    let expected = &parameter.shape;
    let len = bytes.as_bytes().map(Vec::len);
    if found.as_ref() == Some(expected) && len == Some(size * expected.iter().product::<usize>()) {
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
