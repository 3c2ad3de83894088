use kiln_classifier::Classifier;
use kiln_data::Dataset;
use kiln_kernels::KilnBackend;
use kiln_table::{Preprocessor, Table, TargetEncoder, read_weights};
use kiln_train::{Evaluation, Predictions, Scores, predict_members};

use crate::{
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
    let (_, dataset) = table_rows(table, &manifest.preprocessor, &manifest.target, weight)?;
    Ok(score(classifier, &dataset, device)?.evaluation())
}

/// What a classifier says of features that are preprocessed already.
pub(super) fn score<B: KilnBackend>(
    classifier: &Classifier<B>,
    dataset: &Dataset,
    device: &B::Device,
) -> Result<Scores, TabularError> {
    let manifest = classifier.manifest();
    let (models, loss) = (classifier.members(), &manifest.loss);
    let found = predict_members(models, manifest.task, loss, dataset, device)?;
    Ok(scored(classifier, dataset, found).0)
}

/// What a classifier makes of what its network has `found`; and the same before its temperature.
pub(super) fn scored<B: KilnBackend>(
    classifier: &Classifier<B>,
    dataset: &Dataset,
    found: Predictions,
) -> (Scores, Scores) {
    let manifest = classifier.manifest();
    let found = Predictions { decisions: classifier.decisions(&found.logits), ..found };
    let raw = Scores::new(manifest.task, dataset, &found);
    (raw.at_temperature(&found, manifest.temperature), raw)
}

/// The rows of a table that have a target, as indices and as a classifier's network sees them.
pub(super) fn table_rows(
    table: &Table,
    preprocessor: &Preprocessor,
    encoder: &TargetEncoder,
    weight: Option<&str>,
) -> Result<(Vec<usize>, Dataset), TabularError> {
    let encoded = encoder.encode(table)?;
    let weights = weight.map(|column| read_weights(table, column)).transpose()?;
    let rows = kept_rows(&encoded.kept);
    let dataset = dataset(table, preprocessor, &rows, encoded.targets, weights.as_deref())?;
    Ok((rows, dataset))
}
