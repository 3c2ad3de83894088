use axum::body::Bytes;

use crate::answer::Names;
use crate::{Limits, Model, description, openapi};

/// A model, and what is said of it to every request.
#[derive(Debug)]
pub(crate) struct Served {
    model: Model,
    pub(crate) description: Bytes,
    pub(crate) openapi: Bytes,
    pub(crate) names: Names,
}

impl Served {
    pub(crate) fn new(model: Model, limits: &Limits, token: bool) -> Self {
        let description = description::describe(&model, limits);
        Self {
            description: description.to_string().into(),
            openapi: openapi::describe(&model, limits, token).to_string().into(),
            names: Names::new(&model),
            model,
        }
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }
}
