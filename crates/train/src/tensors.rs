use std::collections::BTreeMap;

use burn::tensor::{Element, TensorData};

/// Tensors by name.
pub(crate) type Tensors = BTreeMap<String, TensorData>;

/// A tensor of so many numbers.
pub(crate) fn take<E: Element>(
    tensors: &mut Tensors,
    name: &str,
    len: usize,
) -> Result<Vec<E>, String> {
    let data = tensors.remove(name).ok_or_else(|| format!("there is no tensor `{name}`"))?;
    let (found, dtype) = (data.num_elements(), data.dtype);
    match data.into_vec() {
        Ok(values) if found == len => Ok(values),
        _ => Err(format!("tensor `{name}` has {found} numbers of {dtype:?}, expected {len}")),
    }
}
