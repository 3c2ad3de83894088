use std::path::Path;

use burn::tensor::backend::Backend;
use kiln_classifier::{Classifier, Manifest, Training, embeddings_of, task_of};
use kiln_data::Dataset;
use kiln_model::{LossConfig, MlpConfig, Task};
use kiln_table::{
    HoldOut, Preprocessor, ScanOptions, Scanned, Schema, Table, TableFile, TargetEncoder,
    TargetForm, scan,
};
use kiln_train::{
    EpochRecord, Hooks, Members, Scores, StopReason, ThresholdRule, TrainBackend, TrainConfig,
    TrainData, TrainError, class_rows, fit_members, fit_temperature, predict_members,
};

use crate::assessment::epochs;
use crate::{
    error::TabularError,
    evaluate::{scored, table_rows},
    prepare::Prepared,
    settings::{Calibration, ClassWeights, Settings},
};

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
    /// Rows trained on.
    pub train_rows: usize,
    /// On the validation rows. They chose the epoch, the temperature and the threshold, so it is a little
    /// optimistic.
    pub valid: Option<Scores>,
}

/// Where validation rows come from.
#[derive(Debug, Clone, Copy)]
pub enum Validation<'a> {
    /// Held out of the training rows: the share that the settings name, or fold by fold, or none.
    HeldOut,
    /// A table of their own.
    Table(&'a Table),
}

/// Trains a classifier on some of the rows that have a target (`rows`: indices among those).
///
/// Preprocessing is fitted on the training rows alone, after validation rows are held out; the networks of
/// an ensemble share it, also where each leaves out a fold of the rows.
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
    let members = prepared.members(&train_rows, settings)?;
    let parts = Parts {
        source: prepared.table.name(),
        schema: &prepared.schema,
        encoder: &prepared.encoder,
        preprocessor: &preprocessor,
        class_rows: class_rows(task, train.targets()),
        members,
        train: train.into(),
        valid,
    };
    learn::<B>(parts, settings, backend, device, hooks)
}

/// Reads a file once, to train on rows that are read anew in every epoch; see
/// [`scan`](kiln_table::scan()). Without `Validation::Table`, rows are held out as the settings say.
///
/// # Errors
///
/// Those of [`scan`](kiln_table::scan()).
pub fn scan_file(
    file: TableFile,
    settings: &Settings,
    validation: Validation<'_>,
) -> Result<Scanned, TabularError> {
    let seed = settings.train.seed;
    let hold_out = match validation {
        Validation::HeldOut => settings.valid_fraction.map(|fraction| HoldOut { fraction, seed }),
        Validation::Table(_) => None,
    };
    let options = ScanOptions {
        columns: &settings.columns,
        target: settings.loss,
        positive: settings.positive.as_deref(),
        preprocess: &settings.preprocess,
        hold_out,
    };
    Ok(scan(file, options)?)
}

/// Trains a classifier on streamed rows, as [`train()`] does on rows in memory.
///
/// # Errors
///
/// As [`train()`].
pub fn train_streamed<B: TrainBackend>(
    scanned: &Scanned,
    settings: &Settings,
    validation: Validation<'_>,
    backend: &str,
    device: &B::Device,
    hooks: Hooks<'_, '_>,
) -> Result<Outcome<B::InnerBackend>, TabularError> {
    let preprocessor = scanned.train.preprocessor();
    let valid = match validation {
        Validation::Table(table) => Some(table),
        Validation::HeldOut => scanned.held_out.as_ref(),
    };
    let weight = settings.columns.weight.as_deref();
    let rows = |table| table_rows(table, preprocessor, &scanned.encoder, weight);
    let parts = Parts {
        source: scanned.train.name(),
        schema: &scanned.schema,
        encoder: &scanned.encoder,
        preprocessor,
        class_rows: scanned.class_rows.clone(),
        members: Members::All(settings.ensemble.members),
        train: TrainData::streamed(scanned.train.clone()),
        valid: valid.map(rows).transpose()?.map(|(_, dataset)| dataset),
    };
    learn::<B>(parts, settings, backend, device, hooks)
}

/// What a classifier is trained from.
struct Parts<'a> {
    source: &'a str,
    schema: &'a Schema,
    encoder: &'a TargetEncoder,
    preprocessor: &'a Preprocessor,
    /// Of the training rows.
    class_rows: Vec<usize>,
    members: Members,
    train: TrainData,
    valid: Option<Dataset>,
}

fn learn<B: TrainBackend>(
    parts: Parts<'_>,
    settings: &Settings,
    backend: &str,
    device: &B::Device,
    hooks: Hooks<'_, '_>,
) -> Result<Outcome<B::InnerBackend>, TabularError> {
    let Parts { source, schema, encoder, preprocessor, class_rows, members, train, valid } = parts;
    let task = task_of(encoder);
    // Held out of some networks, where not of all.
    let held_out = match (&members, &train, &valid) {
        (Members::Folds { .. }, TrainData::Memory(data), None) => Some(data.clone()),
        _ => None,
    };
    check_threshold(settings, task, valid.is_some() || held_out.is_some())?;
    let loss = loss(encoder, settings, &class_rows)?;
    let network = network(preprocessor, task, settings);
    let config = TrainConfig { loss: loss.clone(), ..settings.train.clone() };
    let train_rows = train.rows();

    let trained =
        fit_members::<B>(&network, task, &config, &members, train, valid.clone(), device, hooks)?;
    let (mut temperature, mut threshold) = (1.0, settings.threshold.choose(&[], &[]));
    let models = &trained.models;
    let validated = match (&valid, &held_out) {
        (Some(valid), _) => Some((valid, predict_members(models, task, &loss, valid, device)?)),
        (None, Some(rows)) => {
            Some((rows, members.predict_held_out(models, task, &loss, rows, device)?))
        }
        (None, None) => None,
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
        schema: schema.clone(),
        preprocessor: preprocessor.clone(),
        target: encoder.clone(),
        threshold,
        temperature,
        loss,
        network: trained.config,
        members: members.count(),
        training: Training {
            // The file's name only: where it lay is nothing to hand on.
            source: file_name(source),
            rows: train_rows,
            valid_rows: validated.as_ref().map_or(0, |(rows, _)| rows.rows()),
            bag_folds: match &members {
                Members::Folds { folds, .. } if valid.is_none() => *folds,
                _ => 0,
            },
            seed: settings.train.seed,
            epochs: trained.history.len(),
            kept_epoch: trained.kept_epoch,
            stop_reason: match trained.stop {
                StopReason::Epochs => "all epochs done".to_owned(),
                StopReason::TimeBudget => "no more time".to_owned(),
                StopReason::Patience => "no more improvement".to_owned(),
            },
            backend: backend.to_owned(),
            config: serde_json::to_value(settings).expect("settings are plain data"),
            class_rows,
            history: epochs(&trained.history),
        },
        metrics: serde_json::Value::Null,
    };
    let scores = match validated {
        Some((valid, predictions)) => {
            let classifier = Classifier::new(manifest.clone(), models, device)?;
            let (scores, _) = scored(&classifier, valid, predictions);
            let metrics = scores.evaluation();
            manifest.metrics = serde_json::to_value(&metrics).expect("metrics are plain data");
            Some(scores)
        }
        None => None,
    };
    Ok(Outcome {
        classifier: Classifier::new(manifest, models, device)?,
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
    let network = settings.network.mlp(preprocessor.d_input(), task.d_output());
    network.with_embeddings(embeddings_of(preprocessor))
}

/// The loss with one weight per class, or label.
fn loss(
    encoder: &TargetEncoder,
    settings: &Settings,
    class_rows: &[usize],
) -> Result<LossConfig, TabularError> {
    let classes = encoder.classes();
    let class_weights = match &settings.class_weights {
        ClassWeights::None => None,
        ClassWeights::Given(weights) if weights.len() == classes.len() => Some(weights.clone()),
        ClassWeights::Given(weights) => {
            return Err(TabularError::ClassWeights {
                found: weights.len(),
                expected: classes.join(", "),
            });
        }
        ClassWeights::Balanced => match encoder.form() {
            TargetForm::Binary { .. } | TargetForm::Sparse { .. } => Some(balanced(class_rows)),
            _ => return Err(TabularError::BalancedLabels),
        },
    };
    Ok(LossConfig { class_weights, ..settings.train.loss.clone() })
}

/// rows / (classes · rows of the class), as scikit-learn's `balanced`; a class without rows, which
/// can't be learned whatever its weight, gets 1.
fn balanced(sizes: &[usize]) -> Vec<f64> {
    let rows: usize = sizes.iter().sum();
    let weight = |size: &usize| match size {
        0 => 1.0,
        size => rows as f64 / (sizes.len() * size) as f64,
    };
    sizes.iter().map(weight).collect()
}
