use std::mem::discriminant;

use anyhow::{Context, bail};
use kiln::{
    table::{SchemaOptions, column_index},
    tabular::{Recipe, Settings, learning_rate},
    train::{GradientClipping, OptimizerConfig, TrainConfig},
};

use super::{
    Options,
    usage::{UsageError, named},
    values::{ClassWeightsOption, Hidden, RowsOrAll, TimeBudget},
};

impl Options {
    /// Fills in every default, for a table with these columns.
    ///
    /// # Errors
    ///
    /// No target, or one that the table lacks; an unknown optimizer.
    pub(crate) fn resolve(
        &self,
        table: &str,
        columns: &[String],
        recipe: Recipe,
    ) -> anyhow::Result<Settings> {
        let target = self.target.as_deref().unwrap_or_default();
        if target.is_empty() {
            let usage = UsageError(format!(
                "no target: say with `--target` which column to predict (a name, a position \
                 counted from 1, or `last`); the columns are {}",
                names(columns)
            ));
            return Err(usage.into());
        }
        let target: Vec<String> = target
            .iter()
            .map(|name| column(table, columns, name))
            .collect::<anyhow::Result<_>>()?;
        let columns = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();
        let columns = SchemaOptions {
            target,
            categorical: columns(&self.categorical),
            numeric: columns(&self.numeric),
            ignore: columns(&self.ignore),
            weight: self.weight.clone(),
            fold: None,
            missing: self.missing.clone(),
        };
        let valid_fraction = recipe.valid_fraction;
        let mut settings = Settings::new(recipe, columns);
        self.hold_out(&mut settings, valid_fraction)?;
        set(&mut settings.loss, self.loss);
        settings.positive = self.positive.clone();
        settings.streamed = self.stream == Some(true);
        let Settings { preprocess, network, train, .. } = &mut settings;
        set(&mut preprocess.scaling, self.scaling);
        set(&mut preprocess.numeric_bins, self.numeric_bins);
        set(&mut preprocess.one_hot_up_to, self.one_hot_up_to);
        if let Some(Hidden(widths)) = &self.hidden {
            network.hidden.clone_from(widths);
            train.learning_rate = learning_rate(widths);
        }
        if let Some(name) = &self.activation {
            network.activation = named(name)?;
        }
        set(&mut network.normalization, self.normalization);
        set(&mut network.input_dropout, self.input_dropout);
        set(&mut network.dropout, self.dropout);
        if let Some(weights) = &self.class_weights {
            settings.class_weights = weights.class_weights();
        }
        set(&mut settings.calibration, self.calibration);
        set(&mut settings.threshold, self.threshold);
        let validates = settings.valid_fraction.is_some()
            || self.valid.is_some()
            || settings.ensemble.bag_folds > 0;
        self.set_training(&mut settings.train, validates)?;
        Ok(settings)
    }

    /// Which rows no network is trained on, or not all are.
    fn hold_out(&self, settings: &mut Settings, valid_fraction: f64) -> Result<(), UsageError> {
        let ensemble = &mut settings.ensemble;
        // What is said of validation rows goes before what the recipe says.
        let others =
            self.valid.is_some() || self.valid_fraction.is_some() || self.stream == Some(true);
        if others && self.bag_folds.is_some_and(|folds| folds > 0) {
            let usage = "`bag_folds` holds rows out of each network, which goes neither with \
                         validation rows of their own (`valid`, `valid_fraction`) nor with `stream`";
            return Err(UsageError(usage.to_owned()));
        }
        match (self.members, self.bag_folds) {
            (members, Some(folds)) => {
                ensemble.bag_folds = folds;
                // About as many as the recipe has, each fold left out as often.
                let about = ensemble.members.next_multiple_of(folds.max(1));
                ensemble.members = members.unwrap_or(about);
            }
            (Some(members), None) => {
                ensemble.members = members;
                let deals = ensemble.bag_folds > 0
                    && members > 0
                    && members.is_multiple_of(ensemble.bag_folds);
                ensemble.bag_folds = if deals { ensemble.bag_folds } else { 0 };
            }
            (None, None) => {}
        }
        if others {
            ensemble.bag_folds = 0;
        }
        settings.valid_fraction = match (self.valid_fraction, &self.valid) {
            (_, Some(_)) | (Some(0.0), None) => None,
            (None, None) if ensemble.bag_folds > 0 => None,
            (fraction, None) => Some(fraction.unwrap_or(valid_fraction)),
        };
        Ok(())
    }

    /// `validates`: whether there are rows to measure an epoch on.
    fn set_training(&self, train: &mut TrainConfig, validates: bool) -> Result<(), UsageError> {
        set(&mut train.num_epochs, self.epochs);
        set(&mut train.batch_size, self.batch_size.map(RowsOrAll::batch_size));
        if let Some(name) = &self.optimizer {
            let optimizer: OptimizerConfig = named(name)?;
            // The recipe's own keeps what the recipe says of it.
            if discriminant(&optimizer) != discriminant(&train.optimizer) {
                train.optimizer = optimizer;
            }
        }
        if let Some(decay) = self.weight_decay {
            train.optimizer = train.optimizer.with_weight_decay(decay);
        }
        set(&mut train.learning_rate, self.learning_rate);
        if let Some(name) = &self.schedule {
            train.schedule.decay = named(name)?;
        }
        set(&mut train.schedule.warmup_iterations, self.warmup);
        match self.clip_norm {
            Some(0.0) => train.clipping = None,
            Some(norm) => train.clipping = Some(GradientClipping::Norm(norm)),
            None => {}
        }
        let mut stopping = train.early_stopping.unwrap_or_default();
        stopping.patience = self.patience.unwrap_or(train.num_epochs);
        set(&mut stopping.monitor, self.monitor);
        // Without validation rows there is nothing to watch; asked for all the same, it is an error.
        let asked = self.patience.is_some_and(|epochs| epochs > 0) || self.monitor.is_some();
        let stops = self.patience != Some(0) && (validates || asked);
        train.early_stopping = stops.then_some(stopping);
        set(&mut train.loss.label_smoothing, self.label_smoothing);
        set(&mut train.restarts, self.restarts);
        train.time_budget = self.time_budget.map(|budget| budget.0.as_secs_f64());
        set(&mut train.seed, self.seed);
        Ok(())
    }

    /// The same run said in full, for `--print-config`.
    pub(crate) fn from_settings(settings: &Settings, typed: &Self) -> Self {
        let Settings { columns, preprocess, network, ensemble, train, .. } = settings;
        let stopping = train.early_stopping;
        Self {
            preset: Some(settings.preset),
            target: Some(columns.target.clone()),
            loss: Some(settings.loss),
            positive: settings.positive.clone(),
            weight: columns.weight.clone(),
            categorical: Some(columns.categorical.clone()),
            numeric: Some(columns.numeric.clone()),
            ignore: Some(columns.ignore.clone()),
            missing: columns.missing.clone(),
            valid: typed.valid.clone(),
            valid_fraction: match &typed.valid {
                Some(_) => None,
                None if ensemble.bag_folds > 0 => None,
                None => Some(settings.valid_fraction.unwrap_or(0.0)),
            },
            stream: settings.streamed.then_some(true),
            delimiter: typed.delimiter,
            header: typed.header,
            scaling: Some(preprocess.scaling),
            numeric_bins: Some(preprocess.numeric_bins),
            one_hot_up_to: Some(preprocess.one_hot_up_to),
            hidden: Some(Hidden(network.hidden.clone())),
            activation: Some(network.activation.name().to_owned()),
            normalization: Some(network.normalization),
            input_dropout: Some(network.input_dropout),
            dropout: Some(network.dropout),
            members: Some(ensemble.members),
            bag_folds: Some(ensemble.bag_folds),
            epochs: Some(train.num_epochs),
            time_budget: train.time_budget.and_then(TimeBudget::of),
            batch_size: Some(RowsOrAll::of(train.batch_size)),
            optimizer: Some(train.optimizer.name().to_owned()),
            learning_rate: Some(train.learning_rate),
            weight_decay: Some(train.optimizer.weight_decay()),
            schedule: Some(train.schedule.decay.name().to_owned()),
            warmup: Some(train.schedule.warmup_iterations),
            clip_norm: Some(match train.clipping {
                Some(GradientClipping::Norm(norm)) => norm,
                _ => 0.0,
            }),
            // Not said where it follows from the epochs: of those there may be more when a run is resumed.
            patience: match stopping.map_or(0, |stopping| stopping.patience) {
                epochs if epochs == train.num_epochs => None,
                patience => Some(patience),
            },
            monitor: stopping.map(|stopping| stopping.monitor),
            label_smoothing: Some(train.loss.label_smoothing),
            class_weights: Some(ClassWeightsOption::of(&settings.class_weights)),
            calibration: Some(settings.calibration),
            threshold: Some(settings.threshold),
            restarts: Some(train.restarts),
            seed: Some(train.seed),
        }
    }
}

fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

fn names(columns: &[String]) -> String {
    const SHOWN: usize = 10;
    match columns.len() {
        ..=SHOWN => columns.join(", "),
        more => format!("{}, and {} more", columns[..SHOWN].join(", "), more - SHOWN),
    }
}

/// A column by name, by position counted from 1, or `last`; a name goes before a position.
pub(crate) fn column(table: &str, columns: &[String], name: &str) -> anyhow::Result<String> {
    if !columns.iter().any(|column| column == name) {
        if name == "last" {
            return columns.last().cloned().context("there are no columns");
        }
        if let Ok(position) = name.parse::<usize>() {
            let Some(column) = position.checked_sub(1).and_then(|index| columns.get(index)) else {
                bail!("{table}: `--target {position}`: there are columns 1 to {}", columns.len());
            };
            return Ok(column.clone());
        }
    }
    let index = column_index(table, columns, name)?;
    Ok(columns[index].clone())
}
