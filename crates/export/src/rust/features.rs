//! From the columns of a row to the inputs of the network, as statements.

use kiln_table::{Feature, Numeric, Preprocessor, Transform, parse_number};

use super::field::{Field, FieldType};
use super::statics;
use super::uses::Uses;
use crate::network::Networks;

/// The statements that fill the inputs `x`, and the tables that they look texts up in.
pub(super) fn statements(
    preprocessor: &Preprocessor,
    networks: &Networks,
    fields: &[Field],
    uses: &mut Uses,
) -> (Vec<String>, Vec<String>) {
    let (mut statements, mut tables) = (Vec::new(), Vec::new());
    let mut embeddings = networks.embeddings.iter().enumerate();
    let mut next_vector = preprocessor.d_input() - networks.embeddings.len();
    let ranges = preprocessor.feature_ranges();
    for ((feature, field), range) in preprocessor.features().iter().zip(fields).zip(ranges) {
        let (value, at) = (format!("row.{}", field.name), range.start);
        let missing = missing_texts(preprocessor, feature);
        let mut lookup = |categories: &[String], first: usize, if_missing: Option<usize>| {
            uses.category = true;
            let name = format!("CATEGORIES_{}", tables.len());
            tables.push(statics::places(&name, &known(categories, &missing, first)));
            // Most columns have those of the whole table only.
            let missing = match feature.missing.as_slice() {
                [] => "MISSING".to_owned(),
                _ => format!("{missing:?}"),
            };
            format!("place({value}, &{name}, &{missing}, {if_missing:?})")
        };
        match &feature.transform {
            Transform::Numeric(numeric) => {
                let sentinels = missing.iter().filter_map(|text| parse_number(text));
                let sentinels: Vec<f64> = sentinels.filter(|value| value.is_finite()).collect();
                statements.push(format!("let value = number({value}, &{sentinels:?});"));
                uses.number = true;
                number(numeric, at, &mut statements, uses);
            }
            Transform::Boolean => statements.push(format!(
                "x[{at}] = {value}.map_or(0.0, |value| if value {{ 1.0 }} else {{ -1.0 }});"
            )),
            Transform::OneHot(one_hot) => {
                let n = one_hot.categories.len();
                let place = lookup(&one_hot.categories, 0, one_hot.missing_column.then_some(n));
                // As the preprocessor's: two categories share a column.
                let put = match (n, one_hot.missing_column) {
                    (2, false) => format!("x[{at}] = i as f32 * 2.0 - 1.0;"),
                    _ => format!("x[{at} + i] = 1.0;"),
                };
                statements.push(format!("if let Some(i) = {place} {{ {put} }}"));
            }
            Transform::Embedding(embedded) => {
                let (table, vectors) = embeddings.next().expect("a table for each such feature");
                let place = lookup(&embedded.categories, 1, None);
                let end = next_vector + vectors.width;
                statements.push(format!(
                    "x[{next_vector}..{end}].copy_from_slice(&EMBEDDING_{table}[{place}.unwrap_or(0)]);"
                ));
                next_vector = end;
            }
        }
    }
    if uses.category {
        let mut common = preprocessor.missing().to_vec();
        common.sort_unstable();
        common.dedup();
        tables.push(statics::texts("MISSING", &common));
    }
    (statements, tables)
}

fn number(numeric: &Numeric, at: usize, statements: &mut Vec<String>, uses: &mut Uses) {
    if let Some(scale) = &numeric.scale {
        let (median, center, spread) = (numeric.median, scale.center, scale.spread);
        let function = match scale.clip {
            true => "scaled",
            false => "standardized",
        };
        uses.clip |= scale.clip;
        uses.standardize |= !scale.clip;
        statements.push(format!(
            "x[{at}] = {function}(value.unwrap_or({median:?}), {center:?}, {spread:?});"
        ));
    }
    let mut next = at + usize::from(numeric.scale.is_some());
    if let Some(bins) = &numeric.bins {
        uses.bins = true;
        let (median, end) = (numeric.median, next + bins.width());
        let parts: Vec<(f64, f64, f64)> = bins.parts().collect();
        statements.push(format!(
            "binned(value.unwrap_or({median:?}), &{parts:?}, &mut x[{next}..{end}]);"
        ));
        next = end;
    }
    if numeric.missing_column {
        let at = next;
        statements.push(format!("x[{at}] = if value.is_none() {{ 1.0 }} else {{ 0.0 }};"));
    }
}

fn missing_texts<'a>(preprocessor: &'a Preprocessor, feature: &'a Feature) -> Vec<&'a str> {
    let mut texts: Vec<&str> =
        feature.missing.iter().chain(preprocessor.missing()).map(String::as_str).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// Categories and their places, in order of their texts. One that means a missing value is none.
fn known<'a>(categories: &'a [String], missing: &[&str], first: usize) -> Vec<(&'a str, usize)> {
    let mut known: Vec<(&str, usize)> =
        categories.iter().map(String::as_str).zip(first..).collect();
    known.retain(|(text, _)| !missing.contains(text));
    known.sort_unstable();
    known
}

/// The fields of a row, one for each column that the preprocessing uses.
pub(super) fn fields(preprocessor: &Preprocessor) -> Vec<Field> {
    let names = super::names::identifiers(preprocessor.columns());
    let features = preprocessor.features().iter();
    let field = |(feature, name): (&Feature, String)| Field {
        name,
        column: feature.name.clone(),
        field_type: match &feature.transform {
            Transform::Numeric(_) => FieldType::Number,
            Transform::Boolean => FieldType::Boolean,
            Transform::OneHot(_) | Transform::Embedding(_) => FieldType::Text,
        },
    };
    features.zip(names).map(field).collect()
}
