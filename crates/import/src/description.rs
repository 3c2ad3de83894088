use kiln_classifier::{FORMAT_VERSION, Manifest, Training, task_of};
use kiln_model::{Activation, LossConfig, MlpConfig};
use kiln_table::{
    ColumnKind, ColumnSchema, Feature, Numeric, Preprocessor, Scale, Schema, TargetEncoder,
    TargetForm, Transform,
};

use crate::{ImportError, Layers};

/// What weights do not contain of a classifier.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Description {
    /// What the outputs mean.
    pub outputs: Outputs,
    /// The columns in the order of the inputs, all of them numbers; `None`: `column_1`, `column_2`, ….
    pub columns: Option<Vec<String>>,
    /// The column of the class; `None`: `class`.
    pub target: Option<String>,
    /// What is subtracted from a value, for all columns or for each; a missing value counts as it.
    /// `None`: 0.
    pub mean: Option<Vec<f64>>,
    /// What it is divided by then, for all columns or for each; `None`: 1.
    pub std: Option<Vec<f64>>,
    /// That of the hidden layers; `None` where there are none.
    pub activation: Option<Activation>,
}

/// What the outputs of a network mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Outputs {
    /// Not known.
    #[default]
    Unknown,
    /// One class per row, in the order of the outputs; two for a single output, the second the positive one.
    Classes(Vec<String>),
    /// Independent labels, in the order of the outputs.
    Labels(Vec<String>),
}

impl Description {
    /// All of a model file but its weights.
    ///
    /// # Errors
    ///
    /// What is missing, and what does not fit the layers.
    pub fn manifest(&self, layers: &Layers) -> Result<Manifest, ImportError> {
        let config = layers.config();
        if !config.embeddings.is_empty() {
            return Err(ImportError::Categories);
        }
        let target = self.target(config.d_output)?;
        let activation = match (self.activation, config.hidden.len()) {
            (Some(activation), _) => activation,
            (None, 0) => Activation::Identity,
            (None, _) => {
                let what = "the activation of the hidden layers".to_owned();
                return Err(ImportError::Missing { what, fields: &["activation"] });
            }
        };
        let width = config.d_input;
        let columns = match &self.columns {
            Some(columns) if columns.len() != width => {
                return Err(ImportError::names("columns", columns.len(), width, "inputs"));
            }
            Some(columns) => columns.clone(),
            None => (1..=width).map(|column| format!("column_{column}")).collect(),
        };
        let means = for_each("mean", self.mean.as_deref().unwrap_or(&[0.0]), width)?;
        let stds = for_each("std", self.std.as_deref().unwrap_or(&[1.0]), width)?;
        let scales = means.into_iter().zip(stds);
        let features = columns.iter().zip(scales).map(|(name, (center, spread))| Feature {
            name: name.clone(),
            missing: Vec::new(),
            transform: Transform::Numeric(Numeric {
                median: center,
                scale: Some(Scale { center, spread, clip: false }),
                bins: None,
                missing_column: false,
            }),
        });
        let preprocessor = Preprocessor::new(Vec::new(), features.collect())?;
        let schema = |name: &String, kind| ColumnSchema {
            name: name.clone(),
            kind,
            reason: "as imported".to_owned(),
            missing: Vec::new(),
        };
        let inputs = columns.iter().map(|name| schema(name, ColumnKind::Numeric));
        let targets = target.columns().iter().map(|name| schema(name, ColumnKind::Target));
        Ok(Manifest {
            format_version: FORMAT_VERSION,
            kiln_version: env!("CARGO_PKG_VERSION").to_owned(),
            task: task_of(&target),
            schema: Schema { columns: inputs.chain(targets).collect(), missing: Vec::new() },
            preprocessor,
            target,
            threshold: 0.5,
            temperature: 1.0,
            loss: LossConfig::default(),
            network: config.with_activation(activation),
            members: 1,
            training: imported(),
            metrics: serde_json::Value::Null,
        })
    }

    fn target(&self, outputs: usize) -> Result<TargetEncoder, ImportError> {
        let column = self.target.clone().unwrap_or_else(|| "class".to_owned());
        let (columns, form) = match &self.outputs {
            Outputs::Unknown => {
                let what = format!("what their {outputs} outputs mean");
                return Err(ImportError::Missing { what, fields: &["classes", "labels", "like"] });
            }
            Outputs::Classes(classes) => match (outputs, classes.as_slice()) {
                (1, [negative, positive]) => {
                    let classes = [negative.clone(), positive.clone()];
                    (vec![column], TargetForm::Binary { classes })
                }
                (1, classes) => {
                    return Err(ImportError::Description {
                        field: "classes",
                        found: format!("names {}", classes.len()),
                        expected: "two for a single output".to_owned(),
                    });
                }
                (_, classes) if classes.len() != outputs => {
                    return Err(ImportError::names("classes", classes.len(), outputs, "outputs"));
                }
                (_, classes) => (vec![column], TargetForm::Sparse { classes: classes.to_vec() }),
            },
            Outputs::Labels(labels) if labels.len() != outputs => {
                return Err(ImportError::names("labels", labels.len(), outputs, "outputs"));
            }
            Outputs::Labels(labels) => (labels.clone(), TargetForm::Labels),
        };
        Ok(TargetEncoder::new(columns, form, Vec::new())?)
    }
}

/// All but the weights of another model, whose layers may be of other widths.
pub fn manifest_like(like: &Manifest, layers: &Layers) -> Manifest {
    let found = layers.config();
    let network = MlpConfig {
        d_input: found.d_input,
        d_output: found.d_output,
        hidden: found.hidden,
        normalization: found.normalization,
        embeddings: found.embeddings,
        ..like.network.clone()
    };
    Manifest {
        format_version: FORMAT_VERSION,
        kiln_version: env!("CARGO_PKG_VERSION").to_owned(),
        network,
        training: imported(),
        metrics: serde_json::Value::Null,
        ..like.clone()
    }
}

/// One number for each column, or one for all.
fn for_each(field: &'static str, numbers: &[f64], columns: usize) -> Result<Vec<f64>, ImportError> {
    match numbers {
        [number] => Ok(vec![*number; columns]),
        numbers if numbers.len() == columns => Ok(numbers.to_vec()),
        numbers => Err(ImportError::Description {
            field,
            found: format!("has {} numbers", numbers.len()),
            expected: format!("one, or one for each of {columns} inputs"),
        }),
    }
}

fn imported() -> Training {
    Training {
        source: String::new(),
        rows: 0,
        valid_rows: 0,
        bag_folds: 0,
        seed: 0,
        epochs: 0,
        kept_epoch: 0,
        stop_reason: "imported".to_owned(),
        backend: String::new(),
        config: serde_json::Value::Null,
        class_rows: Vec::new(),
        history: Vec::new(),
    }
}
