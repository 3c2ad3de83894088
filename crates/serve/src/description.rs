//! What `GET /v1/model` says.

use kiln_data::{ColumnKind, Transform};
use kiln_model::Task;
use serde_json::{Value, json};

use crate::{Limits, Model};

pub(crate) fn describe(model: &Model, limits: &Limits) -> Value {
    let manifest = model.manifest();
    json!({
        "name": model.name(),
        "kiln_version": manifest.kiln_version,
        "task": task(manifest.task),
        "classes": manifest.target.classes(),
        "threshold": manifest.threshold,
        "columns": columns(model),
        "image": image(model),
        "limits": {"body_bytes": limits.body_bytes, "rows": limits.rows},
        "training": {"source": manifest.training.source, "rows": manifest.training.rows},
    })
}

fn task(task: Task) -> &'static str {
    match task {
        Task::Binary => "binary",
        Task::Multiclass { .. } => "multiclass",
        Task::MultiLabel { .. } => "multi_label",
    }
}

fn columns(model: &Model) -> Vec<Value> {
    let kinds = model.manifest().schema.columns.iter().filter(|column| column.kind.is_feature());
    let columns = model.columns().iter().zip(kinds);
    columns
        .map(|(column, schema)| {
            let used = column.feature.is_some();
            let mut value = json!({"name": column.name, "kind": schema.kind, "used": used});
            match transform(model, column.feature) {
                Some(Transform::Numeric(numeric)) => value["median"] = numeric.median.into(),
                Some(Transform::OneHot(one_hot)) => {
                    value["categories"] = one_hot.categories.clone().into();
                }
                Some(Transform::Embedding(embedded)) => {
                    value["categories"] = embedded.categories.clone().into();
                }
                Some(Transform::Boolean) | None => {}
            }
            value
        })
        .collect()
}

fn transform(model: &Model, feature: Option<usize>) -> Option<&Transform> {
    Some(&model.manifest().preprocessor.features()[feature?].transform)
}

/// The picture that the columns are, if they seem to be one: a square of numbers whose names differ only
/// in digits.
fn image(model: &Model) -> Value {
    const FEWEST: usize = 64;
    let columns = model.columns();
    let side = columns.len().isqrt();
    let features = model.manifest().schema.columns.iter().filter(|c| c.kind.is_feature());
    let numeric = features.map(|column| column.kind).all(|kind| kind == ColumnKind::Numeric);
    if !numeric || columns.len() < FEWEST || side * side != columns.len() {
        return Value::Null;
    }
    // A run of digits counts as one, for `1x1` and `28x28` are names of one picture.
    let without_digits = |name: &str| {
        let mut text = String::new();
        for char in name.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }) {
            if !(char == '0' && text.ends_with('0')) {
                text.push(char);
            }
        }
        text
    };
    let first = without_digits(&columns[0].name);
    if columns.iter().any(|column| without_digits(&column.name) != first) {
        return Value::Null;
    }
    let scales = columns.iter().filter_map(|column| match transform(model, column.feature) {
        Some(Transform::Numeric(numeric)) => numeric.scale,
        _ => None,
    });
    let largest = scales.flat_map(|scale| [scale.center, scale.spread]).fold(0.0, f64::max);
    let maximum = [1.0, 16.0, 255.0].into_iter().find(|maximum| *maximum >= largest);
    match maximum {
        Some(maximum) => json!({"width": side, "height": side, "maximum": maximum as u32}),
        None => Value::Null,
    }
}
