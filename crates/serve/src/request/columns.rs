use axum::http::StatusCode;

use crate::Model;
use crate::problem::Problem;

/// Most columns of a request, where the model has no more itself.
const MAX_COLUMNS: usize = 10_000;

/// Most columns that a request to this model may have.
pub(super) fn max_columns(model: &Model) -> usize {
    MAX_COLUMNS.max(2 * model.manifest().schema.columns.len())
}

pub(super) fn too_many_columns(limit: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("more than {limit} columns"))
}
