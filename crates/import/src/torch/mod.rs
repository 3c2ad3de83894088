//! Files that `torch.save(model.state_dict(), FILE)` writes: a ZIP archive with a pickle, `data.pkl`, and the bytes of
//! each storage, `data/0` and so on (PyTorch's `torch/serialization.py`; since 1.6).
//!
//! Not by burn-store, whose reader ignores strides, fills with zeros what is cut off, and allocates what a shape claims.

mod pickle;

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
};

use burn::tensor::TensorData;
use safetensors::tensor::TensorView;
use zip::{ZipArchive, read::ZipFile};

use crate::ImportError;
use pickle::{Storage, Strided};

/// Some thousand tensors; what unpickling takes is a small multiple.
const MAX_PICKLE: u64 = 1 << 20;

/// The tensors of a PyTorch `state_dict`, as [`Layers::recognise`](crate::Layers::recognise) takes them.
///
/// Nothing of the file is run: of a pickle's instructions only those that build dictionaries of tensors are known.
/// Whatever the bytes are, there is no panic, and no more memory is taken than a small multiple of their number.
///
/// # Errors
///
/// [`ImportError::Torch`]: a file that cannot be read, is damaged, or holds anything but a dictionary of tensors.
pub fn read_torch(mut file: impl Read + Seek) -> Result<BTreeMap<String, TensorData>, ImportError> {
    let len = file.seek(SeekFrom::End(0)).map_err(|error| ImportError::torch(error.to_string()))?;
    let mut archive = ZipArchive::new(file)
        .map_err(|error| ImportError::torch(format!("it is damaged or cut off ({error})")))?;
    let names: Vec<String> =
        archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let Some(root) = names.iter().find_map(|name| name.strip_suffix("data.pkl")) else {
        return Err(ImportError::torch(
            "it is an archive without `data.pkl`, expected one that `torch.save` wrote".to_owned(),
        ));
    };
    let byteorder = format!("{root}byteorder");
    if names.contains(&byteorder) && entry(&mut archive, &byteorder, 8)? != b"little" {
        return Err(ImportError::torch("the numbers are not little-endian".to_owned()));
    }
    let pickle = entry(&mut archive, &format!("{root}data.pkl"), MAX_PICKLE)?;
    let tensors = pickle::tensors(&pickle)?;

    // Tensors may share a storage, and a hostile file has many that share a large one.
    let add = |sum: u64, tensor: &Strided| sum.checked_add(tensor.num_elements()?);
    let numbers = tensors.values().try_fold(0, add);
    if numbers.is_none_or(|numbers| numbers > len) {
        return Err(ImportError::torch(format!(
            "the tensors have more numbers than the file has bytes, {len}"
        )));
    }
    let mut storages = BTreeMap::new();
    let mut left = len;
    let mut read = BTreeMap::new();
    for (name, tensor) in tensors {
        let Storage { key, dtype, len } = &tensor.storage;
        if !storages.contains_key(key) {
            let bytes = entry(&mut archive, &format!("{root}data/{key}"), left)?;
            left -= bytes.len() as u64;
            storages.insert(key.clone(), bytes);
        }
        let bytes = &storages[key];
        let width = dtype.bitsize() / 8;
        if len.checked_mul(width as u64) != Some(bytes.len() as u64) {
            let found = bytes.len();
            return Err(ImportError::torch(format!(
                "`data/{key}` has {found} bytes, expected {len} numbers of {width}"
            )));
        }
        let gathered = gather(&tensor, bytes, width).ok_or_else(|| {
            ImportError::torch(format!(
                "tensor `{name}` reaches beyond its storage of {len} numbers"
            ))
        })?;
        let shape = tensor.shape.iter().map(|dim| *dim as usize).collect();
        let view = TensorView::new(*dtype, shape, &gathered)
            .map_err(|error| ImportError::torch(format!("tensor `{name}`: {error}")))?;
        let data = kiln_store::plain_tensor(&name, &view)
            .map_err(|e| ImportError::torch(e.to_string()))?;
        read.insert(name, data);
    }
    Ok(read)
}

/// The bytes of a file of the archive, whose checksum is right.
fn entry<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    limit: u64,
) -> Result<Vec<u8>, ImportError> {
    let unreadable = |error: String| ImportError::torch(format!("`{name}`: {error}"));
    let file: ZipFile<'_, R> = archive.by_name(name).map_err(|e| unreadable(e.to_string()))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(unreadable(format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// The numbers of a view in row-major order.
fn gather(tensor: &Strided, storage: &[u8], width: usize) -> Option<Vec<u8>> {
    let count = tensor.num_elements()?;
    let mut bytes = Vec::new();
    for number in 0..count {
        let mut rest = number;
        let mut at = tensor.offset;
        for (dim, stride) in tensor.shape.iter().zip(&tensor.strides).rev() {
            at = at.checked_add((rest % dim).checked_mul(*stride)?)?;
            rest /= dim;
        }
        let start = usize::try_from(at).ok()?.checked_mul(width)?;
        bytes.extend(storage.get(start..start.checked_add(width)?)?);
    }
    Some(bytes)
}
