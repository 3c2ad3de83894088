use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kiln_classifier::{Classifier, Manifest};
use kiln_kernels::KilnBackend;
use kiln_table::Binding;

use crate::problem::TABLE;

/// A classifier made ready to be served: whatever a backend is, is behind it.
pub struct Model {
    name: String,
    manifest: Manifest,
    /// Of the preprocessor's own columns, in order.
    binding: Binding,
    /// Numbers in a row of features.
    d_input: usize,
    /// The feature columns of the schema, in order.
    columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    /// Only the predicting thread locks it: what is behind need not be shared.
    network: Mutex<Box<Logits>>,
}

/// Row-major `[rows, d_output]` for features `[rows, d_input]`.
type Logits = dyn Fn(&[f32]) -> Vec<f32> + Send;

/// A column that a request may have.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Which feature of the preprocessor it is; `None` where that leaves it out.
    pub(crate) feature: Option<usize>,
}

impl Model {
    /// A model of this name.
    pub fn new<B: KilnBackend>(name: &str, classifier: Classifier<B>) -> Self {
        let manifest = classifier.manifest().clone();
        let needed: Vec<String> = manifest.preprocessor.columns().map(str::to_owned).collect();
        let binding = manifest
            .preprocessor
            .bind(TABLE, &needed)
            .expect("a preprocessor finds its own columns among themselves");
        let feature: HashMap<&str, usize> =
            needed.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let columns: Vec<Column> = manifest
            .feature_columns()
            .map(|name| Column { name: name.to_owned(), feature: feature.get(name).copied() })
            .collect();
        let by_name = columns.iter().enumerate().map(|(i, column)| (column.name.clone(), i));
        Self {
            name: name.to_owned(),
            binding,
            d_input: manifest.preprocessor.d_input(),
            by_name: by_name.collect(),
            columns,
            manifest,
            network: Mutex::new(Box::new(move |features| classifier.logits(features))),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn binding(&self) -> &Binding {
        &self.binding
    }

    pub(crate) fn d_input(&self) -> usize {
        self.d_input
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The index of one of [`columns`](Self::columns).
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// What the network says of features: row-major `[rows, d_output]`.
    pub(crate) fn logits(&self, features: &[f32]) -> Vec<f32> {
        // A network has no state that a panic could have spoilt.
        let network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        network(features)
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("name", &self.name).finish_non_exhaustive()
    }
}
