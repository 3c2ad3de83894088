//! Classifiers as safetensors files.

use std::{collections::HashSet, path::Path};

use burn::tensor::DType;
use kiln_kernels::KilnBackend;
use kiln_model::{Mlp, MlpConfig, ModelError, member_tensor_name};
use kiln_store::{Archive, StoreError, decode, encode, read, write_atomically};

use crate::{Classifier, ClassifierError, FORMAT_VERSION, Manifest};

const FORMAT: &str = "kiln";

impl<B: KilnBackend> Classifier<B> {
    /// Reads a classifier from a file.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Read`], and as [`Classifier::from_bytes`].
    pub fn load(path: impl AsRef<Path>, device: &B::Device) -> Result<Self, ClassifierError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let bytes = read(path).map_err(|error| not_usable(&name, error))?;
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
        let Archive { manifest, mut tensors } =
            decode(bytes, FORMAT, FORMAT_VERSION).map_err(|error| not_usable(name, error))?;
        let manifest: Manifest = serde_json::from_str(&manifest)
            .map_err(|source| ClassifierError::Manifest { name: name.to_owned(), source })?;
        let mut parts = || {
            manifest.validate()?;
            if let Some((name, data)) = tensors.iter().find(|(_, data)| data.dtype != DType::F32) {
                let (name, found) = (name.clone(), format!("{:?}", data.dtype));
                return Err(ModelError::TensorType { name, found }.into());
            }
            // A layer takes two bytes of the manifest, a list of its tensors hundreds.
            let members = manifest.members;
            for member in 0..members {
                let names = layer_tensors(&manifest.network);
                let mut names = names.map(|name| member_tensor_name(members, member, &name));
                if let Some(name) = names.find(|name| !tensors.contains_key(name.as_str())) {
                    return Err(ModelError::TensorMissing { name }.into());
                }
            }
            let shapes = manifest.network.tensor_shapes();
            let known: HashSet<&str> = shapes.iter().map(|(name, _)| name.as_str()).collect();
            let extra =
                |name: &&String| own_name(members, name).is_none_or(|own| !known.contains(own));
            if let Some(name) = tensors.keys().find(extra) {
                return Err(ClassifierError::ExtraTensor { name: name.clone() });
            }
            let network = |member| {
                let mut tensor =
                    |name: &str| tensors.remove(&member_tensor_name(members, member, name));
                Ok(manifest.network.from_tensors(&mut tensor, device)?)
            };
            (0..members).map(network).collect::<Result<Vec<Mlp<B>>, ClassifierError>>()
        };
        let members = parts().map_err(|source| ClassifierError::Parts {
            name: name.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self::from_parts(manifest, members, device))
    }

    /// The contents of its file: the same for the same classifier, every time.
    pub fn to_bytes(&self) -> Vec<u8> {
        let manifest = serde_json::to_string(self.manifest()).expect("plain data with text keys");
        encode(FORMAT, &manifest, &self.tensors())
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

fn not_usable(name: &str, error: StoreError) -> ClassifierError {
    let (path, name) = (name.into(), name.to_owned());
    match error {
        StoreError::Read(source) => ClassifierError::Read { path, source },
        StoreError::Version { found, supported } => {
            ClassifierError::Version { name, found, supported }
        }
        StoreError::Damaged => ClassifierError::Damaged { name },
        StoreError::Manifest(source) => ClassifierError::Manifest { name, source },
        error => ClassifierError::not_kiln(&name, error),
    }
}

/// The name that a tensor of a file has in its network; `None` if there is no such network.
fn own_name(members: usize, name: &str) -> Option<&str> {
    if members == 1 {
        return Some(name);
    }
    let (member, own) = name.strip_prefix("members.")?.split_once('.')?;
    let member: usize = member.parse().ok()?;
    (member < members && member_tensor_name(members, member, own) == name).then_some(own)
}

/// The names of tensors that every network of these layers has, one by one.
fn layer_tensors(network: &MlpConfig) -> impl Iterator<Item = String> {
    let embeddings = (0..network.embeddings.len()).map(|i| format!("embeddings.{i}.weight"));
    let hidden = (0..network.hidden.len()).map(|i| format!("hidden.{i}.weight"));
    embeddings.chain(hidden)
}
