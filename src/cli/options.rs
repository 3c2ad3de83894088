//! What a user can say about training, on the command line or in a file.
//!
//! [`Options`] is what was typed, with everything optional; [`Options::resolve`] makes [`Settings`]
//! of it, in which nothing is left open.

use std::{path::PathBuf, str::FromStr};

use anyhow::{Context, bail};
use kiln::{
    data::{ReadOptions, Scaling, Table, TargetKind, column_index},
    model::Normalization,
    tabular::{ClassWeights, ColumnSettings, Recipe, Settings},
    train::{BatchSize, GradientClipping, Monitor},
};
use serde::{Deserialize, Serialize, de::IntoDeserializer};

/// How a file of rows is read, for every command that reads one.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Reading")]
pub(crate) struct ReadArgs {
    /// The character between two values, `tab` for a tab; found by itself where it isn't given
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,
    /// The first line holds the names of the columns; found by itself where neither flag is given
    #[arg(long)]
    pub(crate) header: bool,
    /// The first line holds values: the columns are named column_1, column_2, …
    #[arg(long, conflicts_with = "header")]
    pub(crate) no_header: bool,
}

impl ReadArgs {
    pub(crate) fn options(&self) -> ReadOptions {
        let header = (self.header || self.no_header).then_some(self.header);
        ReadOptions { delimiter: self.delimiter, header }
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
            _ => Err("expected one ASCII character, or `tab`".to_owned()),
        },
    }
}

/// All that a run can be told; a TOML file has the same names, with `_` for `-`.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    /// The column to predict: a name, a position counted from 1, or `last`. Several, separated by
    /// commas, hold 0 and 1 and are one class each (if every row has exactly one 1) or independent
    /// labels
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', help_heading = "Data")]
    pub(crate) target: Option<Vec<String>>,
    /// What the target means [default: auto]
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
    /// Share of the rows held out for validation, class by class; 0 for none [default: 0.15]
    #[arg(long, value_name = "FRACTION", help_heading = "Data", conflicts_with = "valid")]
    pub(crate) valid_fraction: Option<f64>,
    /// What a TOML file says of the delimiter; the flag is among those of every command.
    #[arg(skip)]
    pub(crate) delimiter: Option<char>,
    /// What a TOML file says of the header.
    #[arg(skip)]
    pub(crate) header: Option<bool>,

    /// How numbers are scaled: robust (median, quartiles) or standard (mean, deviation)
    #[arg(long, value_name = "NAME", help_heading = "Features", value_parser = by_name::<Scaling>)]
    pub(crate) scaling: Option<Scaling>,
    /// Most categories of a column that become a feature each; more are embedded [default: 12]
    #[arg(long, value_name = "COUNT", help_heading = "Features")]
    pub(crate) one_hot_up_to: Option<usize>,

    /// Width of each hidden layer, `none` for a linear model [default: 128,128]
    #[arg(long, value_name = "WIDTHS", help_heading = "Network")]
    pub(crate) hidden: Option<Hidden>,
    /// After each hidden layer: relu, leaky_relu, gelu, silu, elu, selu, mish, softplus, tanh, sigmoid
    /// or identity
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    pub(crate) activation: Option<String>,
    /// Before each activation: none, batch or layer
    #[arg(long, value_name = "NAME", help_heading = "Network", value_parser = by_name::<Normalization>)]
    pub(crate) normalization: Option<Normalization>,
    /// Fraction of hidden outputs dropped in training [default: 0.1]
    #[arg(long, value_name = "FRACTION", help_heading = "Network")]
    pub(crate) dropout: Option<f64>,

    /// Most passes through the training rows
    #[arg(long, value_name = "COUNT", help_heading = "Training")]
    pub(crate) epochs: Option<usize>,
    /// Rows per iteration, or `all`
    #[arg(long, value_name = "ROWS", help_heading = "Training")]
    pub(crate) batch_size: Option<RowsOrAll>,
    /// sgd, momentum, nesterov, adam, adamw, rmsprop, adagrad or adan
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub(crate) optimizer: Option<String>,
    /// Size of an update
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    pub(crate) learning_rate: Option<f64>,
    /// Pull of the weights towards 0
    #[arg(long, value_name = "DECAY", help_heading = "Training")]
    pub(crate) weight_decay: Option<f64>,
    /// How the learning rate changes: constant, cosine, one_cycle or plateau
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub(crate) schedule: Option<String>,
    /// Iterations over which the learning rate rises
    #[arg(long, value_name = "ITERATIONS", help_heading = "Training")]
    pub(crate) warmup: Option<usize>,
    /// Largest norm of a gradient; 0 for no limit
    #[arg(long, value_name = "NORM", help_heading = "Training")]
    pub(crate) clip_norm: Option<f64>,
    /// Epochs without improvement on the validation rows that stop the run; 0 to go on
    #[arg(long, value_name = "EPOCHS", help_heading = "Training")]
    pub(crate) patience: Option<usize>,
    /// What has to improve: loss or accuracy
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = by_name::<Monitor>)]
    pub(crate) monitor: Option<Monitor>,
    /// Fraction by which targets are moved towards the uniform distribution
    #[arg(long, value_name = "FRACTION", help_heading = "Training")]
    pub(crate) label_smoothing: Option<f64>,
    /// `balanced`, `none`, or one factor for each class in order
    #[arg(long, value_name = "WEIGHTS", help_heading = "Training")]
    pub(crate) class_weights: Option<ClassWeightsOption>,
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

    /// How the file of rows is read; flags win.
    pub(crate) fn read_options(&self, flags: &ReadArgs) -> anyhow::Result<ReadOptions> {
        let flags = flags.options();
        let named = match self.delimiter {
            None => None,
            Some(char) => match delimiter(&char.to_string()) {
                Ok(byte) => Some(byte),
                Err(expected) => bail!("`delimiter` is {char:?}, {expected}"),
            },
        };
        Ok(ReadOptions {
            delimiter: flags.delimiter.or(named),
            header: flags.header.or(self.header),
        })
    }

    /// Fills in every default.
    ///
    /// # Errors
    ///
    /// No target, or one that the table lacks; an unknown optimizer.
    pub(crate) fn resolve(&self, table: &Table) -> anyhow::Result<Settings> {
        let target = self.target.as_deref().unwrap_or_default();
        if target.is_empty() {
            let usage = UsageError(format!(
                "no target: say with `--target` which column to predict (a name, a position \
                 counted from 1, or `last`); the columns are {}",
                names(table.columns())
            ));
            return Err(usage.into());
        }
        let target: Vec<String> = target
            .iter()
            .map(|name| column(table.name(), table.columns(), name))
            .collect::<anyhow::Result<_>>()?;
        let columns = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();

        let Recipe { valid_fraction, mut preprocess, mut network, mut train } =
            Recipe::new(table.num_rows());
        let valid_fraction = match (self.valid_fraction, &self.valid) {
            (_, Some(_)) => None,
            (Some(0.0), None) => None,
            (fraction, None) => Some(fraction.unwrap_or(valid_fraction)),
        };
        set(&mut preprocess.scaling, self.scaling);
        set(&mut preprocess.one_hot_up_to, self.one_hot_up_to);
        set(&mut network.hidden, self.hidden.clone().map(|hidden| hidden.0));
        if let Some(name) = &self.activation {
            network.activation = name.parse()?;
        }
        set(&mut network.normalization, self.normalization);
        set(&mut network.dropout, self.dropout);

        set(&mut train.num_epochs, self.epochs);
        set(&mut train.batch_size, self.batch_size.map(RowsOrAll::batch_size));
        if let Some(name) = &self.optimizer {
            train.optimizer = name.parse()?;
        }
        if let Some(decay) = self.weight_decay {
            train.optimizer = train.optimizer.with_weight_decay(decay);
        }
        set(&mut train.learning_rate, self.learning_rate);
        if let Some(name) = &self.schedule {
            train.schedule.decay = name.parse()?;
        }
        set(&mut train.schedule.warmup_iterations, self.warmup);
        match self.clip_norm {
            Some(0.0) => train.clipping = None,
            Some(norm) => train.clipping = Some(GradientClipping::Norm(norm)),
            None => {}
        }
        let validates = valid_fraction.is_some() || self.valid.is_some();
        let mut stopping = train.early_stopping.unwrap_or_default();
        set(&mut stopping.patience, self.patience);
        set(&mut stopping.monitor, self.monitor);
        // Without validation rows there is nothing to watch; asked for all the same, it is an error.
        let asked = self.patience.is_some_and(|epochs| epochs > 0) || self.monitor.is_some();
        let stops = self.patience != Some(0) && (validates || asked);
        train.early_stopping = stops.then_some(stopping);
        set(&mut train.loss.label_smoothing, self.label_smoothing);
        set(&mut train.restarts, self.restarts);
        set(&mut train.seed, self.seed);
        Ok(Settings {
            target,
            loss: self.loss.unwrap_or(TargetKind::Auto),
            positive: self.positive.clone(),
            columns: ColumnSettings {
                categorical: columns(&self.categorical),
                numeric: columns(&self.numeric),
                ignore: columns(&self.ignore),
                weight: self.weight.clone(),
                fold: None,
                missing: self.missing.clone(),
            },
            valid_fraction,
            preprocess,
            network,
            class_weights: match &self.class_weights {
                None => ClassWeights::None,
                Some(weights) => weights.class_weights(),
            },
            train,
        })
    }

    /// The same run said in full, for `--print-config`.
    pub(crate) fn from_settings(settings: &Settings, typed: &Self) -> Self {
        let Settings { columns, preprocess, network, train, .. } = settings;
        let stopping = train.early_stopping;
        Self {
            target: Some(settings.target.clone()),
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
                None => Some(settings.valid_fraction.unwrap_or(0.0)),
            },
            delimiter: typed.delimiter,
            header: typed.header,
            scaling: Some(preprocess.scaling),
            one_hot_up_to: Some(preprocess.one_hot_up_to),
            hidden: Some(Hidden(network.hidden.clone())),
            activation: Some(network.activation.name().to_owned()),
            normalization: Some(network.normalization),
            dropout: Some(network.dropout),
            epochs: Some(train.num_epochs),
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
            patience: Some(stopping.map_or(0, |stopping| stopping.patience)),
            monitor: stopping.map(|stopping| stopping.monitor),
            label_smoothing: Some(train.loss.label_smoothing),
            class_weights: Some(ClassWeightsOption::of(&settings.class_weights)),
            restarts: Some(train.restarts),
            seed: Some(train.seed),
        }
    }
}

/// A value of an enum by the name that it has in a file.
fn by_name<T: for<'de> Deserialize<'de>>(name: &str) -> Result<T, serde::de::value::Error> {
    T::deserialize(name.into_deserializer())
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

/// What was asked for makes no sense, whatever the data: the process ends with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(String);

/// Reads options from TOML; an unknown key is an error with its place and the nearest known one.
pub(crate) fn read_config(path: &std::path::Path) -> anyhow::Result<Options> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(String::new(), |span| {
            let before = &text[..span.start];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
            format!(" line {line}, column {column}")
        });
        let message = error.message();
        // serde puts the key first and the known ones behind it, each in backquotes.
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let message = match (message.starts_with("unknown field"), quoted.split_first()) {
            (true, Some((key, known))) => match kiln::data::nearest(key, known.iter().copied()) {
                Some(nearest) => format!("unknown key `{key}`; did you mean `{nearest}`?"),
                None => format!("unknown key `{key}`; there are {}", known.join(", ")),
            },
            _ => in_words(message.trim_end()),
        };
        UsageError(format!("{}{at}: {message}", path.display())).into()
    })
}

/// A message of serde's without the names of Rust's types.
fn in_words(message: &str) -> String {
    [
        ("expected usize", "expected a whole number, 0 or more"),
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected a list"),
    ]
    .iter()
    .fold(message.to_owned(), |message, (rust, words)| message.replace(rust, words))
}

/// The widths of the hidden layers: `128,64`, or `none`; a list in TOML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(pub(crate) Vec<usize>);

impl FromStr for Hidden {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let widths = text.split(',').map(|width| width.trim().parse());
        let widths: Result<_, _> = widths.collect();
        widths.map(Self).map_err(|_| "expected widths separated by commas, or `none`".to_owned())
    }
}

/// `all` or a number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of rows, or \"all\"")]
pub(crate) enum RowsOrAll {
    Rows(usize),
    All(All),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum All {
    All,
}

impl RowsOrAll {
    fn batch_size(self) -> BatchSize {
        match self {
            Self::Rows(rows) => BatchSize::Rows(rows),
            Self::All(_) => BatchSize::All,
        }
    }

    fn of(batch_size: BatchSize) -> Self {
        match batch_size {
            BatchSize::Rows(rows) => Self::Rows(rows),
            BatchSize::All => Self::All(All::All),
        }
    }
}

impl FromStr for RowsOrAll {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All(All::All)),
            _ => text
                .parse()
                .map(Self::Rows)
                .map_err(|_| "expected a number of rows, or `all`".to_owned()),
        }
    }
}

/// `balanced`, `none`, or numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a list of numbers, \"balanced\" or \"none\"")]
pub(crate) enum ClassWeightsOption {
    Given(Vec<f64>),
    Word(ClassWeightsWord),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClassWeightsWord {
    Balanced,
    None,
}

impl ClassWeightsOption {
    fn class_weights(&self) -> ClassWeights {
        match self {
            Self::Given(weights) => ClassWeights::Given(weights.clone()),
            Self::Word(ClassWeightsWord::Balanced) => ClassWeights::Balanced,
            Self::Word(ClassWeightsWord::None) => ClassWeights::None,
        }
    }

    fn of(weights: &ClassWeights) -> Self {
        match weights {
            ClassWeights::Given(weights) => Self::Given(weights.clone()),
            ClassWeights::Balanced => Self::Word(ClassWeightsWord::Balanced),
            ClassWeights::None => Self::Word(ClassWeightsWord::None),
        }
    }
}

impl FromStr for ClassWeightsOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "balanced" => Ok(Self::Word(ClassWeightsWord::Balanced)),
            "none" => Ok(Self::Word(ClassWeightsWord::None)),
            _ => {
                let weights = text.split(',').map(|weight| weight.trim().parse());
                let weights: Result<_, _> = weights.collect();
                weights.map(Self::Given).map_err(|_| {
                    "expected numbers separated by commas, `balanced` or `none`".to_owned()
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config_error(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, text).unwrap();
        let error = read_config(&path).unwrap_err();
        assert!(error.is::<UsageError>());
        error.to_string().replace(&path.display().to_string(), "run.toml")
    }

    #[test]
    fn a_misspelt_key_is_shown_with_its_place_and_the_right_one() {
        assert_eq!(
            config_error("epochs = 3\n  learnin_rate = 0.1\n"),
            "run.toml line 2, column 3: unknown key `learnin_rate`; did you mean `learning_rate`?"
        );
        assert_eq!(
            config_error("epochs = \"many\"\n"),
            "run.toml line 1, column 10: invalid type: string \"many\", expected usize"
        );
        assert_eq!(
            config_error("batch_size = \"some\"\n"),
            "run.toml line 1, column 14: expected a number of rows, or \"all\""
        );
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = Options { epochs: Some(3), seed: Some(7), ..Options::default() };
        let flags = Options { epochs: Some(5), ..Options::default() };
        let merged = flags.over(file).unwrap();
        assert_eq!((merged.epochs, merged.seed), (Some(5), Some(7)));
    }

    #[test]
    fn what_is_printed_says_the_same_run() {
        let input = std::io::Cursor::new("x,y\n1,a\n2,b\n3,a\n");
        let reader =
            kiln::data::TableReader::from_reader(input, "t.csv", &ReadOptions::default()).unwrap();
        let table = Table::from_reader(reader).unwrap();
        let typed = Options {
            target: Some(vec!["last".to_owned()]),
            activation: Some("leaky_relu".to_owned()),
            optimizer: Some("nesterov".to_owned()),
            schedule: Some("one_cycle".to_owned()),
            batch_size: Some(RowsOrAll::All(All::All)),
            class_weights: Some(ClassWeightsOption::Given(vec![1.0, 2.5])),
            clip_norm: Some(1.5),
            valid_fraction: Some(0.0),
            hidden: Some(Hidden(vec![])),
            ..Options::default()
        };
        let settings = typed.resolve(&table).unwrap();
        assert_eq!((settings.target[0].as_str(), settings.train.early_stopping), ("y", None));
        let text = toml::to_string(&Options::from_settings(&settings, &typed)).unwrap();
        let read: Options = toml::from_str(&text).unwrap();
        assert_eq!(read.resolve(&table).unwrap(), settings, "{text}");
    }

    #[test]
    fn a_target_is_a_name_before_it_is_a_position() {
        let columns = ["2", "b", "c"].map(str::to_owned);
        let find = |name| column("t.csv", &columns, name);
        assert_eq!(find("2").unwrap(), "2");
        assert_eq!(find("3").unwrap(), "c");
        assert_eq!(find("last").unwrap(), "c");
        assert_eq!(
            find("4").unwrap_err().to_string(),
            "t.csv: `--target 4`: there are columns 1 to 3"
        );
    }
}
