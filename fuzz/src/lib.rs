//! What more than one target needs: classifiers of the same few columns.

use std::collections::BTreeMap;

use burn_flex::Flex;
use kiln::{
    classifier::{Classifier, Manifest, Predictions},
    table::Rows,
};
use sha2::{Digest, Sha256};

/// The manifest of a classifier of three classes with every kind of feature; also a seed of `model`.
pub const MANIFEST: &str = include_str!("../manifest.json");

/// A classifier with the network that the manifest describes, its weights drawn from its seed.
///
/// # Panics
///
/// If the manifest is wrong.
pub fn classifier(manifest: &str) -> Classifier<Flex> {
    let manifest: Manifest = serde_json::from_str(manifest).expect("a manifest");
    let device = Default::default();
    let network = manifest.network.init::<Flex>(&device).expect("a network");
    Classifier::new(manifest, &[network], &device).expect("parts that fit")
}

/// Asserts that every row has either probabilities, and a decision, or a problem.
///
/// # Panics
///
/// If one has not.
pub fn check(classifier: &Classifier<Flex>, rows: &Rows, predictions: &Predictions) {
    let Predictions { probabilities, problems } = predictions;
    assert_eq!(probabilities.rows().len(), rows.batch.num_rows());
    let mut problems = problems.iter().peekable();
    for (index, row) in probabilities.rows().enumerate() {
        assert_eq!(row.len(), classifier.classes().len());
        if problems.next_if(|problem| problem.row == index).is_some() {
            assert!(row.iter().all(|p| p.is_nan()) && classifier.decide(row).is_none());
        } else {
            assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{row:?}");
            assert!(classifier.decide(row).is_some());
        }
    }
    assert_eq!(problems.next(), None, "a problem of no row, or the second of one");
}

/// One tensor of a file.
pub struct FileTensor {
    /// Its type, as safetensors writes it.
    pub dtype: &'static str,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub bytes: Vec<u8>,
}

/// A model file whose checksum is right whatever the manifest and the tensors are.
///
/// # Panics
///
/// Never: it is plain data with text keys.
pub fn model_file(manifest: &str, tensors: &BTreeMap<String, FileTensor>) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(manifest.as_bytes());
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, tensor) in tensors {
        field(name.as_bytes());
        field(tensor.dtype.as_bytes());
        let shape: Vec<u8> =
            tensor.shape.iter().flat_map(|dim| (*dim as u64).to_le_bytes()).collect();
        field(&shape);
        field(&tensor.bytes);
        let start = data.len();
        data.extend_from_slice(&tensor.bytes);
        let entry = serde_json::json!({
            "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [start, data.len()],
        });
        header.insert(name.clone(), entry);
    }
    let checksum: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let metadata = serde_json::json!({"format": "kiln", "kiln": manifest, "kiln_sha256": checksum});
    header.insert("__metadata__".to_owned(), metadata);
    let header = serde_json::to_vec(&header).expect("plain data with text keys");
    [&(header.len() as u64).to_le_bytes(), &header[..], &data].concat()
}
