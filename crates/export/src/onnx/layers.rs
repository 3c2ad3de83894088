//! From features to logits.

use kiln_model::{Activation, Normalization, Task};

use super::graph::{Attribute, Builder, Value};
use crate::network::{Layer, LayerNorm, Networks};

/// `[rows, inputs of the first layer]` → `[rows, d_output]`: of several networks, as `pooled_logits`.
pub(super) fn logits(
    graph: &mut Builder,
    networks: &Networks,
    task: Task,
    features: &str,
) -> Value {
    let activation = networks.activation;
    let of_member = |graph: &mut Builder, layers| member(graph, layers, activation, features);
    if let [layers] = networks.members.as_slice() {
        return of_member(graph, layers);
    }
    let logits: Vec<Value> =
        networks.members.iter().map(|layers| of_member(graph, layers)).collect();
    match task {
        Task::Multiclass { .. } => {
            let of = |graph: &mut Builder, z: &Value| graph.node("Softmax", &[z]);
            ln_mean(graph, &logits, of)
        }
        Task::Binary | Task::MultiLabel { .. } => {
            let ln_p = ln_mean(graph, &logits, |graph, z| graph.node("Sigmoid", &[z]));
            let ln_q = ln_mean(graph, &logits, |graph, z| {
                let negated = graph.node("Neg", &[z]);
                graph.node("Sigmoid", &[&negated])
            });
            graph.node("Sub", &[&ln_p, &ln_q])
        }
    }
}

/// The logarithm of the mean of what becomes of each; of less than 1e-37 that of 1e-37, so that it is finite.
fn ln_mean(
    graph: &mut Builder,
    logits: &[Value],
    of: impl Fn(&mut Builder, &Value) -> Value,
) -> Value {
    let (first, others) = logits.split_first().expect("there are members");
    let mut sum = of(graph, first);
    for other in others {
        let other = of(graph, other);
        sum = graph.node("Add", &[&sum, &other]);
    }
    let share = graph.scalar(1.0 / logits.len() as f64);
    let mean = graph.node("Mul", &[&sum, &share]);
    let (least, most) = (graph.scalar(1e-37), graph.scalar(1.0));
    let mean = graph.node("Clip", &[&mean, &least, &most]);
    graph.node("Log", &[&mean])
}

/// The logits of one network.
fn member(graph: &mut Builder, layers: &[Layer], activation: Activation, features: &str) -> Value {
    let (output, hidden) = layers.split_last().expect("there is always an output layer");
    let mut x = features.to_owned();
    for layer in hidden {
        x = linear(graph, &x, layer);
        if let Some(norm) = &layer.norm {
            x = layer_norm(graph, &x, norm);
        }
        x = activate(graph, &x, activation);
    }
    linear(graph, &x, output)
}

fn linear(graph: &mut Builder, x: &str, layer: &Layer) -> Value {
    let weight = graph.table(&layer.weight);
    let bias = graph.f32(&[layer.bias.len()], &layer.bias);
    graph.node("Gemm", &[x, &weight, &bias])
}

/// Of operators that every engine has: `LayerNormalization` is of opset 17, and rarely known.
fn layer_norm(graph: &mut Builder, x: &str, norm: &LayerNorm) -> Value {
    let mean = |graph: &mut Builder, x: &str| {
        let attributes = [("axes", Attribute::Ints(vec![1])), ("keepdims", Attribute::Int(1))];
        graph.node_with("ReduceMean", &[x], &attributes)
    };
    let center = mean(graph, x);
    let centred = graph.node("Sub", &[x, &center]);
    let squares = graph.node("Mul", &[&centred, &centred]);
    let variance = mean(graph, &squares);
    let epsilon = graph.scalar(Normalization::EPSILON);
    let variance = graph.node("Add", &[&variance, &epsilon]);
    let deviation = graph.node("Sqrt", &[&variance]);
    let standardised = graph.node("Div", &[&centred, &deviation]);
    let gamma = graph.f32(&[norm.gamma.len()], &norm.gamma);
    let beta = graph.f32(&[norm.beta.len()], &norm.beta);
    let scaled = graph.node("Mul", &[&standardised, &gamma]);
    graph.node("Add", &[&scaled, &beta])
}

/// `Gelu` and `Mish` are operators of later opsets only.
fn activate(graph: &mut Builder, x: &str, activation: Activation) -> Value {
    let float = |value: f64| Attribute::Float(value as f32);
    match activation {
        Activation::Identity => x.to_owned(),
        Activation::Relu => graph.node("Relu", &[x]),
        Activation::LeakyRelu { negative_slope } => {
            graph.node_with("LeakyRelu", &[x], &[("alpha", float(negative_slope))])
        }
        Activation::Gelu => {
            let root = graph.scalar(std::f64::consts::FRAC_1_SQRT_2);
            let scaled = graph.node("Mul", &[x, &root]);
            let erf = graph.node("Erf", &[&scaled]);
            let one = graph.scalar(1.0);
            let sum = graph.node("Add", &[&erf, &one]);
            let half = graph.scalar(0.5);
            let share = graph.node("Mul", &[&sum, &half]);
            graph.node("Mul", &[x, &share])
        }
        Activation::Silu => {
            let share = graph.node("Sigmoid", &[x]);
            graph.node("Mul", &[x, &share])
        }
        Activation::Elu { alpha } => graph.node_with("Elu", &[x], &[("alpha", float(alpha))]),
        Activation::Selu => {
            let (alpha, gamma) = (float(Activation::SELU_ALPHA), float(Activation::SELU_SCALE));
            graph.node_with("Selu", &[x], &[("alpha", alpha), ("gamma", gamma)])
        }
        Activation::Mish => {
            let softplus = graph.node("Softplus", &[x]);
            let share = graph.node("Tanh", &[&softplus]);
            graph.node("Mul", &[x, &share])
        }
        Activation::Softplus => graph.node("Softplus", &[x]),
        Activation::Tanh => graph.node("Tanh", &[x]),
        Activation::Sigmoid => graph.node("Sigmoid", &[x]),
        other => unreachable!("an activation that the export was not told of: {other:?}"),
    }
}
