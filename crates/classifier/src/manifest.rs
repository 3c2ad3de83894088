use kiln_model::{EmbeddingConfig, LossConfig, MlpConfig, Task};
use kiln_table::{Preprocessor, Schema, TargetEncoder, TargetForm};
use serde::{Deserialize, Serialize};

use crate::ClassifierError;

/// The format of the files that this version writes, and the newest that it reads.
///
/// Format 2 added `training.class_rows` and `training.history`, which are empty in files of format 1. Format 3 added
/// `clip` to the scale of a number, which is true where a file does not say it. Format 4 added `members`, which is 1
/// where a file does not say it, `training.bag_folds`, and `bins` to a number, of which there are none then.
pub const FORMAT_VERSION: u32 = 4;

/// Most networks that a classifier may have.
const MAX_MEMBERS: usize = 1000;

/// All of a classifier but the weights of its network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT_VERSION`], or an older one.
    pub format_version: u32,
    /// The version of Kiln that trained it.
    pub kiln_version: String,
    /// What is predicted.
    pub task: Task,
    /// What the columns of the training table were used for.
    pub schema: Schema,
    /// From rows of a table to features.
    pub preprocessor: Preprocessor,
    /// The classes or labels.
    pub target: TargetEncoder,
    /// The probability, above 0 and below 1, from which on the positive class or a label is decided.
    /// Means nothing to multiclass tasks.
    pub threshold: f64,
    /// What logits are divided by before they become probabilities: above 0, and 1 changes nothing.
    pub temperature: f64,
    /// The loss that it was trained with.
    pub loss: LossConfig,
    /// The network, or each of them; its seed is that of the first.
    pub network: MlpConfig,
    /// How many networks of this shape there are, whose probabilities are averaged: 1 to 1000.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub members: usize,
    /// How it was trained.
    pub training: Training,
    /// Metrics of the validation rows; null where there were none.
    pub metrics: serde_json::Value,
}

fn one() -> usize {
    1
}

fn is_zero(folds: &usize) -> bool {
    *folds == 0
}

fn is_one(members: &usize) -> bool {
    *members == 1
}

/// How a classifier was trained. Nothing here changes what it predicts, and no time is kept, so that
/// the same run gives the same file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The name of the training table, or of the file of weights.
    pub source: String,
    /// Rows it was trained on; 0 for a network that was trained elsewhere.
    pub rows: usize,
    /// Rows that chose the best epoch: held out of all networks, or, with `bag_folds`, those trained on, each
    /// predicted by the networks that were not trained on it.
    pub valid_rows: usize,
    /// Folds that the rows were dealt over, of which each network left out one; 0: each was trained on all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bag_folds: usize,
    /// The seed of everything drawn at random.
    pub seed: u64,
    /// Epochs done.
    pub epochs: usize,
    /// The epoch whose weights these are, counted from 1.
    pub kept_epoch: usize,
    /// Why training ended.
    pub stop_reason: String,
    /// The backend that it ran on.
    pub backend: String,
    /// The whole config of the run.
    pub config: serde_json::Value,
    /// Training rows of each class, or those that have each label: what guessing knows. Empty: not known.
    #[serde(default)]
    pub class_rows: Vec<usize>,
    /// One for each epoch, in order. Empty: not known.
    #[serde(default)]
    pub history: Vec<Epoch>,
}

impl Training {
    /// Whether the weights are from elsewhere: Kiln trains on one row at least.
    pub fn is_imported(&self) -> bool {
        self.rows == 0
    }
}

/// What was known at the end of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// Of its last iteration.
    pub learning_rate: f64,
    /// Mean nats per row over the epoch, each row before its own update.
    pub train_loss: f64,
    /// Share of training rows that were right, likewise.
    pub train_accuracy: f64,
    /// Mean nats per validation row.
    pub valid_loss: Option<f64>,
    /// Share of validation rows that are right.
    pub valid_accuracy: Option<f64>,
}

/// What a network is to predict for these targets.
pub fn task_of(target: &TargetEncoder) -> Task {
    let classes = target.classes().len();
    match target.form() {
        TargetForm::Binary { .. } => Task::Binary,
        TargetForm::Labels => Task::MultiLabel { num_labels: classes },
        TargetForm::Sparse { .. } | TargetForm::Categorical { .. } | TargetForm::OneHot => {
            Task::Multiclass { num_classes: classes }
        }
    }
}

/// The vectors that a network is to learn for these features.
pub fn embeddings_of(preprocessor: &Preprocessor) -> Vec<EmbeddingConfig> {
    let embeddings = preprocessor.embeddings().into_iter();
    embeddings
        .map(|embedding| EmbeddingConfig::new(embedding.num_categories, embedding.d_embedding))
        .collect()
}

impl Manifest {
    /// Checks every part, and that they fit each other.
    ///
    /// # Errors
    ///
    /// [`ClassifierError::Mismatch`], [`ClassifierError::Model`] or [`ClassifierError::Data`] for
    /// the first part that is wrong.
    pub fn validate(&self) -> Result<(), ClassifierError> {
        if !(1..=FORMAT_VERSION).contains(&self.format_version) {
            let expected = format!("1 to {FORMAT_VERSION}");
            return Err(ClassifierError::mismatch("format_version", self.format_version, expected));
        }
        if !(self.threshold > 0.0 && self.threshold < 1.0) {
            return Err(ClassifierError::mismatch(
                "threshold",
                self.threshold,
                "a number above 0 and below 1",
            ));
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(ClassifierError::mismatch(
                "temperature",
                self.temperature,
                "a finite number above 0",
            ));
        }
        if !(1..=MAX_MEMBERS).contains(&self.members) {
            let expected = format!("1 to {MAX_MEMBERS}");
            return Err(ClassifierError::mismatch("members", self.members, expected));
        }
        self.task.validate()?;
        self.loss.validate_for(self.task)?;
        self.target.validate()?;
        self.preprocessor.validate()?;
        self.network.validate()?;

        let classes = self.target.classes().len();
        let class_rows = self.training.class_rows.len();
        if ![0, classes].contains(&class_rows) {
            return Err(ClassifierError::mismatch("training.class_rows", class_rows, classes));
        }
        let task = task_of(&self.target);
        if self.task != task {
            let expected = format!("{task:?}, for {classes} classes or labels");
            return Err(ClassifierError::mismatch("task", format!("{:?}", self.task), expected));
        }
        let (d_input, d_output) = (self.preprocessor.d_input(), self.task.d_output());
        if self.network.d_output != d_output {
            return Err(ClassifierError::mismatch(
                "network.d_output",
                self.network.d_output,
                d_output,
            ));
        }
        if self.network.d_input != d_input {
            return Err(ClassifierError::mismatch(
                "network.d_input",
                self.network.d_input,
                d_input,
            ));
        }
        let embeddings = embeddings_of(&self.preprocessor);
        if self.network.embeddings != embeddings {
            let as_text = |embeddings: &[EmbeddingConfig]| {
                let sizes = embeddings.iter().map(|e| [e.num_categories, e.d_embedding]);
                format!("{:?}", sizes.collect::<Vec<_>>())
            };
            let found = as_text(&self.network.embeddings);
            return Err(ClassifierError::mismatch(
                "network.embeddings",
                found,
                as_text(&embeddings),
            ));
        }
        self.validate_columns()
    }

    /// Trained numbers, in all networks.
    pub fn num_parameters(&self) -> usize {
        self.members * self.network.num_parameters()
    }

    /// The columns that the network was given to learn from, in the order of the schema. Those that
    /// told nothing are among them.
    pub fn feature_columns(&self) -> impl Iterator<Item = &str> {
        let columns = self.schema.columns.iter().filter(|column| column.kind.is_feature());
        columns.map(|column| column.name.as_str())
    }

    fn validate_columns(&self) -> Result<(), ClassifierError> {
        let mut names = std::collections::HashSet::new();
        if let Some(column) = self.schema.columns.iter().find(|c| !names.insert(c.name.as_str())) {
            let found = format!("{:?} twice", column.name);
            return Err(ClassifierError::mismatch("schema", found, "names that are all different"));
        }
        let features: std::collections::HashSet<&str> = self.feature_columns().collect();
        match self.preprocessor.columns().find(|name| !features.contains(name)) {
            None => Ok(()),
            Some(column) => Err(ClassifierError::mismatch(
                "preprocessor",
                format!("in need of {column:?}"),
                "one that needs feature columns of the schema only",
            )),
        }
    }
}
