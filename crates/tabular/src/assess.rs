use kiln_classifier::{Classifier, Manifest};
use kiln_data::{Dataset, permutation};
use kiln_kernels::KilnBackend;
use kiln_model::{Mlp, Task};
use kiln_table::{Cells, Table, shared_rows};
use kiln_train::{
    Members, Scores, TrainBackend, TrainError, logit_loss, permutation_importance, predict_members,
};

use crate::assessment::{Assessment, Baseline, ColumnImportance, Mistake, Uncalibrated};
use crate::{
    baseline::{linear_columns, logistic_regression},
    error::TabularError,
    evaluate::{scored, table_rows},
    prepare::Prepared,
    settings::Settings,
    train::{Validation, held_out},
};

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
    /// Those held out of the table it was trained on: of all its networks, or each row of some.
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
/// As [`evaluate`](crate::evaluate()); what the training table has that the run can't have been made from.
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
    let predict = |models: &[Mlp<_>], of: Option<&Members>, dataset: &Dataset| match of {
        Some(members) => {
            members.predict_held_out(models, manifest.task, &manifest.loss, dataset, device)
        }
        None => predict_members(models, manifest.task, &manifest.loss, dataset, device),
    };
    // Where rows are held out of some networks only, each is left to those.
    let held_out_of = match (asked, &parts) {
        (Asked::HeldOut, Some(Parts { valid: Valid::Folds, members, .. })) => Some(members),
        _ => None,
    };
    let (table, rows, dataset) = match asked {
        Asked::Table(table) => {
            let (rows, dataset) =
                table_rows(table, &manifest.preprocessor, &manifest.target, weight)?;
            (table, rows, dataset)
        }
        Asked::HeldOut => {
            let parts = parts.as_ref().expect("held out of a table");
            match &parts.valid {
                Valid::None => return Err(kiln_data::DataError::NoRows.into()),
                Valid::Rows(rows, dataset) => (parts.table, rows.clone(), dataset.clone()),
                Valid::Folds => (parts.table, parts.train_rows.clone(), parts.train.clone()),
            }
        }
    };
    let found = predict(classifier.members(), held_out_of, &dataset)?;
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
    if let Some(parts) = &parts {
        assessment.shared_rows = Some(shared(manifest, (table, &rows), parts, held_out_of)?);
        let columns = linear_columns(&manifest.preprocessor);
        let (train, members) = (parts.train.with_columns(&columns), &parts.members);
        let (members, valid) = match &parts.valid {
            Valid::Folds => (members, None),
            Valid::Rows(_, dataset) => (&Members::ONE, Some(dataset.with_columns(&columns))),
            Valid::None => (&Members::ONE, None),
        };
        match logistic_regression::<B>(manifest, members, train, valid, device) {
            Ok(models) => {
                let found = predict(&models, held_out_of, &dataset.with_columns(&columns))?;
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
        assessment.importance =
            importance(classifier, &dataset, assessment.scores.actual(), held_out_of)?;
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
    train: Dataset,
    members: Members,
    valid: Valid,
}

/// The rows that chose the epoch.
enum Valid {
    None,
    /// As indices into the table, if they are of the same, and as the networks see them.
    Rows(Vec<usize>, Dataset),
    /// Those trained on, fold by fold.
    Folds,
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
        let members = prepared.members(&train, settings)?;
        let in_table = |rows: &[usize]| rows.iter().map(|row| prepared.rows()[*row]).collect();
        let valid = match (validation, &members) {
            (Validation::Table(table), _) => {
                let (preprocessor, encoder) = (&manifest.preprocessor, &manifest.target);
                Valid::Rows(Vec::new(), table_rows(table, preprocessor, encoder, weight)?.1)
            }
            (Validation::HeldOut, _) if !valid.is_empty() => {
                Valid::Rows(in_table(&valid), dataset.select(&valid)?)
            }
            (Validation::HeldOut, Members::Folds { .. }) => Valid::Folds,
            (Validation::HeldOut, Members::All(_)) => Valid::None,
        };
        let (table, train_rows) = (&prepared.table, in_table(&train));
        Ok(Self { table, train_rows, train: dataset.select(&train)?, members, valid })
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

/// How many of these rows are also among those trained on; of rows held out of some networks only, in the
/// folds that the networks of the first partition are trained on.
fn shared(
    manifest: &Manifest,
    (table, rows): (&Table, &[usize]),
    parts: &Parts<'_>,
    held_out_of: Option<&Members>,
) -> Result<usize, TabularError> {
    let Some(Members::Folds { folds, partitions }) = held_out_of else {
        let trained_on = (parts.table, parts.train_rows.as_slice());
        return Ok(shared_rows(&manifest.schema, (table, rows), trained_on)?);
    };
    let mut shared = 0;
    for fold in 0..*folds as u32 {
        let (own, others): (Vec<usize>, Vec<usize>) =
            (0..rows.len()).partition(|row| partitions[0][*row] == fold);
        let in_table = |of: &[usize]| of.iter().map(|row| rows[*row]).collect::<Vec<usize>>();
        let (own, others) = (in_table(&own), in_table(&others));
        shared += shared_rows(&manifest.schema, (table, &own), (table, &others))?;
    }
    Ok(shared)
}

/// Of each column that the network sees, the most important first. `actual`: as [`Scores::actual`].
fn importance<B: KilnBackend>(
    classifier: &Classifier<B>,
    dataset: &Dataset,
    actual: &[u32],
    held_out_of: Option<&Members>,
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
        |features| {
            let logits = match held_out_of {
                None => classifier.logits(features),
                Some(members) => {
                    members.held_out_logits(task, sampled, features, |member, rows| {
                        classifier.member_logits(member, rows)
                    })
                }
            };
            logit_loss(task, &logits, &actual, temperature)
        },
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
