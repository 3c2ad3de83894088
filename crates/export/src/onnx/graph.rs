use super::message::{
    AttributeProto, DOUBLE, FLOAT, GraphProto, INT64, NodeProto, TYPE_FLOAT, TYPE_INT, TYPE_INTS,
    TYPE_STRING, TYPE_STRINGS, TensorProto,
};
use crate::network::Table;

/// The name of a tensor in the graph.
pub(super) type Value = String;

/// A graph under construction. Each method adds a node or a constant and returns the name of its result.
#[derive(Debug, Default)]
pub(super) struct Builder {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

/// An attribute of a node.
pub(super) enum Attribute {
    Float(f32),
    Int(i64),
    Ints(Vec<i64>),
    Text(String),
    Texts(Vec<String>),
}

impl Builder {
    pub(super) fn f32(&mut self, dims: &[usize], values: &[f32]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(FLOAT, dims, bytes)
    }

    pub(super) fn f64(&mut self, dims: &[usize], values: &[f64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(DOUBLE, dims, bytes)
    }

    pub(super) fn i64(&mut self, dims: &[usize], values: &[i64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(INT64, dims, bytes)
    }

    /// A number that every element of an `f32` tensor is combined with.
    pub(super) fn scalar(&mut self, value: f64) -> Value {
        self.f32(&[], &[value as f32])
    }

    pub(super) fn table(&mut self, table: &Table) -> Value {
        self.f32(&[table.values.len() / table.width, table.width], &table.values)
    }

    fn constant(&mut self, data_type: i32, dims: &[usize], raw_data: Vec<u8>) -> Value {
        // A slash: no column of a table is named by chance what a tensor in between is.
        let name = format!("kiln/constant/{}", self.constants.len());
        let dims = dims.iter().map(|dim| *dim as i64).collect();
        self.constants.push(TensorProto { dims, data_type, name: name.clone(), raw_data });
        name
    }

    pub(super) fn node(&mut self, operator: &str, inputs: &[&str]) -> Value {
        self.node_with(operator, inputs, &[])
    }

    pub(super) fn node_with(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> Value {
        let output = format!("kiln/{operator}/{}", self.nodes.len());
        self.push(operator, inputs, attributes, output.clone());
        output
    }

    /// A node whose result has a name of its own: an output of the graph.
    pub(super) fn named(&mut self, operator: &str, inputs: &[&str], output: &str) {
        self.push(operator, inputs, &[], output.to_owned());
    }

    fn push(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
        output: Value,
    ) {
        let machine_learning = operator == "CategoryMapper";
        self.nodes.push(NodeProto {
            name: format!("kiln/node/{}", self.nodes.len()),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![output],
            op_type: operator.to_owned(),
            attribute: attributes.iter().map(|(name, value)| value.message(name)).collect(),
            domain: if machine_learning { "ai.onnx.ml" } else { "" }.to_owned(),
        });
    }

    /// `[rows, width]` side by side; one of them is left alone.
    pub(super) fn concat(&mut self, parts: &[Value]) -> Value {
        match parts {
            [only] => only.clone(),
            _ => {
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                self.node_with("Concat", &parts, &[("axis", Attribute::Int(1))])
            }
        }
    }

    /// Some columns of `[rows, width]`; all of them are left alone.
    pub(super) fn columns(&mut self, of: &str, width: usize, columns: &[usize]) -> Value {
        if columns.iter().copied().eq(0..width) {
            return of.to_owned();
        }
        let indices: Vec<i64> = columns.iter().map(|column| *column as i64).collect();
        let indices = self.i64(&[indices.len()], &indices);
        self.node_with("Gather", &[of, &indices], &[("axis", Attribute::Int(1))])
    }

    /// `[rows, 1]` of indices → `[rows, width]` of the table's rows.
    pub(super) fn lookup(&mut self, table: &str, indices: &str) -> Value {
        let found = self.node_with("Gather", &[table, indices], &[("axis", Attribute::Int(0))]);
        let axis = self.i64(&[1], &[1]);
        self.node("Squeeze", &[&found, &axis])
    }

    pub(super) fn finish(self, name: &str) -> GraphProto {
        GraphProto {
            node: self.nodes,
            name: name.to_owned(),
            initializer: self.constants,
            ..GraphProto::default()
        }
    }
}

impl Attribute {
    fn message(&self, name: &str) -> AttributeProto {
        let message = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
        match self {
            Self::Float(f) => AttributeProto { f: Some(*f), r#type: TYPE_FLOAT, ..message },
            Self::Int(i) => AttributeProto { i: Some(*i), r#type: TYPE_INT, ..message },
            Self::Ints(ints) => AttributeProto { ints: ints.clone(), r#type: TYPE_INTS, ..message },
            Self::Text(text) => {
                AttributeProto { s: Some(text.as_bytes().to_vec()), r#type: TYPE_STRING, ..message }
            }
            Self::Texts(texts) => AttributeProto {
                strings: texts.iter().map(|text| text.as_bytes().to_vec()).collect(),
                r#type: TYPE_STRINGS,
                ..message
            },
        }
    }
}
