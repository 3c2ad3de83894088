//! From the columns of a table to the inputs of the first layer.
//!
//! All numbers go through one chain of operators, however many columns there are. So the inputs of the
//! first layer are in another order than the features of the preprocessor: its weights are put into
//! that order too.

use kiln_table::{
    BOOLEAN_TEXTS, Bins, Feature, Numeric, Preprocessor, Scale, Transform, parse_number,
};

use super::graph::{Attribute, Builder, Value};
use crate::network::{Networks, Table};

/// Columns of numbers as they enter the graph.
pub(super) struct Numbers {
    /// `f64`, `[rows, width]`.
    pub(super) value: Value,
    /// The column of each numeric feature, in the preprocessor's order.
    pub(super) columns: Vec<usize>,
    pub(super) width: usize,
}

/// The inputs of the first layer, `[rows, width]`; its weights, in
/// each network, are put into their order.
pub(super) fn inputs(
    graph: &mut Builder,
    preprocessor: &Preprocessor,
    networks: &mut Networks,
    numbers: Option<Numbers>,
    texts: Vec<Value>,
) -> Value {
    let first = vector_ranges(preprocessor, networks);
    let (mut parts, mut order) = (Vec::new(), Vec::new());
    if let Some(numbers) = numbers {
        let features = preprocessor.features().iter().zip(&first);
        let numeric: Vec<(&Feature, &Numeric, usize)> = features
            .filter_map(|(feature, range)| match &feature.transform {
                Transform::Numeric(numeric) => Some((feature, numeric, range.start)),
                _ => None,
            })
            .collect();
        numeric_parts(graph, preprocessor, &numbers, &numeric, &mut parts, &mut order);
    }
    let mut tables = networks.embeddings.iter();
    let mut texts = texts.into_iter();
    for (feature, range) in preprocessor.features().iter().zip(first) {
        let (table, keys) = match &feature.transform {
            Transform::Numeric(_) => continue,
            Transform::Embedding(embedded) => {
                let table = tables.next().expect("a table for each embedded feature").clone();
                let categories = embedded.categories.iter().enumerate();
                let keys = categories.map(|(i, category)| (category.clone(), i as i64 + 1));
                (table, Keys { listed: keys.collect(), missing: 0, unseen: 0 })
            }
            Transform::Boolean => (
                Table { values: vec![-1.0, 1.0, 0.0], width: 1 },
                Keys { listed: boolean_texts(), missing: 2, unseen: 2 },
            ),
            Transform::OneHot(one_hot) => {
                one_hot_table(&one_hot.categories, one_hot.missing_column)
            }
        };
        let text = texts.next().expect("an input for each feature of texts");
        let missing = feature.missing.iter().chain(preprocessor.missing());
        let indices = keys.indices(graph, &text, missing.map(String::as_str));
        let table = graph.table(&table);
        parts.push(graph.lookup(&table, &indices));
        order.extend(range);
    }
    for layers in &mut networks.members {
        layers[0].weight.select_rows(&order);
    }
    graph.concat(&parts)
}

/// Which inputs of the first layer each feature becomes: as `feature_ranges`, but a vector is as wide as it is.
fn vector_ranges(preprocessor: &Preprocessor, networks: &Networks) -> Vec<std::ops::Range<usize>> {
    let ranges = preprocessor.feature_ranges();
    let dense = preprocessor.d_input() - networks.embeddings.len();
    let mut next = dense;
    let mut widths = networks.embeddings.iter().map(|table| table.width);
    ranges
        .into_iter()
        .map(|range| {
            if range.start < dense {
                return range;
            }
            let start = next;
            next += widths.next().expect("a table for each embedded feature");
            start..next
        })
        .collect()
}

/// Appends the scaled numbers, then the columns that tell which are missing.
fn numeric_parts(
    graph: &mut Builder,
    preprocessor: &Preprocessor,
    numbers: &Numbers,
    numeric: &[(&Feature, &Numeric, usize)],
    parts: &mut Vec<Value>,
    order: &mut Vec<usize>,
) {
    let value = graph.columns(&numbers.value, numbers.width, &numbers.columns);
    // NaN alone is not equal to itself. `IsNaN` would say the same, where an engine has it.
    let known = graph.node("Equal", &[&value, &value]);
    let mut missing = graph.node("Not", &[&known]);
    for sentinels in sentinels(preprocessor, numeric) {
        let row = graph.f64(&[1, sentinels.len()], &sentinels);
        let found = graph.node("Equal", &[&value, &row]);
        missing = graph.node("Or", &[&missing, &found]);
    }
    let columns = |has: fn(&Numeric) -> bool| -> Vec<usize> {
        (0..numeric.len()).filter(|i| has(numeric[*i].1)).collect()
    };

    let clipped = columns(|numeric| numeric.scale.is_some_and(|scale| scale.clip));
    let standardized = columns(|numeric| numeric.scale.is_some_and(|scale| !scale.clip));
    for (scaled, clip) in [(clipped, true), (standardized, false)] {
        if scaled.is_empty() {
            continue;
        }
        let all: Vec<(f64, Scale)> = scaled
            .iter()
            .filter_map(|i| numeric[*i].1.scale.map(|scale| (numeric[*i].1.median, scale)))
            .collect();
        let row = |graph: &mut Builder, of: fn(&(f64, Scale)) -> f64| {
            let values: Vec<f64> = all.iter().map(of).collect();
            graph.f64(&[1, values.len()], &values)
        };
        let x = graph.columns(&value, numeric.len(), &scaled);
        let absent = graph.columns(&missing, numeric.len(), &scaled);
        let medians = row(graph, |(median, _)| *median);
        let centers = row(graph, |(_, scale)| scale.center);
        let spreads = row(graph, |(_, scale)| scale.spread);
        let x = graph.node("Where", &[&absent, &medians, &x]);
        let x = graph.node("Sub", &[&x, &centers]);
        let x = graph.node("Div", &[&x, &spreads]);
        let x = graph.node_with("Cast", &[&x], &[("to", Attribute::Int(1))]);
        parts.push(if clip { clip_smoothly(graph, &x) } else { limit(graph, &x, f32::MAX.into()) });
        order.extend(scaled.iter().map(|i| numeric[*i].2));
    }
    binned_parts(graph, &value, &missing, numeric, parts, order);
    let told = columns(|numeric| numeric.missing_column);
    if !told.is_empty() {
        let missing = graph.columns(&missing, numeric.len(), &told);
        let (one, zero) = (graph.scalar(1.0), graph.scalar(0.0));
        parts.push(graph.node("Where", &[&missing, &one, &zero]));
        let place = |i: &usize| {
            let Numeric { scale, bins, .. } = numeric[*i].1;
            let bins = bins.as_ref().map_or(0, Bins::width);
            numeric[*i].2 + usize::from(scale.is_some()) + bins
        };
        order.extend(told.iter().map(place));
    }
}

/// Appends the columns of the bins: how far each number, of which some are `missing`, is through each.
fn binned_parts(
    graph: &mut Builder,
    value: &str,
    missing: &str,
    numeric: &[(&Feature, &Numeric, usize)],
    parts: &mut Vec<Value>,
    order: &mut Vec<usize>,
) {
    let (mut columns, mut medians) = (Vec::new(), Vec::new());
    let (mut starts, mut widths, mut means) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (_, numeric, first)) in numeric.iter().enumerate() {
        let parts = numeric.bins.iter().flat_map(Bins::parts);
        for (bin, (start, width, mean)) in parts.enumerate() {
            columns.push(i);
            medians.push(numeric.median);
            starts.push(start);
            widths.push(width);
            means.push(mean as f32);
            order.push(first + 1 + bin);
        }
    }
    if columns.is_empty() {
        return;
    }
    let dims = [1, columns.len()];
    let x = graph.columns(value, numeric.len(), &columns);
    let absent = graph.columns(missing, numeric.len(), &columns);
    let (medians, starts) = (graph.f64(&dims, &medians), graph.f64(&dims, &starts));
    let (widths, means) = (graph.f64(&dims, &widths), graph.f32(&dims, &means));
    let x = graph.node("Where", &[&absent, &medians, &x]);
    let x = graph.node("Sub", &[&x, &starts]);
    let x = graph.node("Div", &[&x, &widths]);
    let x = graph.node_with("Cast", &[&x], &[("to", Attribute::Int(1))]);
    let (zero, one, two) = (graph.scalar(0.0), graph.scalar(1.0), graph.scalar(2.0));
    let x = graph.node("Clip", &[&x, &zero, &one]);
    let x = graph.node("Sub", &[&x, &means]);
    parts.push(graph.node("Mul", &[&x, &two]));
}

/// As in `Scale`: no infinity becomes NaN, and none leaves [-3, 3] by rounding.
fn clip_smoothly(graph: &mut Builder, x: &str) -> Value {
    let x = limit(graph, x, 1e9);
    let squares = graph.node("Mul", &[&x, &x]);
    let ninth = graph.scalar(1.0 / 9.0);
    let squares = graph.node("Mul", &[&squares, &ninth]);
    let one = graph.scalar(1.0);
    let squares = graph.node("Add", &[&squares, &one]);
    let root = graph.node("Sqrt", &[&squares]);
    let x = graph.node("Div", &[&x, &root]);
    limit(graph, &x, 3.0)
}

fn limit(graph: &mut Builder, x: &str, limit: f64) -> Value {
    let (low, high) = (graph.scalar(-limit), graph.scalar(limit));
    graph.node("Clip", &[x, &low, &high])
}

/// Numbers that mean a missing value, like -999: rows of one for each feature, NaN where it has fewer.
fn sentinels(
    preprocessor: &Preprocessor,
    numeric: &[(&Feature, &Numeric, usize)],
) -> Vec<Vec<f64>> {
    let of_each: Vec<Vec<f64>> = numeric
        .iter()
        .map(|(feature, ..)| {
            let texts = feature.missing.iter().chain(preprocessor.missing());
            texts.filter_map(|text| parse_number(text)).collect()
        })
        .collect();
    let most = of_each.iter().map(Vec::len).max().unwrap_or(0);
    let row =
        |k: usize| of_each.iter().map(|own| own.get(k).copied().unwrap_or(f64::NAN)).collect();
    (0..most).map(row).collect()
}

/// Which row of its table a text stands for.
struct Keys {
    listed: Vec<(String, i64)>,
    missing: i64,
    unseen: i64,
}

impl Keys {
    /// `[rows, 1]` of texts → `[rows, 1]` of indices.
    fn indices<'a>(
        mut self,
        graph: &mut Builder,
        text: &str,
        missing: impl Iterator<Item = &'a str>,
    ) -> Value {
        // As the preprocessor looks a text up: one that means a missing value is no category.
        for text in missing.chain([""]) {
            self.listed.retain(|(listed, _)| listed != text);
            self.listed.push((text.to_owned(), self.missing));
        }
        let (texts, indices) = self.listed.into_iter().unzip();
        graph.node_with(
            "CategoryMapper",
            &[text],
            &[
                ("cats_int64s", Attribute::Ints(indices)),
                ("cats_strings", Attribute::Texts(texts)),
                ("default_int64", Attribute::Int(self.unseen)),
            ],
        )
    }
}

/// Every way to write false (0) or true (1): a graph can't ignore the case.
fn boolean_texts() -> Vec<(String, i64)> {
    let mut texts: Vec<(String, i64)> = Vec::new();
    for (no, yes) in BOOLEAN_TEXTS {
        for (text, index) in [(no, 0), (yes, 1)] {
            for upper in 0..1_u32 << text.len() {
                let cased = text.chars().enumerate().map(|(i, letter)| {
                    if upper >> i & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
                });
                let cased: String = cased.collect();
                if !texts.iter().any(|(known, _)| *known == cased) {
                    texts.push((cased, index));
                }
            }
        }
    }
    texts
}

/// The columns of a one-hot feature by category, then when it is missing, then when it was never seen.
fn one_hot_table(categories: &[String], missing_column: bool) -> (Table, Keys) {
    let n = categories.len();
    let listed = categories.iter().cloned().zip(0..).collect();
    let keys = Keys { listed, missing: n as i64, unseen: n as i64 + 1 };
    if n == 2 && !missing_column {
        return (Table { values: vec![-1.0, 1.0, 0.0, 0.0], width: 1 }, keys);
    }
    let width = n + usize::from(missing_column);
    let mut values = vec![0.0; (n + 2) * width];
    (0..width).for_each(|i| values[i * width + i] = 1.0);
    (Table { values, width }, keys)
}
