use kiln_classifier::{Manifest, embeddings_of};
use kiln_data::Dataset;
use kiln_model::{Mlp, MlpConfig};
use kiln_table::{Preprocessor, Transform};
use kiln_train::{
    BatchSize, Decay, EarlyStopping, Hooks, Keep, Members, OptimizerConfig, TrainBackend,
    TrainConfig, TrainError, fit_members,
};

/// The columns of the features that a linear model takes: all but those of bins, with which it would be no
/// linear one.
pub(super) fn linear_columns(preprocessor: &Preprocessor) -> Vec<usize> {
    let ranges = preprocessor.feature_ranges().into_iter();
    let columns = ranges.zip(preprocessor.features()).flat_map(|(range, feature)| {
        let bins = match &feature.transform {
            Transform::Numeric(numeric) => numeric.bins.as_ref().map_or(0, |bins| bins.width()),
            _ => 0,
        };
        // The number comes before its bins.
        let number = range.start;
        range.filter(move |column| !(number + 1..=number + bins).contains(column))
    });
    let mut columns: Vec<usize> = columns.collect();
    columns.sort_unstable();
    columns
}

/// Trains a logistic regression on the [`linear_columns`] of what the classifier's network was trained on: the
/// same rows, the same loss, the same seed; several where the rows were dealt over folds.
///
/// A feature of many categories has its vectors here, too, but nothing is multiplied with them except the
/// output's weights.
pub(super) fn logistic_regression<B: TrainBackend>(
    manifest: &Manifest,
    members: &Members,
    train: Dataset,
    valid: Option<Dataset>,
    device: &B::Device,
) -> Result<Vec<Mlp<B::InnerBackend>>, TrainError> {
    let rows = train.rows();
    let network = MlpConfig::new(train.d_input(), manifest.task.d_output())
        .with_embeddings(embeddings_of(&manifest.preprocessor));
    // The loss has one valley: a fixed recipe comes close to its floor, whatever the table, if there are
    // iterations enough.
    let batch_size = 1 << ((rows as f64 / 30.0).log2().floor() as i64).clamp(5, 10);
    let num_epochs = (2000 / rows.div_ceil(batch_size)).clamp(60, 1000);
    let mut config = TrainConfig::new()
        .with_batch_size(BatchSize::Rows(batch_size))
        .with_num_epochs(num_epochs)
        .with_optimizer(OptimizerConfig::adam_w())
        .with_learning_rate(0.03)
        .with_schedule(Decay::cosine())
        .with_loss(manifest.loss.clone())
        .with_seed(manifest.training.seed);
    if valid.is_some() || matches!(members, Members::Folds { .. }) {
        let patience = num_epochs / 5;
        let stopping = EarlyStopping::default().with_patience(patience);
        config = config.with_keep(Keep::Best).with_early_stopping(stopping);
    }
    let (task, hooks) = (manifest.task, Hooks::default());
    let trained = fit_members::<B>(&network, task, &config, members, train, valid, device, hooks)?;
    Ok(trained.models)
}
