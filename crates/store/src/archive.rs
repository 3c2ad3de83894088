use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use burn::tensor::{DType, TensorData};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::StoreError;

/// As in the safetensors crate.
const MAX_HEADER: u64 = 100_000_000;

const ENTRIES: [&str; 3] = ["format", "kiln", "kiln_sha256"];

/// The content of a file whose checksum is right.
#[derive(Debug)]
pub struct Archive {
    /// JSON with a `format_version` that was asked for.
    pub manifest: String,
    /// By name. The shapes are those of the data, the numbers may be anything.
    pub tensors: BTreeMap<String, TensorData>,
}

/// The bytes of a file that starts as an archive does.
///
/// # Errors
///
/// [`StoreError::Read`], or [`StoreError::Kind`] for what is no regular file or does not start as
/// safetensors files do: a large file of something else is not read into memory.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, StoreError> {
    let mut file = File::open(path).map_err(StoreError::Read)?;
    let found = file.metadata().map_err(StoreError::Read)?;
    if found.is_dir() {
        return Err(StoreError::Read(io::ErrorKind::IsADirectory.into()));
    }
    if !found.is_file() {
        return Err(kind("it is not a regular file"));
    }
    let mut start = Vec::new();
    file.by_ref().take(9).read_to_end(&mut start).map_err(StoreError::Read)?;
    check_start(&start, found.len())?;
    file.rewind().map_err(StoreError::Read)?;
    let mut bytes = Vec::new();
    file.take(found.len()).read_to_end(&mut bytes).map_err(StoreError::Read)?;
    Ok(bytes)
}

/// Reads an archive of a `format`, of a version up to `version`.
///
/// Whatever the bytes are, there is no panic, and no more memory is taken than a small multiple of
/// their number.
///
/// # Errors
///
/// Any [`StoreError`] but [`StoreError::Read`].
pub fn decode(bytes: &[u8], format: &str, version: u32) -> Result<Archive, StoreError> {
    check_start(&bytes[..bytes.len().min(9)], bytes.len() as u64)?;
    let unreadable =
        |error: safetensors::SafeTensorError| kind(format!("{error}, or the file is cut off"));
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
    let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
    let entry = |key: &str| header.metadata().as_ref()?.get(key);
    match entry("format") {
        Some(found) if found == format => {}
        Some(found) if found.starts_with("kiln") => {
            return Err(kind(format!(
                "its metadata says `\"format\": \"{found}\"`, expected \"{format}\""
            )));
        }
        _ => return Err(kind(format!("its metadata does not say `\"format\": \"{format}\"`"))),
    }
    let (Some(manifest), Some(checksum)) = (entry("kiln"), entry("kiln_sha256")) else {
        return Err(kind("its metadata lacks `kiln` or `kiln_sha256`"));
    };
    check_version(manifest, version)?;
    let entries = header.metadata().as_ref().map_or(0, |entries| entries.len());
    let views: BTreeMap<&str, TensorView<'_>> = file.iter().collect();
    if *checksum != sha256(manifest, &views) || entries != ENTRIES.len() {
        return Err(StoreError::Damaged);
    }
    let tensors = views.into_iter().map(|(name, view)| Ok((name.to_owned(), data(name, &view)?)));
    Ok(Archive { manifest: manifest.clone(), tensors: tensors.collect::<Result<_, _>>()? })
}

/// The content of a file: the same for the same archive, every time.
///
/// # Panics
///
/// If a tensor is of another type than `f32`, `f64`, `i64` and `u8`; [`decode`] reads no `i64`.
pub fn encode(format: &str, manifest: &str, tensors: &BTreeMap<String, TensorData>) -> Vec<u8> {
    let bytes = bytes_of(tensors);
    let views = views(tensors, &bytes);
    let checksum = sha256(manifest, &views);
    let metadata = ENTRIES.into_iter().zip([format, manifest, &checksum]).collect();
    file(&metadata, &views)
}

/// The content of a safetensors file for other programs, without a checksum: the same for the same tensors
/// and metadata, every time.
///
/// # Panics
///
/// If a tensor is of another type than `f32`, `f64`, `i64` and `u8`.
pub fn encode_plain(
    metadata: &BTreeMap<&str, &str>,
    tensors: &BTreeMap<String, TensorData>,
) -> Vec<u8> {
    file(metadata, &views(tensors, &bytes_of(tensors)))
}

/// The content of a safetensors file of another program.
#[derive(Debug)]
pub struct Plain {
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// By name, as [`plain_tensor`] has them.
    pub tensors: BTreeMap<String, TensorData>,
}

/// Reads a safetensors file of any program, with the safety of [`decode`] but without a checksum.
///
/// # Errors
///
/// [`StoreError::Kind`].
pub fn decode_plain(bytes: &[u8]) -> Result<Plain, StoreError> {
    check_start(&bytes[..bytes.len().min(9)], bytes.len() as u64)?;
    let unreadable =
        |error: safetensors::SafeTensorError| kind(format!("{error}, or the file is cut off"));
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
    let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let tensors = file.iter().map(|(name, view)| Ok((name.to_owned(), plain_tensor(name, &view)?)));
    Ok(Plain { metadata, tensors: tensors.collect::<Result<_, _>>()? })
}

/// Not by the safetensors crate, which writes the metadata in the order of a `HashMap`.
fn file(metadata: &BTreeMap<&str, &str>, views: &BTreeMap<&str, TensorView<'_>>) -> Vec<u8> {
    // The widest numbers first: readers take them where they lie, if they are aligned.
    let mut ordered: Vec<_> = views.iter().collect();
    ordered.sort_by_key(|(_, view)| Reverse(view.dtype().bitsize()));
    let mut header = BTreeMap::from([("__metadata__", HeaderEntry::Metadata(metadata))]);
    let mut end = 0;
    for (name, view) in &ordered {
        let start = end;
        end += view.data().len();
        let (dtype, data_offsets) = (view.dtype().to_string(), [start, end]);
        header.insert(name, HeaderEntry::Tensor { dtype, shape: view.shape(), data_offsets });
    }
    let mut header = serde_json::to_vec(&header).expect("plain data with text keys");
    header.resize(header.len().next_multiple_of(8), b' ');

    let mut file = Vec::with_capacity(8 + header.len() + end);
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header);
    ordered.iter().for_each(|(_, view)| file.extend(view.data()));
    file
}

fn views<'a>(
    tensors: &'a BTreeMap<String, TensorData>,
    bytes: &'a [Vec<u8>],
) -> BTreeMap<&'a str, TensorView<'a>> {
    let pairs = tensors.iter().zip(bytes);
    pairs
        .map(|((name, data), bytes)| {
            let view = TensorView::new(dtype(data.dtype), data.shape.to_vec(), bytes);
            (name.as_str(), view.expect("bytes for each number"))
        })
        .collect()
}

fn bytes_of(tensors: &BTreeMap<String, TensorData>) -> Vec<Vec<u8>> {
    tensors.values().map(bytes).collect()
}

fn dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I64 => Dtype::I64,
        DType::U8 => Dtype::U8,
        other => panic!("tensors of {other:?} are never stored"),
    }
}

/// The numbers of a tensor, little-endian.
fn bytes(data: &TensorData) -> Vec<u8> {
    match data.dtype {
        DType::F32 => data.iter::<f32>().flat_map(f32::to_le_bytes).collect(),
        DType::F64 => data.iter::<f64>().flat_map(f64::to_le_bytes).collect(),
        DType::I64 => data.iter::<i64>().flat_map(i64::to_le_bytes).collect(),
        _ => data.iter::<u8>().collect(),
    }
}

fn data(name: &str, view: &TensorView<'_>) -> Result<TensorData, StoreError> {
    let (bytes, shape) = (view.data(), view.shape().to_vec());
    Ok(match view.dtype() {
        Dtype::F32 => {
            let values: Vec<f32> =
                bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
            TensorData::new(values, shape)
        }
        Dtype::F64 => {
            let values: Vec<f64> =
                bytes.as_chunks().0.iter().map(|value| f64::from_le_bytes(*value)).collect();
            TensorData::new(values, shape)
        }
        Dtype::U8 => TensorData::new(bytes.to_vec(), shape),
        found => {
            let problem = format!("tensor `{name}` holds {found}, expected F32, F64 or U8");
            return Err(kind(problem));
        }
    })
}

/// A tensor of another program: numbers of floating point as `f32`, of `f64` rounded, and whole numbers as `i64`.
///
/// # Errors
///
/// [`StoreError::Kind`] for a type that is not one of both.
pub fn plain_tensor(name: &str, view: &TensorView<'_>) -> Result<TensorData, StoreError> {
    fn floats<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Option<Vec<f32>> {
        Some(bytes.as_chunks().0.iter().map(|bytes| value(*bytes)).collect())
    }
    let (bytes, shape) = (view.data(), view.shape().to_vec());
    let floats = match view.dtype() {
        Dtype::F16 => floats(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::BF16 => floats(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Dtype::F32 => floats(bytes, f32::from_le_bytes),
        Dtype::F64 => floats(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        _ => None,
    };
    if let Some(floats) = floats {
        return Ok(TensorData::new(floats, shape));
    }
    let integers: Vec<i64> = match view.dtype() {
        Dtype::I64 => bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
        Dtype::I32 => {
            bytes.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into()).collect()
        }
        Dtype::U32 => {
            bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes).into()).collect()
        }
        Dtype::U8 => bytes.iter().map(|byte| (*byte).into()).collect(),
        found => {
            let expected = "F16, BF16, F32, F64, I32, I64, U8 or U32";
            return Err(kind(format!("tensor `{name}` holds {found}, expected {expected}")));
        }
    };
    Ok(TensorData::new(integers, shape))
}

/// The header of a safetensors file.
#[derive(Serialize)]
#[serde(untagged)]
enum HeaderEntry<'a> {
    Metadata(&'a BTreeMap<&'a str, &'a str>),
    Tensor { dtype: String, shape: &'a [usize], data_offsets: [usize; 2] },
}

/// The checksum of a file, as the crate's documentation defines it.
fn sha256(manifest: &str, tensors: &BTreeMap<&str, TensorView<'_>>) -> String {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(manifest.as_bytes());
    for (name, tensor) in tensors {
        field(name.as_bytes());
        field(tensor.dtype().to_string().as_bytes());
        let shape = tensor.shape().iter();
        field(&shape.flat_map(|dim| (*dim as u64).to_le_bytes()).collect::<Vec<u8>>());
        field(tensor.data());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn kind(problem: impl Into<String>) -> StoreError {
    StoreError::Kind { problem: problem.into() }
}

/// The length of the header, and that it starts as JSON does: most other files fail here.
fn check_start(start: &[u8], len: u64) -> Result<(), StoreError> {
    let Some((length, rest)) = start.split_first_chunk() else {
        return Err(kind(format!("it has {len} bytes")));
    };
    let header = u64::from_le_bytes(*length);
    if header > MAX_HEADER || rest.first().is_some_and(|first| *first != b'{') {
        return Err(kind("it does not start as safetensors files do"));
    }
    if header > len - 8 {
        return Err(kind(format!(
            "its header takes {header} bytes, and the file ends after {}: it is cut off",
            len - 8
        )));
    }
    Ok(())
}

/// Before all else is read, for of a newer format nothing else is known.
fn check_version(manifest: &str, supported: u32) -> Result<(), StoreError> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u64,
    }
    let version: Version = serde_json::from_str(manifest).map_err(StoreError::Manifest)?;
    let found = version.format_version;
    if found > u64::from(supported) {
        return Err(StoreError::Version { found, supported });
    }
    Ok(())
}
