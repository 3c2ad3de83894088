use std::fmt;

use bytemuck::cast_slice;
use kiln_data::{Dataset, RowStream, Targets};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::train_data::TrainData;

/// What tells one dataset from another: every number of it counts, and their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    rows: usize,
    d_input: usize,
    sha256: String,
}

impl Fingerprint {
    pub(crate) fn of_train(data: &TrainData) -> Self {
        match data {
            TrainData::Memory(data) => Self::of(data),
            TrainData::Streamed(rows) => Self::of_streamed(rows.as_ref()),
        }
    }

    fn of_streamed(rows: &dyn RowStream) -> Self {
        let mut hash = Sha256::new();
        hash.update("streamed rows;");
        hash.update(rows.identity());
        Self::new(rows.rows(), rows.d_input(), hash)
    }

    /// Of all features, targets and weights.
    pub fn of(data: &Dataset) -> Self {
        let mut hash = Sha256::new();
        let mut part = |name: &str, bytes: &[u8]| {
            hash.update(format!("{name} {};", bytes.len()));
            hash.update(bytes);
        };
        part("features", cast_slice(data.features()));
        match data.targets() {
            Targets::Classes { indices, num_classes } => {
                part(&format!("classes {num_classes}"), cast_slice(indices));
            }
            Targets::Dense { values, width } => part(&format!("dense {width}"), cast_slice(values)),
        }
        if let Some(weights) = data.weights() {
            part("weights", cast_slice(weights));
        }
        Self::new(data.rows(), data.d_input(), hash)
    }

    fn new(rows: usize, d_input: usize, hash: Sha256) -> Self {
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { rows, d_input, sha256 }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, d_input, sha256 } = self;
        write!(f, "{rows} rows of {d_input} features with SHA-256 {sha256:.12}…")
    }
}
