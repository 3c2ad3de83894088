//! What `GET /v1/model` says.

use kiln_model::Task;
use kiln_table::Transform;
use serde_json::{Value, json};

use crate::image::Image;
use crate::{Limits, Model};

pub(crate) fn describe(model: &Model, limits: &Limits) -> Value {
    let manifest = model.manifest();
    let image = Image::of(model);
    json!({
        "name": model.name(),
        "kiln_version": manifest.kiln_version,
        "task": task(manifest.task),
        "target": manifest.target.columns(),
        "classes": manifest.target.classes(),
        "threshold": manifest.threshold,
        "columns": columns(model, image.as_ref()),
        "image": image.map(|image| {
            json!({"width": image.side, "height": image.side, "maximum": image.maximum})
        }),
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

fn columns(model: &Model, image: Option<&Image>) -> Vec<Value> {
    let kinds = model.manifest().schema.columns.iter().filter(|column| column.kind.is_feature());
    let columns = model.columns().iter().zip(kinds);
    columns
        .enumerate()
        .map(|(index, (column, schema))| {
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
            if let Some(image) = image {
                value["pixel"] = image.pixels[index].into();
            }
            value
        })
        .collect()
}

fn transform(model: &Model, feature: Option<usize>) -> Option<&Transform> {
    Some(&model.manifest().preprocessor.features()[feature?].transform)
}
