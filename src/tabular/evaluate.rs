use kiln_classifier::Classifier;
use kiln_data::{Dataset, Preprocessor, Table, TargetEncoder, read_weights};
use kiln_kernels::KilnBackend;
use kiln_train::{Evaluation, Predictions, predict};

use super::{
    error::TabularError,
    prepare::{dataset, kept_rows},
};

/// Measures a classifier on a table that has the target's columns, over all rows that have a target.
///
/// `weight` names a column of row weights, for the loss alone.
///
/// # Errors
///
/// A column that the table lacks, a value that can't be used, a class that the classifier does not
/// know, each with its line; no row with a target.
pub fn evaluate<B: KilnBackend>(
    classifier: &Classifier<B>,
    table: &Table,
    weight: Option<&str>,
    device: &B::Device,
) -> Result<Evaluation, TabularError> {
    let manifest = classifier.manifest();
    let dataset = table_dataset(table, &manifest.preprocessor, &manifest.target, weight)?;
    evaluate_dataset(classifier, &dataset, device)
}

/// Measures a classifier on features that are preprocessed already.
pub(super) fn evaluate_dataset<B: KilnBackend>(
    classifier: &Classifier<B>,
    dataset: &Dataset,
    device: &B::Device,
) -> Result<Evaluation, TabularError> {
    let manifest = classifier.manifest();
    let task = manifest.task;
    let predictions = predict(classifier.model(), task, &manifest.loss, dataset, device)?;
    // Probabilities and decisions are those that the classifier would give.
    let temperature = manifest.temperature as f32;
    let predictions = Predictions {
        logits: predictions.logits.iter().map(|logit| logit / temperature).collect(),
        decisions: classifier.decisions(&predictions.logits),
        losses: predictions.losses,
    };
    Ok(Evaluation::new(task, dataset, &predictions))
}

/// The rows of a table that have a target, as a classifier's network sees them.
pub(super) fn table_dataset(
    table: &Table,
    preprocessor: &Preprocessor,
    encoder: &TargetEncoder,
    weight: Option<&str>,
) -> Result<Dataset, TabularError> {
    let encoded = encoder.encode(table)?;
    let weights = weight.map(|column| read_weights(table, column)).transpose()?;
    let rows = kept_rows(&encoded.kept);
    Ok(dataset(table, preprocessor, &rows, encoded.targets, weights.as_deref())?)
}
