//! A classifier as an [ONNX](https://onnx.ai) graph, from the columns of a table to classes and
//! probabilities.

mod graph;
mod layers;
mod message;
mod preprocess;

use std::collections::{HashMap, HashSet};

use kiln_classifier::{Classifier, Manifest};
use kiln_kernels::KilnBackend;
use kiln_model::Task;
use kiln_table::{Cell, Cells, Rows, Transform, parse_number};
use prost::Message;
use serde_json::json;

use crate::{ExportError, network::Networks};
use graph::{Attribute, Builder, Value};
use message::{
    BOOL, DOUBLE, DimensionProto, FLOAT, ModelProto, OperatorSetIdProto, STRING,
    StringStringEntryProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// The version of the standard operators: read by onnxruntime 1.12 (2022) and later.
pub const OPSET: i64 = 17;

/// Of `ai.onnx.ml`, for `CategoryMapper`, which has not changed since.
const ML_OPSET: i64 = 1;

/// The version of the file format that came with opset 17.
const IR_VERSION: i64 = 8;

/// Most numbers in a network: protobuf ends at 2 GiB, of which tables of texts need some.
const MAX_PARAMETERS: usize = 500_000_000;

/// What a graph is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inputs {
    /// One input `[rows, 1]` for each column that the preprocessing uses: `double` for numbers, NaN where
    /// missing; `string` for categories and booleans, empty where missing.
    Columns,
    /// One input `features`, `double`, `[rows, columns]`: numbers in the order of
    /// [`Manifest::feature_columns`], those included that the preprocessing leaves out. NaN is missing.
    Matrix,
}

/// An input of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphInput {
    /// Its name in the graph: that of the column, unless something else in the graph is named so.
    pub name: String,
    /// The columns of the table that it holds.
    pub columns: Vec<String>,
    /// What its elements are.
    pub value_type: ValueType,
}

/// What the elements of an input are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// `tensor(double)`.
    Number,
    /// `tensor(string)`.
    Text,
}

/// A graph of standard operators that says of rows of a table what the classifier says.
///
/// Its inputs are those of [`Inputs`]; the number of rows is free. Its outputs:
///
/// | Name | Type | Shape | |
/// |---|---|---|---|
/// | `class` | string | `[rows]` | the class: of binary and multiclass tasks |
/// | `labels` | bool | `[rows, labels]` | the labels that apply: of multi-label tasks |
/// | `probabilities` | float | `[rows, classes]` | in the order of [`Classifier::classes`]; a binary task has two |
///
/// It differs from the classifier where a graph can't refuse a value: a text for a boolean that is none counts
/// as missing, an infinite number as a very large one. Texts are to be trimmed, and a number that stands for a
/// category is given as its text.
///
/// The file's metadata:
///
/// | Entry | |
/// |---|---|
/// | `kiln.version` | the version of Kiln that wrote it |
/// | `kiln.classes` | the classes or labels, as a JSON list |
/// | `kiln.inputs` | a JSON list of `{"name", "type", "columns"}` |
/// | others | as given to [`Onnx::with_metadata`] |
#[derive(Debug, Clone)]
pub struct Onnx {
    model: ModelProto,
    inputs: Vec<GraphInput>,
}

impl Onnx {
    /// # Errors
    ///
    /// [`ExportError::NotNumeric`] where [`Inputs::Matrix`] can't hold a column, and
    /// [`ExportError::TooLarge`].
    pub fn new<B: KilnBackend>(
        classifier: &Classifier<B>,
        inputs: Inputs,
    ) -> Result<Self, ExportError> {
        let manifest = classifier.manifest();
        let parameters = manifest.num_parameters();
        if parameters > MAX_PARAMETERS {
            return Err(ExportError::TooLarge { parameters, limit: MAX_PARAMETERS });
        }
        let inputs = match inputs {
            Inputs::Columns => column_inputs(manifest),
            Inputs::Matrix => vec![matrix_input(manifest)?],
        };
        let mut networks = Networks::new(&manifest.network, classifier.members());
        let mut graph = Builder::default();
        let features = {
            let numbers = numbers(&mut graph, manifest, &inputs);
            let texts = inputs.iter().filter(|input| input.value_type == ValueType::Text);
            let texts = texts.map(|input| input.name.clone()).collect();
            let preprocessor = &manifest.preprocessor;
            preprocess::inputs(&mut graph, preprocessor, &mut networks, numbers, texts)
        };
        let logits = layers::logits(&mut graph, &networks, manifest.task, &features);
        let outputs = decide(&mut graph, manifest, &logits);

        let mut graph = graph.finish("kiln");
        graph.input = inputs.iter().map(GraphInput::message).collect();
        graph.output = outputs;
        let described: Vec<_> = inputs.iter().map(GraphInput::described).collect();
        let opset =
            |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
        let model = ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![opset("", OPSET), opset("ai.onnx.ml", ML_OPSET)],
            producer_name: "kiln".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: format!(
                "predicts {} from the columns of a table",
                manifest.target.columns().join(", ")
            ),
            graph: Some(graph),
            metadata_props: Vec::new(),
        };
        Ok(Self { model, inputs }
            .with_metadata("kiln.version", env!("CARGO_PKG_VERSION"))
            .with_metadata("kiln.classes", &json!(classifier.classes()).to_string())
            .with_metadata("kiln.inputs", &json!(described).to_string()))
    }

    /// What the graph is to be given, in order.
    pub fn inputs(&self) -> &[GraphInput] {
        &self.inputs
    }

    /// The names of the outputs: the decision, then the probabilities.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        let outputs = self.model.graph.iter().flat_map(|graph| &graph.output);
        outputs.map(|output| output.name.as_str())
    }

    /// Adds an entry to the file's metadata.
    pub fn with_metadata(mut self, key: &str, value: &str) -> Self {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.model.metadata_props.push(StringStringEntryProto { key, value });
        self
    }

    /// The contents of its file: the same for the same classifier, every time.
    pub fn encode(&self) -> Vec<u8> {
        self.model.encode_to_vec()
    }
}

/// What rows hold, as an input takes it: row-major `[rows, columns]`.
#[derive(Debug, Clone, PartialEq)]
pub enum InputValues {
    /// NaN where the value is missing, or no number.
    Numbers(Vec<f64>),
    /// Empty where the value is missing.
    Texts(Vec<String>),
}

impl ValueType {
    /// `double` or `string`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "double",
            Self::Text => "string",
        }
    }
}

impl GraphInput {
    /// What to give the graph for these rows. A column that they don't have is missing in all of them.
    pub fn values(&self, rows: &Rows) -> InputValues {
        let schema = rows.batch.schema();
        let column = |name: &String| {
            let found = schema.column_with_name(name);
            found.map(|(index, _)| Cells::new(rows.batch.column(index).as_ref()))
        };
        let columns: Vec<Option<Cells<'_>>> = self.columns.iter().map(column).collect();
        let places =
            (0..rows.batch.num_rows()).flat_map(|row| columns.iter().map(move |c| (row, c)));
        let cells =
            places.map(|(row, cells)| cells.as_ref().map_or(Cell::Missing, |cells| cells.get(row)));
        match self.value_type {
            ValueType::Number => InputValues::Numbers(cells.map(number).collect()),
            ValueType::Text => {
                let mut scratch = String::new();
                let text = |cell: Cell| cell.text(&mut scratch).unwrap_or_default().to_owned();
                InputValues::Texts(cells.map(text).collect())
            }
        }
    }

    fn message(&self) -> ValueInfoProto {
        let elem_type = match self.value_type {
            ValueType::Number => DOUBLE,
            ValueType::Text => STRING,
        };
        value_info(&self.name, elem_type, Some(self.columns.len()))
    }

    fn described(&self) -> serde_json::Value {
        json!({"name": self.name, "type": self.value_type.name(), "columns": self.columns})
    }
}

fn number(cell: Cell) -> f64 {
    match cell {
        Cell::Missing => f64::NAN,
        Cell::Text(text) => parse_number(text).unwrap_or(f64::NAN),
        Cell::Integer(value) => value as f64,
        Cell::Number(value) => value,
        Cell::Boolean(value) => f64::from(u8::from(value)),
    }
}

/// One input for each column, in the order of the preprocessor.
fn column_inputs(manifest: &Manifest) -> Vec<GraphInput> {
    // The names of outputs, of what lies between, and the one that means none.
    let reserved = |name: &str| {
        ["", decision(manifest.task), PROBABILITIES].contains(&name) || name.starts_with("kiln/")
    };
    let columns: HashSet<&str> = manifest.preprocessor.columns().collect();
    let features = manifest.preprocessor.features().iter();
    features
        .map(|feature| {
            let mut name = feature.name.clone();
            // Longer each time, and never that of another column.
            while reserved(&name) || (name != feature.name && columns.contains(name.as_str())) {
                name = format!("input {name}");
            }
            let value_type = match feature.transform {
                Transform::Numeric(_) => ValueType::Number,
                Transform::Boolean | Transform::OneHot(_) | Transform::Embedding(_) => {
                    ValueType::Text
                }
            };
            GraphInput { name, columns: vec![feature.name.clone()], value_type }
        })
        .collect()
}

fn matrix_input(manifest: &Manifest) -> Result<GraphInput, ExportError> {
    for feature in manifest.preprocessor.features() {
        let kind = match feature.transform {
            Transform::Numeric(_) => continue,
            Transform::Boolean => "true or false",
            Transform::OneHot(_) | Transform::Embedding(_) => "a category",
        };
        return Err(ExportError::NotNumeric { column: feature.name.clone(), kind });
    }
    Ok(GraphInput {
        name: "features".to_owned(),
        columns: manifest.feature_columns().map(str::to_owned).collect(),
        value_type: ValueType::Number,
    })
}

/// The inputs that are numbers, side by side.
fn numbers(
    graph: &mut Builder,
    manifest: &Manifest,
    inputs: &[GraphInput],
) -> Option<preprocess::Numbers> {
    let numbers: Vec<&GraphInput> =
        inputs.iter().filter(|input| input.value_type == ValueType::Number).collect();
    if numbers.is_empty() {
        return None;
    }
    let names: Vec<Value> = numbers.iter().map(|input| input.name.clone()).collect();
    let columns: HashMap<&str, usize> =
        numbers.iter().flat_map(|input| &input.columns).map(String::as_str).zip(0..).collect();
    let features = manifest.preprocessor.features().iter();
    let numeric = features.filter(|feature| matches!(feature.transform, Transform::Numeric(_)));
    Some(preprocess::Numbers {
        value: graph.concat(&names),
        columns: numeric.map(|feature| columns[feature.name.as_str()]).collect(),
        width: columns.len(),
    })
}

const PROBABILITIES: &str = "probabilities";

/// The name of the output that holds what is decided.
fn decision(task: Task) -> &'static str {
    match task {
        Task::Binary | Task::Multiclass { .. } => "class",
        Task::MultiLabel { .. } => "labels",
    }
}

/// From logits to decisions and probabilities.
fn decide(graph: &mut Builder, manifest: &Manifest, logits: &str) -> Vec<ValueInfoProto> {
    let classes = manifest.target.classes();
    let temperature = manifest.temperature.clamp(f32::MIN_POSITIVE.into(), f32::MAX.into());
    let decision = decision(manifest.task);
    let mut elem_type = STRING;
    match manifest.task {
        Task::Multiclass { .. } => {
            // Below 0 before it is divided: nothing overflows, however low the temperature.
            let attributes = [("axes", Attribute::Ints(vec![1])), ("keepdims", Attribute::Int(1))];
            let largest = graph.node_with("ReduceMax", &[logits], &attributes);
            let below = graph.node("Sub", &[logits, &largest]);
            let temperature = graph.scalar(temperature);
            let scaled = graph.node("Div", &[&below, &temperature]);
            // Its default axis is the last, by opset 13.
            graph.named("Softmax", &[&scaled], PROBABILITIES);
            let attributes = [("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
            let index = graph.node_with("ArgMax", &[PROBABILITIES], &attributes);
            class_names(graph, &index, classes, decision);
        }
        Task::Binary => {
            let temperature = graph.scalar(temperature);
            let scaled = graph.node("Div", &[logits, &temperature]);
            let negated = graph.node("Neg", &[&scaled]);
            let negative = graph.node("Sigmoid", &[&negated]);
            let positive = graph.node("Sigmoid", &[&scaled]);
            let both = graph.concat(&[negative, positive.clone()]);
            graph.named("Identity", &[&both], PROBABILITIES);
            let reached = reached(graph, &positive, manifest.threshold);
            let (one, zero) = (graph.i64(&[], &[1]), graph.i64(&[], &[0]));
            let index = graph.node("Where", &[&reached, &one, &zero]);
            let axis = graph.i64(&[1], &[1]);
            let index = graph.node("Squeeze", &[&index, &axis]);
            class_names(graph, &index, classes, decision);
        }
        Task::MultiLabel { .. } => {
            let temperature = graph.scalar(temperature);
            let scaled = graph.node("Div", &[logits, &temperature]);
            graph.named("Sigmoid", &[&scaled], PROBABILITIES);
            let reached = reached(graph, PROBABILITIES, manifest.threshold);
            graph.named("Identity", &[&reached], decision);
            elem_type = BOOL;
        }
    }
    let width = (elem_type == BOOL).then_some(classes.len());
    vec![
        value_info(decision, elem_type, width),
        value_info(PROBABILITIES, FLOAT, Some(classes.len())),
    ]
}

/// Whether a probability is at least the threshold, which need not be an `f32`.
fn reached(graph: &mut Builder, probabilities: &str, threshold: f64) -> Value {
    let exact = graph.node_with("Cast", &[probabilities], &[("to", Attribute::Int(DOUBLE.into()))]);
    let threshold = graph.f64(&[], &[threshold]);
    let less = graph.node("Less", &[&exact, &threshold]);
    graph.node("Not", &[&less])
}

/// The names of classes by their index.
fn class_names(graph: &mut Builder, index: &str, classes: &[String], output: &str) {
    let attributes = [
        ("cats_int64s", Attribute::Ints((0..classes.len() as i64).collect())),
        ("cats_strings", Attribute::Texts(classes.to_vec())),
        ("default_string", Attribute::Text(String::new())),
    ];
    let names = graph.node_with("CategoryMapper", &[index], &attributes);
    graph.named("Identity", &[&names], output);
}

/// `[rows, width]`, or `[rows]`.
fn value_info(name: &str, elem_type: i32, width: Option<usize>) -> ValueInfoProto {
    let rows = DimensionProto { dim_value: None, dim_param: Some("rows".to_owned()) };
    let width =
        width.map(|width| DimensionProto { dim_value: Some(width as i64), dim_param: None });
    let shape = TensorShapeProto { dim: std::iter::once(rows).chain(width).collect() };
    let tensor_type = Some(TensorTypeProto { elem_type, shape: Some(shape) });
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type }),
        doc_string: String::new(),
    }
}
