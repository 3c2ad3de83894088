use std::path::Path;

use burn::tensor::backend::Backend;
use kiln_classifier::{Classifier, Manifest, Training, embeddings_of, task_of};
use kiln_data::{Dataset, Preprocessor, Table, Targets};
use kiln_kernels::TrainBackend;
use kiln_model::{LossConfig, MlpConfig, Task};
use kiln_train::{
    EpochRecord, Hooks, Scores, StopReason, ThresholdRule, TrainConfig, TrainError, class_rows,
    fit_temperature, fit_with, predict,
};

use super::{
    error::TabularError,
    evaluate::{scored, table_rows},
    prepare::Prepared,
    settings::{Calibration, ClassWeights, Settings},
};
use crate::assessment::epochs;

/// A trained classifier and how it came about.
#[derive(Debug)]
pub struct Outcome<B: Backend> {
    /// Ready to be saved.
    pub classifier: Classifier<B>,
    /// One record per epoch.
    pub history: Vec<EpochRecord>,
    /// The epoch whose weights these are, counted from 1.
    pub kept_epoch: usize,
    /// Why training ended.
    pub stop: StopReason,
    /// The rows trained on, as indices among those that have a target.
    pub train_rows: Vec<usize>,
    /// On the validation rows. They chose the epoch, the temperature and the threshold, so it is a little
    /// optimistic.
    pub valid: Option<Scores>,
}

/// Where validation rows come from.
#[derive(Debug, Clone, Copy)]
pub enum Validation<'a> {
    /// Held out of the training rows: the share that the settings name, or none.
    HeldOut,
    /// A table of their own.
    Table(&'a Table),
}

/// Trains a classifier on some of the rows that have a target (`rows`: indices among those).
///
/// Preprocessing is fitted on the training rows alone, after validation rows are held out.
/// `backend` is its name, for the record. A run that is resumed goes on with the same rows: what the table
/// gives is compared with the fingerprint in the checkpoint.
///
/// # Errors
///
/// A value that can't be used, settings out of their range, a loss that diverges.
pub fn train<B: TrainBackend>(
    prepared: &Prepared,
    settings: &Settings,
    rows: &[usize],
    validation: Validation<'_>,
    backend: &str,
    device: &B::Device,
    hooks: Hooks<'_, '_>,
) -> Result<Outcome<B::InnerBackend>, TabularError> {
    let (train_rows, valid_rows) = held_out(prepared, settings, rows, validation)?;
    let preprocessor = prepared.fit(settings, &train_rows)?;
    let dataset = prepared.dataset(&preprocessor)?;
    let train = dataset.select(&train_rows)?;
    let valid = match validation {
        Validation::Table(table) => {
            let weight = settings.columns.weight.as_deref();
            Some(table_rows(table, &preprocessor, &prepared.encoder, weight)?.1)
        }
        Validation::HeldOut if valid_rows.is_empty() => None,
        Validation::HeldOut => Some(dataset.select(&valid_rows)?),
    };
    let task = task_of(&prepared.encoder);
    let rows_of_classes = class_rows(task, train.targets());
    check_threshold(settings, task, valid.is_some())?;
    let loss = loss(prepared, settings, train.targets())?;
    let network = network(&preprocessor, task, settings);
    let config = TrainConfig { loss: loss.clone(), ..settings.train.clone() };

    let trained = fit_with::<B>(&network, task, &config, train, valid.clone(), device, hooks)?;
    let (mut temperature, mut threshold) = (1.0, settings.threshold.choose(&[], &[]));
    let validated = match &valid {
        Some(valid) => Some((valid, predict(&trained.model, task, &loss, valid, device)?)),
        None => None,
    };
    if let Some((valid, predictions)) = &validated {
        let scores = Scores::new(task, valid, predictions);
        if settings.calibration == Calibration::Temperature {
            temperature = fit_temperature(task, &predictions.logits, scores.actual());
        }
        if task == Task::Binary {
            let (p, positive) = scores.at_temperature(predictions, temperature).of_class(1);
            threshold = settings.threshold.choose(&p, &positive);
        }
    }
    let mut manifest = Manifest {
        format_version: kiln_classifier::FORMAT_VERSION,
        kiln_version: env!("CARGO_PKG_VERSION").to_owned(),
        task,
        schema: prepared.schema.clone(),
        preprocessor,
        target: prepared.encoder.clone(),
        threshold,
        temperature,
        loss,
        network: trained.config,
        training: Training {
            // The file's name only: where it lay is nothing to hand on.
            source: file_name(prepared.table.name()),
            rows: train_rows.len(),
            valid_rows: valid.as_ref().map_or(0, Dataset::rows),
            seed: settings.train.seed,
            epochs: trained.history.len(),
            kept_epoch: trained.kept_epoch,
            stop_reason: match trained.stop {
                StopReason::Epochs => "all epochs done".to_owned(),
                StopReason::Patience => "no more improvement".to_owned(),
            },
            backend: backend.to_owned(),
            config: serde_json::to_value(settings).expect("settings are plain data"),
            class_rows: rows_of_classes,
            history: epochs(&trained.history),
        },
        metrics: serde_json::Value::Null,
    };
    let scores = match validated {
        Some((valid, predictions)) => {
            let classifier = Classifier::new(manifest.clone(), &trained.model, device)?;
            let (scores, _) = scored(&classifier, valid, predictions);
            let metrics = scores.evaluation();
            manifest.metrics = serde_json::to_value(&metrics).expect("metrics are plain data");
            Some(scores)
        }
        None => None,
    };
    Ok(Outcome {
        classifier: Classifier::new(manifest, &trained.model, device)?,
        history: trained.history,
        kept_epoch: trained.kept_epoch,
        stop: trained.stop,
        train_rows,
        valid: scores,
    })
}

/// Training rows and validation rows, of some that have a target.
pub(super) fn held_out(
    prepared: &Prepared,
    settings: &Settings,
    rows: &[usize],
    validation: Validation<'_>,
) -> Result<(Vec<usize>, Vec<usize>), TabularError> {
    Ok(match (validation, settings.valid_fraction) {
        (Validation::HeldOut, Some(fraction)) => {
            prepared.split(rows, fraction, settings.train.seed)?
        }
        _ => (rows.to_vec(), Vec::new()),
    })
}

/// A threshold means nothing to several classes, and is chosen by rows that there must be.
fn check_threshold(settings: &Settings, task: Task, validates: bool) -> Result<(), TabularError> {
    let rule = settings.threshold;
    match task {
        Task::Binary if rule.needs_rows() && !validates => {
            Err(TrainError::NoValidation { field: "threshold" }.into())
        }
        Task::Multiclass { .. } if rule != ThresholdRule::Half => {
            let classes = task.d_output();
            Err(TabularError::Threshold { rule, task: format!("{classes} classes") })
        }
        Task::MultiLabel { .. } if rule.needs_rows() => {
            Err(TabularError::Threshold { rule, task: "independent labels".to_owned() })
        }
        _ => Ok(()),
    }
}

fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name();
    name.map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn network(preprocessor: &Preprocessor, task: Task, settings: &Settings) -> MlpConfig {
    let network = settings.network.clone();
    MlpConfig::new(preprocessor.d_input(), task.d_output())
        .with_embeddings(embeddings_of(preprocessor))
        .with_hidden(network.hidden)
        .with_activation(network.activation)
        .with_normalization(network.normalization)
        .with_dropout(network.dropout)
}

/// The loss with one weight per class, or label.
fn loss(
    prepared: &Prepared,
    settings: &Settings,
    train: &Targets,
) -> Result<LossConfig, TabularError> {
    let classes = prepared.encoder.classes();
    let class_weights = match &settings.class_weights {
        ClassWeights::None => None,
        ClassWeights::Given(weights) if weights.len() == classes.len() => Some(weights.clone()),
        ClassWeights::Given(weights) => {
            return Err(TabularError::ClassWeights {
                found: weights.len(),
                expected: classes.join(", "),
            });
        }
        ClassWeights::Balanced => Some(balanced(train).ok_or(TabularError::BalancedLabels)?),
    };
    Ok(LossConfig { class_weights, ..settings.train.loss.clone() })
}

/// rows / (classes · rows of the class), as scikit-learn's `balanced`; a class without rows, which
/// can't be learned whatever its weight, gets 1.
fn balanced(targets: &Targets) -> Option<Vec<f64>> {
    let sizes = targets.class_sizes()?;
    let rows: usize = sizes.iter().sum();
    let weight = |size: &usize| match size {
        0 => 1.0,
        size => rows as f64 / (sizes.len() * size) as f64,
    };
    Some(sizes.iter().map(weight).collect())
}
