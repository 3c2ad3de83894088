//! Classifiers as safetensors files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use burn::tensor::TensorData;
use kiln_kernels::KilnBackend;
use kiln_model::{MlpConfig, ModelError};
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Classifier, ClassifierError, FORMAT_VERSION, Manifest, write_atomically};

/// As in the safetensors crate.
const MAX_HEADER: u64 = 100_000_000;

const ENTRIES: [&str; 3] = ["format", "kiln", "kiln_sha256"];

impl<B: KilnBackend> Classifier<B> {
    /// Reads a classifier from a file.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Read`], and as [`Classifier::from_bytes`].
    pub fn load(path: impl AsRef<Path>, device: &B::Device) -> Result<Self, ClassifierError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let read = |source| ClassifierError::Read { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(read)?;
        let found = file.metadata().map_err(read)?;
        if found.is_dir() {
            return Err(read(io::ErrorKind::IsADirectory.into()));
        }
        if !found.is_file() {
            return Err(ClassifierError::not_kiln(&name, "it is not a regular file"));
        }
        // So that a large file of something else is not read into memory.
        let mut start = Vec::new();
        file.by_ref().take(9).read_to_end(&mut start).map_err(read)?;
        check_start(&start, found.len(), &name)?;
        file.rewind().map_err(read)?;
        let mut bytes = Vec::new();
        file.take(found.len()).read_to_end(&mut bytes).map_err(read)?;
        Self::from_bytes(&bytes, &name, device)
    }

    /// Reads a classifier from the contents of a file; `name` stands in messages.
    ///
    /// Everything is checked. Whatever the bytes are, there is no panic, and no more memory is taken
    /// than a hundred times their number, which JSON of many small maps comes near.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::NotKiln`], [`ClassifierError::Version`], [`ClassifierError::Damaged`],
    /// [`ClassifierError::Manifest`] or [`ClassifierError::Parts`].
    pub fn from_bytes(
        bytes: &[u8],
        name: &str,
        device: &B::Device,
    ) -> Result<Self, ClassifierError> {
        check_start(&bytes[..bytes.len().min(9)], bytes.len() as u64, name)?;
        let unreadable = |error: safetensors::SafeTensorError| {
            ClassifierError::not_kiln(name, format!("{error}, or the file is cut off"))
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let entry = |key: &str| header.metadata().as_ref()?.get(key);
        if entry("format").map(String::as_str) != Some("kiln") {
            let problem = "its metadata does not say `\"format\": \"kiln\"`";
            return Err(ClassifierError::not_kiln(name, problem));
        }
        let (Some(manifest), Some(checksum)) = (entry("kiln"), entry("kiln_sha256")) else {
            let problem = "its metadata lacks `kiln` or `kiln_sha256`";
            return Err(ClassifierError::not_kiln(name, problem));
        };
        check_version(manifest, name)?;
        let entries = header.metadata().as_ref().map_or(0, |entries| entries.len());
        let tensors: BTreeMap<&str, _> = file.iter().collect();
        let views = tensors.iter().map(|(name, view)| TensorBytes {
            name,
            dtype: view.dtype().to_string(),
            shape: view.shape().to_vec(),
            bytes: view.data(),
        });
        if *checksum != sha256(manifest, views) || entries != ENTRIES.len() {
            return Err(ClassifierError::Damaged { name: name.to_owned() });
        }

        let manifest: Manifest = serde_json::from_str(manifest)
            .map_err(|source| ClassifierError::Manifest { name: name.to_owned(), source })?;
        let parts = || {
            manifest.validate()?;
            if let Some((name, view)) = tensors.iter().find(|(_, view)| view.dtype() != Dtype::F32)
            {
                let (name, found) = ((*name).to_owned(), view.dtype().to_string());
                return Err(ModelError::TensorType { name, found }.into());
            }
            // A layer takes two bytes of the manifest, a list of its tensors hundreds.
            let mut layers = layer_tensors(&manifest.network);
            if let Some(name) = layers.find(|name| !tensors.contains_key(name.as_str())) {
                return Err(ModelError::TensorMissing { name }.into());
            }
            let shapes = manifest.network.tensor_shapes();
            let known: std::collections::HashSet<&str> =
                shapes.iter().map(|(name, _)| name.as_str()).collect();
            if let Some(name) = tensors.keys().find(|name| !known.contains(*name)) {
                return Err(ClassifierError::ExtraTensor { name: (*name).to_owned() });
            }
            let tensor = |name: &str| {
                let view = tensors.get(name)?;
                let (values, _) = view.data().as_chunks();
                let values: Vec<f32> = values.iter().map(|v| f32::from_le_bytes(*v)).collect();
                Some(TensorData::new(values, view.shape().to_vec()))
            };
            Ok(manifest.network.from_tensors(tensor, device)?)
        };
        let model = parts().map_err(|source| ClassifierError::Parts {
            name: name.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self::from_parts(manifest, model, device))
    }

    /// The contents of its file: the same for the same classifier, every time.
    pub fn to_bytes(&self) -> Vec<u8> {
        let tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = self
            .model()
            .tensors()
            .into_iter()
            .map(|(name, data)| {
                let bytes = data.iter::<f32>().flat_map(f32::to_le_bytes).collect();
                (name, (data.shape.to_vec(), bytes))
            })
            .collect();
        let manifest = serde_json::to_string(self.manifest()).expect("plain data with text keys");
        let views = tensors.iter().map(|(name, (shape, bytes))| TensorBytes {
            name,
            dtype: Dtype::F32.to_string(),
            shape: shape.clone(),
            bytes,
        });
        let checksum = sha256(&manifest, views);

        // Not by the safetensors crate, which writes the metadata in the order of a `HashMap`.
        let values = ["kiln", &manifest, &checksum];
        let metadata = HeaderEntry::Metadata(ENTRIES.into_iter().zip(values).collect());
        let mut header = BTreeMap::from([("__metadata__", metadata)]);
        let mut end = 0;
        for (name, (shape, bytes)) in &tensors {
            let start = end;
            end += bytes.len();
            let data_offsets = [start, end];
            header.insert(name, HeaderEntry::Tensor { dtype: "F32", shape, data_offsets });
        }
        let mut header = serde_json::to_vec(&header).expect("plain data with text keys");
        header.resize(header.len().next_multiple_of(8), b' ');

        let mut file = Vec::with_capacity(8 + header.len() + end);
        file.extend((header.len() as u64).to_le_bytes());
        file.extend(header);
        tensors.values().for_each(|(_, bytes)| file.extend(bytes));
        file
    }

    /// Writes its file: all of it, or nothing (see [`write_atomically`]).
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ClassifierError> {
        let path = path.as_ref();
        let bytes = self.to_bytes();
        write_atomically(path, |out| out.write_all(&bytes))
            .map_err(|source| ClassifierError::Write { path: path.to_owned(), source })
    }
}

/// The header of a safetensors file.
#[derive(Serialize)]
#[serde(untagged)]
enum HeaderEntry<'a> {
    Metadata(BTreeMap<&'static str, &'a str>),
    Tensor { dtype: &'static str, shape: &'a [usize], data_offsets: [usize; 2] },
}

struct TensorBytes<'a> {
    name: &'a str,
    dtype: String,
    shape: Vec<usize>,
    bytes: &'a [u8],
}

/// The checksum of a file, as the crate's documentation defines it.
fn sha256<'a>(manifest: &str, tensors: impl Iterator<Item = TensorBytes<'a>>) -> String {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(manifest.as_bytes());
    for TensorBytes { name, dtype, shape, bytes } in tensors {
        field(name.as_bytes());
        field(dtype.as_bytes());
        let dims: Vec<u8> = shape.iter().flat_map(|dim| (*dim as u64).to_le_bytes()).collect();
        field(&dims);
        field(bytes);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names of tensors that every network of these layers has, one by one.
fn layer_tensors(network: &MlpConfig) -> impl Iterator<Item = String> {
    let embeddings = (0..network.embeddings.len()).map(|i| format!("embeddings.{i}.weight"));
    let hidden = (0..network.hidden.len()).map(|i| format!("hidden.{i}.weight"));
    embeddings.chain(hidden)
}

/// The length of the header, and that it starts as JSON does: most other files fail here.
fn check_start(start: &[u8], len: u64, name: &str) -> Result<(), ClassifierError> {
    let not_kiln = |problem: String| Err(ClassifierError::not_kiln(name, problem));
    let Some((length, rest)) = start.split_first_chunk() else {
        return not_kiln(format!("it has {len} bytes"));
    };
    let header = u64::from_le_bytes(*length);
    if header > MAX_HEADER || rest.first().is_some_and(|first| *first != b'{') {
        return not_kiln("it does not start as safetensors files do".to_owned());
    }
    if header > len - 8 {
        return not_kiln(format!(
            "its header takes {header} bytes, and the file ends after {}: it is cut off",
            len - 8
        ));
    }
    Ok(())
}

/// Before all else is read, for of a newer format nothing else is known.
fn check_version(manifest: &str, name: &str) -> Result<(), ClassifierError> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u64,
    }
    let version: Version = serde_json::from_str(manifest)
        .map_err(|source| ClassifierError::Manifest { name: name.to_owned(), source })?;
    if version.format_version > u64::from(FORMAT_VERSION) {
        return Err(ClassifierError::Version {
            name: name.to_owned(),
            found: version.format_version,
            supported: FORMAT_VERSION,
        });
    }
    Ok(())
}
