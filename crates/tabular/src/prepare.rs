use kiln_data::{Dataset, Targets, folds, stratified_folds, stratified_split_indices};
use kiln_table::{
    EncodedTargets, Preprocessor, Profiler, Schema, Table, TableError, TargetEncoder, TargetForm,
    Warning, WarningKind, infer_schema, read_weights, target_warnings,
};

use kiln_train::Members;

use crate::{
    error::TabularError,
    settings::{EnsembleSettings, Settings},
};

/// A table whose columns are understood and whose targets are encoded, before any row is held out.
///
/// What stands here depends on the names and kinds of columns and on the classes, on no statistic of
/// a feature.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The rows.
    pub table: Table,
    /// What each column is used for.
    pub schema: Schema,
    /// What the user should know about the data.
    pub warnings: Vec<Warning>,
    /// How the target's columns become classes or labels.
    pub encoder: TargetEncoder,
    /// The targets of the rows that have one.
    targets: Targets,
    /// The rows that have a target, as indices into the table.
    rows: Vec<usize>,
    /// One per row of the table.
    weights: Option<Vec<f32>>,
}

impl Prepared {
    /// Infers the schema and encodes the targets.
    ///
    /// # Errors
    ///
    /// A column that the settings name and the table lacks, a target that can't be learned, a weight
    /// that is no number of 0 or more.
    pub fn new(table: Table, settings: &Settings) -> Result<Self, TabularError> {
        let (columns, target) = (&settings.columns, &settings.columns.target);
        let mut profiler = Profiler::new(table.columns(), &columns.missing_texts());
        table.chunks().iter().for_each(|rows| profiler.push(rows));
        let (schema, mut warnings) = infer_schema(table.name(), &profiler.finish(), columns)?;
        let encoder = TargetEncoder::fit(
            &table,
            target,
            settings.loss,
            settings.positive.as_deref(),
            &schema.missing,
        )?;
        warnings.extend(target_warnings(&table, &schema));
        let EncodedTargets { targets, kept } = encoder.encode(&table)?;
        warnings.extend(single_rows(target, &encoder, &targets));
        let weights = match &columns.weight {
            Some(column) => Some(read_weights(&table, column)?),
            None => None,
        };
        let rows = kept_rows(&kept);
        Ok(Self { table, schema, warnings, encoder, targets, rows, weights })
    }

    /// How many rows have a target.
    pub fn num_rows(&self) -> usize {
        self.rows.len()
    }

    /// Rows of the table without a target, which are not used.
    pub fn num_without_target(&self) -> usize {
        self.table.num_rows() - self.rows.len()
    }

    /// The rows that have a target, as indices into the table.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The class of each row for a stratified split; `None` for independent labels.
    pub fn strata(&self) -> Option<(Vec<u32>, usize)> {
        match &self.targets {
            Targets::Classes { indices, num_classes } => Some((indices.clone(), *num_classes)),
            Targets::Dense { .. } if *self.encoder.form() == TargetForm::Labels => None,
            Targets::Dense { values, width } => {
                let largest = |row: &[f32]| {
                    let best =
                        (1..*width).fold(0, |best, i| if row[i] > row[best] { i } else { best });
                    best as u32
                };
                Some((values.chunks_exact(*width).map(largest).collect(), *width))
            }
        }
    }

    /// Parts some of the rows that have a target (`rows`: indices among those) into training and
    /// validation, class by class where there are classes.
    ///
    /// # Errors
    ///
    /// If one part would have no rows.
    pub fn split(
        &self,
        rows: &[usize],
        fraction: f64,
        seed: u64,
    ) -> Result<(Vec<usize>, Vec<usize>), TableError> {
        let (train, valid) = match self.strata() {
            Some((classes, num_classes)) => {
                let classes: Vec<u32> = rows.iter().map(|row| classes[*row]).collect();
                stratified_split_indices(&classes, num_classes, fraction, seed)?
            }
            None => kiln_data::split_indices(rows.len(), fraction, seed)?,
        };
        let pick = |part: Vec<usize>| part.into_iter().map(|i| rows[i]).collect();
        Ok((pick(train), pick(valid)))
    }

    /// Some of the rows that have a target (`rows`: indices among those) as a table of their own, understood
    /// as the whole is.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub fn part(&self, rows: &[usize]) -> Result<Self, TabularError> {
        let mut wanted = vec![false; self.table.num_rows()];
        rows.iter().for_each(|row| wanted[self.rows[*row]] = true);
        let table = self.table.filter(&wanted)?;
        let EncodedTargets { targets, kept } = self.encoder.encode(&table)?;
        let weights = self.weights.as_ref().map(|weights| {
            let weights = weights.iter().zip(&wanted).filter(|(_, wanted)| **wanted);
            weights.map(|(weight, _)| *weight).collect()
        });
        let (schema, warnings, encoder) =
            (self.schema.clone(), self.warnings.clone(), self.encoder.clone());
        let rows = kept_rows(&kept);
        Ok(Self { table, schema, warnings, encoder, targets, rows, weights })
    }

    /// The networks to train on some of the rows that have a target (`rows`: indices among those): where
    /// there are folds, the rows are dealt over them once for each `bag_folds` networks.
    ///
    /// # Errors
    ///
    /// No network, or a number of them that is no multiple of that of the folds; more folds than rows.
    pub fn members(&self, rows: &[usize], settings: &Settings) -> Result<Members, TabularError> {
        let EnsembleSettings { members, bag_folds } = settings.ensemble;
        if bag_folds == 0 {
            return Ok(Members::All(members));
        }
        if members == 0 || !members.is_multiple_of(bag_folds) {
            return Err(TabularError::Members { members, folds: bag_folds });
        }
        let classes = self.strata().map(|(classes, _)| classes);
        let classes: Option<Vec<u32>> =
            classes.map(|classes| rows.iter().map(|row| classes[*row]).collect());
        let partition = |at: usize| {
            let seed = settings.train.seed.wrapping_add(at as u64);
            match &classes {
                Some(classes) => stratified_folds(classes, bag_folds, seed),
                None => folds(rows.len(), bag_folds, seed),
            }
        };
        let partitions = (0..members / bag_folds).map(partition).collect::<Result<_, _>>()?;
        Ok(Members::Folds { folds: bag_folds, partitions })
    }

    /// Fits the preprocessing on some of the rows that have a target.
    ///
    /// # Errors
    ///
    /// As [`Preprocessor::fit`].
    pub fn fit(&self, settings: &Settings, rows: &[usize]) -> Result<Preprocessor, TableError> {
        let mut training = vec![false; self.table.num_rows()];
        rows.iter().for_each(|row| training[self.rows[*row]] = true);
        Preprocessor::fit(&self.table, &self.schema, &settings.preprocess, &training)
    }

    /// The features, targets and weights of all rows that have a target, in order.
    ///
    /// # Errors
    ///
    /// A value that can't be used, with its line; weights that are all 0.
    pub fn dataset(&self, preprocessor: &Preprocessor) -> Result<Dataset, TableError> {
        let (targets, weights) = (self.targets.clone(), self.weights.as_deref());
        dataset(&self.table, preprocessor, &self.rows, targets, weights)
    }
}

/// Some rows of a table as a network sees them. `targets` has one for each of `rows`, `weights` one
/// for each row of the table.
pub(super) fn dataset(
    table: &Table,
    preprocessor: &Preprocessor,
    rows: &[usize],
    targets: Targets,
    weights: Option<&[f32]>,
) -> Result<Dataset, TableError> {
    let (all, width) = (features(table, preprocessor)?, preprocessor.d_input());
    let features = rows.iter().flat_map(|row| &all[row * width..][..width]).copied().collect();
    let dataset = Dataset::new(features, width, targets)?;
    Ok(match weights {
        Some(weights) => dataset.with_weights(rows.iter().map(|row| weights[*row]).collect())?,
        None => dataset,
    })
}

/// All features of a table, row-major, or the first row that has none.
fn features(table: &Table, preprocessor: &Preprocessor) -> Result<Vec<f32>, TableError> {
    let binding = preprocessor.bind(table.name(), table.columns())?;
    let mut features = Vec::with_capacity(table.num_rows() * preprocessor.d_input());
    for rows in table.chunks() {
        let transformed = preprocessor.transform(&binding, rows);
        if let Some(problem) = rows.problems.iter().chain(&transformed.problems).next() {
            let (table, problem) = (table.name().to_owned(), problem.clone());
            return Err(TableError::Row { table, problem });
        }
        features.extend_from_slice(&transformed.features);
    }
    Ok(features)
}

pub(super) fn kept_rows(kept: &[bool]) -> Vec<usize> {
    kept.iter().enumerate().filter(|(_, kept)| **kept).map(|(row, _)| row).collect()
}

/// The classes of which there is one row only: it can be learned from or held out, not both.
fn single_rows(target: &[String], encoder: &TargetEncoder, targets: &Targets) -> Option<Warning> {
    const SHOWN: usize = 5;
    let sizes = targets.class_sizes()?;
    let single = encoder.classes().iter().zip(&sizes).filter(|(_, size)| **size == 1);
    let single: Vec<String> = single.map(|(class, _)| format!("{class:?}")).collect();
    let (shown, more) = single.split_at(single.len().min(SHOWN));
    let classes = match (shown, more.len()) {
        ([], _) => return None,
        ([class], _) => format!("the class {class} has 1 row"),
        (shown, 0) => format!("the classes {} have 1 row each", shown.join(", ")),
        (shown, more) => {
            format!("the classes {} and {more} more have 1 row each", shown.join(", "))
        }
    };
    let message = format!(
        "{classes}, which can't be held out: no score says how well such a class is learned"
    );
    Some(Warning { kind: WarningKind::SingleRows, column: target.first().cloned(), message })
}
