use std::collections::HashSet;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::Model;
use crate::problem::{Problem, TABLE};
use crate::request::columns::{max_columns, too_many_columns};

use super::syntax::plain;

/// The columns of rows that are lists, `None` for one that is not the model's.
pub(super) struct Order(pub(super) Vec<Option<usize>>);

impl Order {
    pub(super) fn read(columns: &RawValue, model: &Model) -> Result<Self, Problem> {
        let bad = |error: serde_json::Error| {
            Problem::bad_request(format!("\"columns\": {}", plain(&error)))
        };
        let limit = max_columns(model);
        // No name takes less than the two quotes and a comma.
        if columns.get().len() > 3 * limit {
            let names: Vec<IgnoredAny> = serde_json::from_str(columns.get()).map_err(bad)?;
            if names.len() > limit {
                return Err(too_many_columns(limit));
            }
        }
        let names: Vec<String> = serde_json::from_str(columns.get()).map_err(bad)?;
        if names.len() > limit {
            return Err(too_many_columns(limit));
        }
        let manifest = model.manifest();
        manifest.preprocessor.rebind(model.binding(), TABLE, &names)?;
        let mut unique = HashSet::new();
        if let Some(name) = names.iter().find(|name| !unique.insert(name.as_str())) {
            return Err(Problem::bad_request(format!("\"columns\": {name:?} is there twice")));
        }
        Ok(Self(names.iter().map(|name| model.column(name)).collect()))
    }
}
