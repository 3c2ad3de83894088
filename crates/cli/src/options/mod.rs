//! What a user can say about training, on the command line or in a file.
//!
//! [`Options`] is what was typed, with everything optional; [`Options::resolve`] makes `Settings` of it,
//! in which nothing is left open.

mod defaults;
mod fields;
mod file;
mod read;
mod resolve;
mod usage;
mod usage_error;
mod values;

use std::path::PathBuf;

use kiln::{
    model::Normalization,
    table::{Scaling, TargetKind},
    tabular::{Calibration, Preset},
    train::{Keep, Monitor, ThresholdRule},
};
use serde::{Deserialize, Serialize};

pub(crate) use file::read_config;
pub(crate) use read::ReadArgs;
pub(crate) use resolve::column;
pub(crate) use usage::as_usage;
pub(crate) use usage_error::UsageError;
use values::{ClassWeightsOption, ClipNorm, Hidden, Patience, RowsOrAll, TimeBudget, by_name};

/// All that a run can be told; a TOML file has the same names, with `_` for `-`. `fields` says which field
/// of the settings each sets; `defaults` adds to its help what the recipe uses without it.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[command(mut_args = defaults::with_default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    /// How much time the classifier is worth: fast, default or best
    ///
    /// fast: one network. default: several, the more the fewer rows there are, whose probabilities are averaged.
    /// best: twice as many, trained twice as long. Options say otherwise; --print-config shows them all
    #[arg(long, value_name = "NAME", value_parser = by_name::<Preset>)]
    pub(crate) preset: Option<Preset>,
    /// The column to predict: a name, a position counted from 1, or `last`. Several, separated by
    /// commas, hold 0 and 1 and are one class each (if every row has exactly one 1) or independent
    /// labels
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', help_heading = "Data")]
    pub(crate) target: Option<Vec<String>>,
    /// What the target means
    ///
    /// auto: binary for two classes, sparse for more; for several columns, categorical if every row
    /// has exactly one 1, else binary. binary: one probability for the positive class, or one for
    /// each label. categorical: each row is a distribution over the classes (001, 010, 100).
    /// sparse: each row names its class, the network has one output for each
    #[arg(long, value_name = "LOSS", help_heading = "Data", value_parser = by_name::<TargetKind>)]
    pub(crate) loss: Option<TargetKind>,
    /// The positive one of two classes [default: the second in order]
    #[arg(long, value_name = "CLASS", help_heading = "Data")]
    pub(crate) positive: Option<String>,
    /// The column of row weights
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) weight: Option<String>,
    /// Columns whose values are names, whatever they look like
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', help_heading = "Data")]
    pub(crate) categorical: Option<Vec<String>>,
    /// Columns whose values are numbers
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', help_heading = "Data")]
    pub(crate) numeric: Option<Vec<String>>,
    /// Columns to leave out
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', help_heading = "Data")]
    pub(crate) ignore: Option<Vec<String>>,
    /// Texts that mean a missing value, beside the empty one [default: NA, N/A, NaN, null, ?, …]
    #[arg(long, value_name = "TEXTS", value_delimiter = ',', help_heading = "Data")]
    pub(crate) missing: Option<Vec<String>>,
    /// A file of validation rows, in place of rows held out
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) valid: Option<PathBuf>,
    /// Share of the rows held out of all networks for validation, class by class, in place of folds; 0 for
    /// none. Of a stream about 100,000 rows at most are held out by default
    #[arg(long, value_name = "FRACTION", help_heading = "Data", conflicts_with = "valid")]
    pub(crate) valid_fraction: Option<f64>,
    /// Read the rows anew in every epoch, for a file that does not fit into memory
    ///
    /// The file is a Parquet file, or a CSV file that is not compressed. It is read once to find the kinds
    /// of the columns, the classes and what features are scaled by, and then in every epoch, in another
    /// order, while the rows before are trained on. The rows held out stay in memory; each is drawn by
    /// itself
    #[arg(long, num_args = 0, default_missing_value = "true", help_heading = "Data")]
    pub(crate) stream: Option<bool>,
    /// What a TOML file says of the delimiter; the flag is among those of every command.
    #[arg(skip)]
    pub(crate) delimiter: Option<char>,
    /// What a TOML file says of the header.
    #[arg(skip)]
    pub(crate) header: Option<bool>,

    /// How numbers are scaled: robust (median, quartiles) or standard (mean, deviation)
    #[arg(long, value_name = "NAME", help_heading = "Features", value_parser = by_name::<Scaling>)]
    pub(crate) scaling: Option<Scaling>,
    /// Bins of each number, about so many, each of which becomes a feature; 0 for none
    #[arg(long, value_name = "COUNT", help_heading = "Features")]
    pub(crate) numeric_bins: Option<usize>,
    /// Most categories of a column that become a feature each; more are embedded
    #[arg(long, value_name = "COUNT", help_heading = "Features")]
    pub(crate) one_hot_up_to: Option<usize>,

    /// Width of each hidden layer, `none` for a linear model
    #[arg(long, value_name = "WIDTHS", help_heading = "Network")]
    pub(crate) hidden: Option<Hidden>,
    /// After each hidden layer: relu, leaky_relu, gelu, silu, elu, selu, mish, softplus, tanh, sigmoid
    /// or identity
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    pub(crate) activation: Option<String>,
    /// Before each activation: none, batch or layer
    #[arg(long, value_name = "NAME", help_heading = "Network", value_parser = by_name::<Normalization>)]
    pub(crate) normalization: Option<Normalization>,
    /// Fraction of features dropped in training, but those of embedded columns
    #[arg(long, value_name = "FRACTION", help_heading = "Network")]
    pub(crate) input_dropout: Option<f64>,
    /// Fraction of hidden outputs dropped in training
    #[arg(long, value_name = "FRACTION", help_heading = "Network")]
    pub(crate) dropout: Option<f64>,

    /// How many networks are trained, whose probabilities are averaged
    #[arg(long, value_name = "COUNT", help_heading = "Ensemble")]
    pub(crate) members: Option<usize>,
    /// Folds that the rows are dealt over; each network leaves one out, which it is measured on. In place
    /// of rows held out of all networks; 0 for none
    #[arg(
        long,
        value_name = "COUNT",
        help_heading = "Ensemble",
        conflicts_with_all = ["valid", "valid_fraction", "stream"]
    )]
    pub(crate) bag_folds: Option<usize>,

    /// Most passes through the training rows
    #[arg(long, value_name = "COUNT", help_heading = "Training")]
    pub(crate) epochs: Option<usize>,
    /// How long to train, like 90s, 10m or "1h 30m"; there are as many epochs as there is time for. Of `tune`: how
    /// long to search
    ///
    /// At least one. The schedule of the learning rate takes as many epochs as will fit, judged by those done
    /// so far, and none begins that would not. To read the rows and to measure the result comes on top
    #[arg(long, value_name = "TIME", help_heading = "Training")]
    pub(crate) time_budget: Option<TimeBudget>,
    /// Rows per iteration, or `all`
    #[arg(long, value_name = "ROWS", help_heading = "Training")]
    pub(crate) batch_size: Option<RowsOrAll>,
    /// sgd, momentum, nesterov, adam, adamw, rmsprop, adagrad or adan
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub(crate) optimizer: Option<String>,
    /// Size of an update; by default the less, the wider the hidden layers are
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    pub(crate) learning_rate: Option<f64>,
    /// Pull of the weights towards 0; an optimizer that is not the default has its own default
    #[arg(long, value_name = "DECAY", help_heading = "Training")]
    pub(crate) weight_decay: Option<f64>,
    /// How the learning rate changes: constant, cosine, one_cycle, log_cosine or plateau
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub(crate) schedule: Option<String>,
    /// Iterations over which the learning rate rises
    #[arg(long, value_name = "ITERATIONS", help_heading = "Training")]
    pub(crate) warmup: Option<usize>,
    /// Largest norm of a gradient; 0 for no limit
    #[arg(long, value_name = "NORM", help_heading = "Training")]
    pub(crate) clip_norm: Option<ClipNorm>,
    /// Which epoch's weights are kept: best, on the validation rows, or last, as always where there are no
    /// validation rows
    #[arg(long, value_name = "EPOCH", help_heading = "Training", value_parser = by_name::<Keep>)]
    pub(crate) keep: Option<Keep>,
    /// Epochs without improvement on the validation rows that stop the run; 0 to go on to the last
    #[arg(long, value_name = "EPOCHS", help_heading = "Training")]
    pub(crate) patience: Option<Patience>,
    /// What the best epoch is best at, and what has to improve: loss or accuracy
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = by_name::<Monitor>)]
    pub(crate) monitor: Option<Monitor>,
    /// Fraction by which targets are moved towards the uniform distribution
    #[arg(long, value_name = "FRACTION", help_heading = "Training")]
    pub(crate) label_smoothing: Option<f64>,
    /// `balanced`, `none`, or one factor for each class in order
    #[arg(long, value_name = "WEIGHTS", help_heading = "Training")]
    pub(crate) class_weights: Option<ClassWeightsOption>,
    /// What is done to the probabilities: `temperature` divides all logits by one number, fitted on the
    /// validation rows; `none`
    #[arg(long, value_name = "NAME", help_heading = "Decisions", value_parser = by_name::<Calibration>)]
    pub(crate) calibration: Option<Calibration>,
    /// From which probability on a row is positive: a number, `half`, or the best on the validation rows
    /// by `f1`, `youden` or `cost:FP:FN` (what a false positive and a false negative cost)
    #[arg(long, value_name = "RULE", help_heading = "Decisions")]
    pub(crate) threshold: Option<ThresholdRule>,
    /// Runs from different seeds; the best on the validation rows wins
    #[arg(long, value_name = "COUNT", help_heading = "Training")]
    pub(crate) restarts: Option<usize>,
    /// Of everything random: the same seed gives the same classifier
    #[arg(long, value_name = "SEED", help_heading = "Training")]
    pub(crate) seed: Option<u64>,
}

impl Options {
    /// What is said here, and where nothing is said, what `file` says.
    pub(crate) fn over(self, file: Self) -> anyhow::Result<Self> {
        let mut merged = toml::Table::try_from(file)?;
        merged.extend(toml::Table::try_from(self)?);
        Ok(merged.try_into()?)
    }

    /// The names of those that are said.
    pub(crate) fn given(&self) -> anyhow::Result<Vec<String>> {
        Ok(toml::Table::try_from(self)?.into_iter().map(|(name, _)| name).collect())
    }

    /// Whether the result of a run with these options, all filled in, is that of one with `begun`; only
    /// `epochs` may differ. Data of another file are compared as data.
    ///
    /// # Errors
    ///
    /// The first option that differs.
    pub(crate) fn check_same(&self, begun: &Self) -> anyhow::Result<()> {
        let [found, begun] = [toml::Table::try_from(self)?, toml::Table::try_from(begun)?];
        let mut keys: Vec<&String> = found.keys().chain(begun.keys()).collect();
        keys.sort();
        let text = |options: &toml::Table, key: &str| {
            options.get(key).map_or_else(|| "not given".to_owned(), toml::Value::to_string)
        };
        match keys.into_iter().find(|key| {
            !["epochs", "valid"].contains(&key.as_str()) && found.get(*key) != begun.get(*key)
        }) {
            None => Ok(()),
            Some(key) => Err(UsageError(format!(
                "the run can't be resumed: `{key}` is {}, and it began with {}",
                text(&found, key),
                text(&begun, key)
            ))
            .into()),
        }
    }
}

#[cfg(test)]
mod tests;
