//! The description of the interface for programs, OpenAPI 3.1, made for one model.

use kiln_model::Task;
use kiln_table::{ColumnKind, Transform};
use serde_json::{Map, Value, json};

use crate::media::Media;
use crate::{Limits, Model};

pub(crate) fn describe(model: &Model, limits: &Limits, token: bool) -> Value {
    let [json, csv, arrow] = [Media::Json, Media::Csv, Media::Arrow].map(Media::name);
    let security = if token { json!([{"token": []}]) } else { json!([]) };
    let rows = |content: Value| json!({"schema": content});
    let problem = |description: &str| {
        json!({
            "description": description,
            "content": {"application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"}
            }},
        })
    };
    let text = |summary: &str, description: &str| {
        json!({
            "summary": summary,
            "responses": {"200": {
                "description": description,
                "content": {"text/plain": {"schema": {"type": "string"}}},
            }},
        })
    };
    let mut ready = text("Whether requests are answered", "They are");
    ready["responses"]["503"] = problem("The server is stopping");
    let mut metrics = json!({
        "summary": "Metrics for Prometheus",
        "responses": {"200": {
            "description": "OpenMetrics",
            "content": {"application/openmetrics-text": {"schema": {"type": "string"}}},
        }},
        "security": security,
    });
    let mut description = json!({
        "summary": "What the model is",
        "responses": {"200": {
            "description": "Its columns, classes and limits",
            "content": {json: {"schema": {"type": "object"}}},
        }},
        "security": security,
    });
    if token {
        for operation in [&mut metrics, &mut description] {
            operation["responses"]["401"] = problem("No token, or not the right one");
        }
    }
    let mut predict = json!({
        "summary": "Predict rows",
        "parameters": [{
            "name": "keep",
            "in": "query",
            "description": "The columns of a CSV request come first in an answer in CSV or Arrow",
            "schema": {"type": "string", "enum": ["all"]},
        }],
        "requestBody": {
            "required": true,
            "description": format!("{} rows and {} bytes at most", limits.rows, limits.body_bytes),
            "content": {
                json: rows(json!({"$ref": "#/components/schemas/Rows"})),
                csv: rows(json!({"type": "string", "description": "With a header"})),
                arrow: rows(json!({"description": "An Arrow IPC stream"})),
            },
        },
        "responses": {
            "200": {
                "description": "A prediction for each row, in the order of the request",
                "content": {
                    json: rows(json!({"$ref": "#/components/schemas/Predictions"})),
                    csv: rows(json!({"type": "string"})),
                    arrow: rows(json!({})),
                },
            },
            "400": problem("The body is malformed"),
            "406": problem("The answer has none of the forms asked for"),
            "408": problem("The body came too slowly"),
            "413": problem("The body, or the number of its rows, is over the limit"),
            "415": problem("The body has another form"),
            "422": problem("A column is not there, or a value can't be used"),
            "503": problem("Too much to do: try again after Retry-After"),
        },
        "security": security,
    });
    if token {
        predict["responses"]["401"] = problem("No token, or not the right one");
    }
    let mut components = json!({"schemas": {
        "Rows": rows_schema(model),
        "Predictions": predictions_schema(model),
        "Problem": problem_schema(),
    }});
    if token {
        components["securitySchemes"] = json!({"token": {"type": "http", "scheme": "bearer"}});
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Kiln: {}", model.name()),
            "version": model.manifest().kiln_version,
        },
        "paths": {
            "/v1/predict": {"post": predict},
            "/v1/model": {"get": description},
            "/healthz": {"get": text("Whether the server runs", "It does")},
            "/readyz": {"get": ready},
            "/metrics": {"get": metrics},
            "/openapi.json": {"get": {
                "summary": "This description",
                "responses": {"200": {
                    "description": "OpenAPI 3.1",
                    "content": {json: {"schema": {"type": "object"}}},
                }},
            }},
        },
        "components": components,
    })
}

fn rows_schema(model: &Model) -> Value {
    let manifest = model.manifest();
    let kinds = manifest.schema.columns.iter().filter(|column| column.kind.is_feature());
    let mut properties = Map::new();
    for (column, schema) in model.columns().iter().zip(kinds) {
        let mut property = json!({"type": match schema.kind {
            ColumnKind::Numeric => json!(["number", "string", "null"]),
            ColumnKind::Boolean => json!(["boolean", "string", "number", "null"]),
            _ => json!(["string", "number", "boolean", "null"]),
        }});
        let transform =
            column.feature.map(|feature| &manifest.preprocessor.features()[feature].transform);
        match transform {
            None => property["description"] = "not used".into(),
            Some(Transform::OneHot(one_hot)) => {
                property["examples"] = one_hot.categories.clone().into();
            }
            Some(Transform::Numeric(numeric)) => {
                property["examples"] = json!([numeric.median]);
            }
            Some(Transform::Boolean | Transform::Embedding(_)) => {}
        }
        properties.insert(column.name.clone(), property);
    }
    let names: Vec<&str> = model.columns().iter().map(|column| column.name.as_str()).collect();
    json!({
        "type": "object",
        "required": ["rows"],
        "additionalProperties": false,
        "properties": {
            "rows": {"type": "array", "items": {"anyOf": [
                {"type": "object", "properties": properties},
                {"type": "array", "description": "In the order of `columns`"},
            ]}},
            "columns": {
                "type": "array",
                "items": {"type": "string"},
                "default": names,
                "description": "The columns of rows that are arrays",
            },
        },
    })
}

fn predictions_schema(model: &Model) -> Value {
    let classes = model.manifest().target.classes();
    let class = json!({"type": "string", "enum": classes});
    let (name, decided) = match model.manifest().task {
        Task::MultiLabel { .. } => ("labels", json!({"type": "array", "items": class})),
        Task::Binary | Task::Multiclass { .. } => ("class", class),
    };
    let count = classes.len();
    json!({
        "type": "object",
        "required": ["model", "classes", "predictions"],
        "properties": {
            "model": {"type": "string"},
            "classes": {"type": "array", "items": {"type": "string"}, "const": classes},
            "predictions": {"type": "array", "items": {
                "type": "object",
                "required": [name, "probabilities"],
                "properties": {
                    name: decided,
                    "probabilities": {
                        "type": "array",
                        "items": {"type": "number", "minimum": 0, "maximum": 1},
                        "minItems": count,
                        "maxItems": count,
                        "description": "In the order of `classes`",
                    },
                },
            }},
        },
    })
}

fn problem_schema() -> Value {
    let place = json!({
        "row": {"type": "integer", "minimum": 1, "description": "Of the request"},
        "line": {"type": "integer", "minimum": 1, "description": "Of a CSV request"},
        "column": {"type": "string"},
        "detail": {"type": "string"},
    });
    let mut properties = place.clone();
    properties["type"] = json!({"type": "string"});
    properties["title"] = json!({"type": "string"});
    properties["status"] = json!({"type": "integer"});
    properties["errors"] = json!({
        "type": "array",
        "maxItems": crate::problem::MAX_LISTED,
        "items": {"type": "object", "properties": place},
    });
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": properties,
    })
}
