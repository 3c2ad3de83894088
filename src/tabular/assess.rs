use kiln_classifier::Classifier;
use kiln_data::{Cells, Dataset, Table, permutation, shared_rows};
use kiln_kernels::{KilnBackend, TrainBackend};
use kiln_model::Task;
use kiln_train::{Scores, TrainError, logit_loss, permutation_importance, predict};

use super::{
    baseline::logistic_regression,
    error::TabularError,
    evaluate::{scored, table_rows},
    prepare::Prepared,
    settings::Settings,
    train::{Validation, held_out},
};
use crate::assessment::{Assessment, Baseline, ColumnImportance, Mistake, Uncalibrated};

/// How often the values of a column are dealt anew.
const REPEATS: usize = 5;
/// Rows that are predicted for all columns and repeats together, which bounds the time that takes.
const IMPORTANCE_ROWS: usize = 1_000_000;
/// Fewer rows than this say little of a column.
const FEWEST_IMPORTANCE_ROWS: usize = 200;
/// Mistakes that are kept.
const MISTAKES: usize = 12;
/// Columns that are shown of each.
const MISTAKE_COLUMNS: usize = 6;

/// The rows that a classifier is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// Those held out of the table it was trained on.
    HeldOut,
    /// All of a table that have a target.
    Table(&'a Table),
}

/// What a classifier was trained on.
#[derive(Debug, Clone, Copy)]
pub struct TrainedOn<'a> {
    /// The table.
    pub prepared: &'a Prepared,
    /// The settings of the run.
    pub settings: &'a Settings,
    /// Where its validation rows came from.
    pub validation: Validation<'a>,
}

/// Says all there is to say about a classifier on rows whose classes are known.
///
/// Beside it stand the majority class and, if it is known what the classifier was `trained_on`, a logistic
/// regression trained on the same rows, which takes the time that its training takes. `weight` names a
/// column of row weights, for the loss alone. `in_detail` adds the importance of columns and the rows that
/// are most confidently wrong.
///
/// # Errors
///
/// As [`evaluate`](super::evaluate()); what the training table has that the run can't have been made from.
///
/// # Panics
///
/// If held-out rows are asked about and it is not said of which table.
pub fn assess<B: TrainBackend>(
    classifier: &Classifier<B::InnerBackend>,
    asked: Asked<'_>,
    trained_on: Option<TrainedOn<'_>>,
    weight: Option<&str>,
    in_detail: bool,
    device: &B::Device,
) -> Result<Assessment, TabularError> {
    let manifest = classifier.manifest();
    let parts = trained_on.map(|on| Parts::new(classifier, on)).transpose()?;
    let (table, rows, dataset) = match asked {
        Asked::Table(table) => {
            let (rows, dataset) =
                table_rows(table, &manifest.preprocessor, &manifest.target, weight)?;
            (table, rows, dataset)
        }
        Asked::HeldOut => {
            let parts = parts.as_ref().expect("held out of a table");
            let dataset = parts.valid.clone().ok_or(kiln_data::DataError::NoRows)?;
            (parts.table, parts.valid_rows.clone(), dataset)
        }
    };
    let found = predict(classifier.model(), manifest.task, &manifest.loss, &dataset, device)?;
    let (scores, raw) = scored(classifier, &dataset, found);

    let seed = manifest.training.seed;
    let mut assessment = Assessment::new(classifier.classes().to_vec(), scores, seed);
    if manifest.temperature != 1.0 {
        let evaluation = raw.evaluation();
        assessment.uncalibrated = Some(Uncalibrated { scores: raw, evaluation });
    }
    assessment.temperature = manifest.temperature;
    assessment.threshold = manifest.threshold;
    if let Some(majority) =
        majority(&assessment.scores, &manifest.training.class_rows, manifest.training.rows)
    {
        assessment.baselines.push(majority);
    }
    if let Some(parts) = parts {
        let (train_table, train_rows) = (parts.table, &parts.train_rows);
        let shared = shared_rows(&manifest.schema, (table, &rows), (train_table, train_rows))?;
        assessment.shared_rows = Some(shared);
        match logistic_regression::<B>(manifest, parts.train, parts.valid, device) {
            Ok(model) => {
                let found = predict(&model, manifest.task, &manifest.loss, &dataset, device)?;
                let evaluation = Scores::new(manifest.task, &dataset, &found).evaluation();
                let name = "logistic regression".to_owned();
                assessment.baselines.push(Baseline { name, evaluation });
            }
            // What can't be learned so is nothing to compare with; the classifier itself is there.
            Err(TrainError::Diverged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if in_detail {
        assessment.importance = importance(classifier, &dataset, assessment.scores.actual())?;
        let columns: Vec<&str> =
            assessment.importance.iter().map(|importance| importance.column.as_str()).collect();
        let mistakes = assessment.worst_mistakes(MISTAKES).into_iter().map(|(row, mistake)| {
            let (location, values) = shown(table, rows[row], &columns);
            Mistake { location, values, ..mistake }
        });
        assessment.mistakes = mistakes.collect();
    }
    Ok(assessment)
}

/// The rows a classifier was trained with.
struct Parts<'a> {
    table: &'a Table,
    /// As indices into the table.
    train_rows: Vec<usize>,
    valid_rows: Vec<usize>,
    train: Dataset,
    valid: Option<Dataset>,
}

impl<'a> Parts<'a> {
    fn new<B: KilnBackend>(
        classifier: &Classifier<B>,
        on: TrainedOn<'a>,
    ) -> Result<Self, TabularError> {
        let TrainedOn { prepared, settings, validation } = on;
        let manifest = classifier.manifest();
        let all: Vec<usize> = (0..prepared.num_rows()).collect();
        let (train, valid) = held_out(prepared, settings, &all, validation)?;
        let (rows, expected) = (train.len(), manifest.training.rows);
        if rows != expected {
            let table = prepared.table.name().to_owned();
            return Err(TabularError::OtherTable { table, rows, expected });
        }
        let dataset = prepared.dataset(&manifest.preprocessor)?;
        let weight = settings.columns.weight.as_deref();
        let valid_rows = match validation {
            Validation::Table(table) => {
                Some(table_rows(table, &manifest.preprocessor, &manifest.target, weight)?.1)
            }
            Validation::HeldOut if valid.is_empty() => None,
            Validation::HeldOut => Some(dataset.select(&valid)?),
        };
        let in_table = |rows: &[usize]| rows.iter().map(|row| prepared.rows()[*row]).collect();
        Ok(Self {
            table: &prepared.table,
            train_rows: in_table(&train),
            valid_rows: in_table(&valid),
            train: dataset.select(&train)?,
            valid: valid_rows,
        })
    }
}

/// Guessing by the shares of the classes among the training rows alone.
fn majority(scores: &Scores, class_rows: &[usize], rows: usize) -> Option<Baseline> {
    let shares: Vec<f64> = class_rows.iter().map(|of| *of as f64 / rows.max(1) as f64).collect();
    let shares = match scores.task() {
        _ if class_rows.is_empty() => return None,
        Task::Binary => &shares[1..],
        _ => &shares[..],
    };
    let evaluation = scores.constant(shares).evaluation();
    Some(Baseline { name: "majority class".to_owned(), evaluation })
}

/// Of each column that the network sees, the most important first. `actual`: as [`Scores::actual`].
fn importance<B: KilnBackend>(
    classifier: &Classifier<B>,
    dataset: &Dataset,
    actual: &[u32],
) -> Result<Vec<ColumnImportance>, TabularError> {
    let manifest = classifier.manifest();
    let ranges = manifest.preprocessor.feature_ranges();
    let most = (IMPORTANCE_ROWS / (REPEATS * ranges.len()).max(1)).max(FEWEST_IMPORTANCE_ROWS);
    let seed = manifest.training.seed;
    let order = permutation(dataset.rows(), seed, 0);
    let sampled = &order[..most.min(order.len())];
    let sample = dataset.select(sampled)?;
    let width = actual.len() / dataset.rows();
    let actual: Vec<u32> =
        sampled.iter().flat_map(|row| &actual[row * width..][..width]).copied().collect();
    let (task, temperature) = (manifest.task, manifest.temperature);
    let found = permutation_importance(
        sample.features(),
        sample.d_input(),
        &ranges,
        REPEATS,
        seed,
        |features| logit_loss(task, &classifier.logits(features), &actual, temperature),
    );
    let columns = manifest.preprocessor.columns().zip(found);
    let mut columns: Vec<ColumnImportance> = columns
        .map(|(column, importance)| ColumnImportance { column: column.to_owned(), importance })
        .collect();
    columns.sort_by(|a, b| b.importance.mean.total_cmp(&a.importance.mean));
    Ok(columns)
}

/// Where a row of a table stands, and what some of its columns hold.
fn shown(table: &Table, row: usize, columns: &[&str]) -> (String, Vec<(String, String)>) {
    let after = table.chunks().partition_point(|rows| rows.first_row <= row);
    let rows = &table.chunks()[after - 1];
    let row = row - rows.first_row;
    let mut scratch = String::new();
    let mut values = Vec::new();
    for column in columns.iter().take(MISTAKE_COLUMNS) {
        if let Ok(index) = table.column(column) {
            let cell = Cells::new(rows.batch.column(index)).get(row);
            let text = cell.text(&mut scratch).unwrap_or("").to_owned();
            values.push(((*column).to_owned(), text));
        }
    }
    (rows.location(row).to_string(), values)
}
