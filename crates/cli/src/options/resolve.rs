use anyhow::{Context, bail};
use kiln::{
    table::{SchemaOptions, column_index},
    tabular::{Recipe, Settings, learning_rate},
    train::Keep,
};

use super::{Options, usage_error::UsageError, values::Hidden};

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
        let columns = SchemaOptions { target, ..SchemaOptions::default() };
        let mut settings = recipe.settings(columns);
        if let Some(Hidden(widths)) = &self.hidden {
            settings.train.learning_rate = learning_rate(widths);
        }
        self.set_fields(&mut settings)?;
        settings.streamed = self.stream == Some(true);
        self.hold_out(&mut settings, recipe.valid_fraction())?;
        let validates = settings.valid_fraction.is_some()
            || self.valid.is_some()
            || settings.ensemble.bag_folds > 0;
        // Without validation rows no epoch is the best; asked for all the same, it is an error.
        if !validates && self.keep.is_none() && self.monitor.is_none() {
            settings.train.keep = Keep::Last;
        }
        if let Some(decay) = self.weight_decay {
            *settings.train.optimizer.weight_decay_mut() = decay;
        }
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

    /// The same run said in full, for `--print-config`.
    pub(crate) fn from_settings(settings: &Settings, typed: &Self) -> Self {
        let Settings { columns, ensemble, train, .. } = settings;
        Self {
            target: Some(columns.target.clone()),
            valid: typed.valid.clone(),
            valid_fraction: match &typed.valid {
                Some(_) => None,
                None if ensemble.bag_folds > 0 => None,
                None => Some(settings.valid_fraction.unwrap_or(0.0)),
            },
            stream: settings.streamed.then_some(true),
            delimiter: typed.delimiter,
            header: typed.header,
            members: Some(ensemble.members),
            bag_folds: Some(ensemble.bag_folds),
            weight_decay: Some(train.optimizer.weight_decay()),
            ..Self::of_fields(settings)
        }
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
