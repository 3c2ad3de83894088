use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData, backend::Backend};
use kiln_kernels::{KilnBackend, Network};
use kiln_model::{Mlp, member_tensor_name, pooled_logits};
use kiln_table::{Binding, Rows, TableError};

use crate::prediction::{decide, logit_problem};
use crate::{ClassifierError, Input, Manifest, Prediction, Predictions, Probabilities};

/// Rows that go through the network at once.
const BATCH_SIZE: usize = 8192;

/// What training leaves behind: preprocessing, one network or several, and the names of the classes.
///
/// The [crate documentation](crate) shows how it is used.
#[derive(Debug, Clone)]
pub struct Classifier<B: Backend> {
    manifest: Manifest,
    members: Vec<Mlp<B>>,
    /// What predicts in place of `members`, where the CPU kernels can; else empty.
    networks: Vec<Network>,
    device: B::Device,
}

impl<B: KilnBackend> Classifier<B> {
    /// Puts a manifest and its trained networks together, `manifest.members` of them, whose
    /// probabilities are averaged. The weights are copied, so that a network which is trained further
    /// does not change the classifier.
    ///
    /// # Errors
    ///
    /// As [`Manifest::validate`]; if there are not as many networks; and if the tensors of one are not
    /// those of `manifest.network`, or hold numbers that are not finite.
    pub fn new(
        manifest: Manifest,
        members: &[Mlp<B>],
        device: &B::Device,
    ) -> Result<Self, ClassifierError> {
        manifest.validate()?;
        if members.len() != manifest.members {
            return Err(ClassifierError::mismatch("members", members.len(), manifest.members));
        }
        let copy = |model: &Mlp<B>| {
            let mut tensors: BTreeMap<_, _> = model.tensors().into_iter().collect();
            let model = manifest.network.from_tensors(|name| tensors.remove(name), device)?;
            match tensors.pop_first() {
                None => Ok(model),
                Some((name, _)) => Err(ClassifierError::ExtraTensor { name }),
            }
        };
        let members = members.iter().map(copy).collect::<Result<_, _>>()?;
        Ok(Self::from_parts(manifest, members, device))
    }

    pub(crate) fn from_parts(manifest: Manifest, members: Vec<Mlp<B>>, device: &B::Device) -> Self {
        let networks = if B::HOST { members.iter().map(Network::of).collect() } else { None };
        let networks = networks.unwrap_or_default();
        Self { manifest, members, networks, device: device.clone() }
    }

    /// All but the weights.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The networks, at least one.
    pub fn members(&self) -> &[Mlp<B>] {
        &self.members
    }

    /// The tensors of all networks, under the names that they have in the file.
    pub fn tensors(&self) -> BTreeMap<String, TensorData> {
        let members = self.members.len();
        let named = |(member, model): (usize, &Mlp<B>)| {
            let tensors = model.tensors().into_iter();
            tensors.map(move |(name, data)| (member_tensor_name(members, member, &name), data))
        };
        self.members.iter().enumerate().flat_map(named).collect()
    }

    /// The names of the classes or labels, in the order of probabilities; for a binary task the
    /// negative class, then the positive one.
    pub fn classes(&self) -> &[String] {
        self.manifest.target.classes()
    }

    /// The decision for each row: the positive class from a probability of `threshold` on, the class
    /// of largest probability (the first of equals), or the labels from `threshold` on.
    ///
    /// # Errors
    ///
    /// As [`Classifier::predict_proba`].
    pub fn predict(
        &self,
        input: &(impl Input + ?Sized),
    ) -> Result<Vec<Prediction>, ClassifierError> {
        let probabilities = self.predict_proba(input)?;
        Ok(probabilities.rows().filter_map(|row| self.decide(row)).collect())
    }

    /// The probability of each class, or label, for each row.
    ///
    /// # Errors
    ///
    /// If the input lacks a column that is needed, or for the first row that can't be used: a value
    /// that can't be read, or logits that are not finite. Missing values and categories never seen
    /// are no errors.
    pub fn predict_proba(
        &self,
        input: &(impl Input + ?Sized),
    ) -> Result<Probabilities, ClassifierError> {
        const NAME: &str = "input";
        let columns: Vec<&str> = self.manifest.feature_columns().collect();
        let rows = input.rows(&columns)?;
        let schema = rows.batch.schema();
        let columns: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        let mut predictions = self.predict_rows(&self.bind(NAME, &columns)?, &rows);
        if predictions.problems.is_empty() {
            return Ok(predictions.probabilities);
        }
        let problem = predictions.problems.swap_remove(0);
        Err(TableError::Row { table: NAME.to_owned(), problem }.into())
    }

    /// Finds the columns that are needed in a table of these columns: once per table.
    ///
    /// # Errors
    ///
    /// A column that is not there, with the name nearest to it.
    pub fn bind(&self, table_name: &str, columns: &[String]) -> Result<Binding, ClassifierError> {
        Ok(self.manifest.preprocessor.bind(table_name, columns)?)
    }

    /// What is said about one chunk of a table. A row that can't be used is among the `problems`, and
    /// keeps no other from being predicted.
    ///
    /// # Panics
    ///
    /// If the binding is that of another classifier, or of a table with fewer columns.
    pub fn predict_rows(&self, binding: &Binding, rows: &Rows) -> Predictions {
        let transformed = self.manifest.preprocessor.transform(binding, rows);
        let logits = self.logits(&transformed.features);
        let mut probabilities = self.manifest.probabilities(&logits);
        let mut problems = transformed.problems;
        problems.extend(rows.problems.iter().cloned());
        for (row, logits) in logits.chunks_exact(self.manifest.task.d_output()).enumerate() {
            if let Some(message) = logit_problem(logits) {
                problems.push(rows.problem(row, None, message));
            }
        }
        problems.sort_by_key(|problem| problem.row);
        problems.dedup_by_key(|problem| problem.row);
        problems.iter().for_each(|problem| probabilities.set_unknown(problem.row));
        Predictions { probabilities, problems }
    }

    /// The decision from one row of probabilities; `None` where they are NaN.
    pub fn decide(&self, probabilities: &[f32]) -> Option<Prediction> {
        self.manifest.decide(probabilities)
    }

    /// The decisions from logits, row-major `[rows, d_output]`: a class index for each row, or, row-major,
    /// a 0 or 1 for each label.
    pub fn decisions(&self, logits: &[f32]) -> Vec<u32> {
        let Manifest { task, threshold, .. } = self.manifest;
        let probabilities = self.manifest.probabilities(logits);
        let decide = |row| {
            let decided = decide(task, row, threshold);
            match task {
                kiln_model::Task::MultiLabel { num_labels } => {
                    (0..num_labels).map(|label| u32::from(decided.contains(&label))).collect()
                }
                _ => decided.into_iter().map(|class| class as u32).collect::<Vec<u32>>(),
            }
        };
        probabilities.rows().flat_map(decide).collect()
    }

    /// What the networks together ([`pooled_logits`]) say of rows that are preprocessed already, row-major
    /// `[rows, d_input]`: row-major `[rows, d_output]`.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let all = 0..self.members.len();
        let logits: Vec<Vec<f32>> =
            all.map(|member| self.member_logits(member, features)).collect();
        pooled_logits(self.manifest.task, &logits)
    }

    /// What one of the networks says.
    ///
    /// # Panics
    ///
    /// If there is no such network.
    pub fn member_logits(&self, member: usize, features: &[f32]) -> Vec<f32> {
        if let Some(network) = self.networks.get(member) {
            return network.logits(features);
        }
        let d_input = self.manifest.network.d_input;
        let mut logits = Vec::new();
        for batch in features.chunks(BATCH_SIZE * d_input) {
            let data = TensorData::new(batch.to_vec(), [batch.len() / d_input, d_input]);
            let batch = self.members[member].forward(Tensor::from_data(data, &self.device));
            logits.extend(batch.into_data().iter::<f32>());
        }
        logits
    }
}
