use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::{TableError, left_out};
use crate::names::column_index;
use crate::preprocess::boolean_pair;
use crate::profile::{ColumnProfile, MISSING};
use crate::schema::{ColumnKind, ColumnSchema, Schema};
use crate::warnings::{Warning, WarningKind};

/// Share of numbers from which on the other values of a column are taken for missing.
const MOSTLY_NUMBERS: f64 = 0.95;
/// How many numbers that takes at least.
const FEWEST_NUMBERS: usize = 20;
/// How many different texts may be taken for missing.
const MOST_STRAYS: usize = 10;
/// Share of different values above which a text names the row rather than something about it.
const MOSTLY_DISTINCT: f64 = 0.9;
/// Rows above which that share means something.
const FEW_ROWS: usize = 20;

/// What the user says of the columns; everything else is inferred.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SchemaOptions {
    /// What is to be predicted: one column, or one per label.
    pub target: Vec<String>,
    /// The column of row weights.
    pub weight: Option<String>,
    /// The column that says which fold a row is in; it is no feature.
    pub fold: Option<String>,
    /// Features whose values are names.
    pub categorical: Vec<String>,
    /// Features whose values are numbers.
    pub numeric: Vec<String>,
    /// Columns not to be used.
    pub ignore: Vec<String>,
    /// Texts that mean a missing value; `None`: those of [`MISSING`].
    pub missing: Option<Vec<String>>,
}

impl SchemaOptions {
    /// The texts that mean a missing value, for the [`Profiler`](crate::Profiler) too.
    pub fn missing_texts(&self) -> Vec<String> {
        self.missing.clone().unwrap_or_else(|| MISSING.map(str::to_owned).to_vec())
    }
}

/// What each column is used for, by what the user says and else by its values, and what the user
/// should look at.
///
/// | Values | Kind |
/// |---|---|
/// | none, or always the same | ignored |
/// | `true`/`false`, `yes`/`no`, `t`/`f`, `y`/`n`, whichever case | boolean |
/// | all numbers, or 95% of 20 or more (the rest is then missing) | numeric |
/// | more than 90% different texts, or successive whole numbers | ignored |
/// | anything else | categorical |
///
/// # Errors
///
/// If the options name a column that is not there or give one two uses, if a numeric column has a
/// number that is not finite, or if no feature is left.
pub fn infer_schema(
    table: &str,
    profiles: &[ColumnProfile],
    options: &SchemaOptions,
) -> Result<(Schema, Vec<Warning>), TableError> {
    let asked = asked(table, profiles, options)?;
    let mut warnings = Vec::new();
    let mut columns = Vec::with_capacity(profiles.len());
    for (index, profile) in profiles.iter().enumerate() {
        let (kind, reason, missing) = match asked.get(&index) {
            Some((kind, _)) => (*kind, "as asked".to_owned(), Vec::new()),
            None => inferred(profile, &mut warnings),
        };
        if let (ColumnKind::Numeric, Some((location, value))) = (kind, &profile.first_not_finite) {
            return Err(TableError::NotFinite {
                table: table.to_owned(),
                location: *location,
                column: profile.name.clone(),
                value: value.clone(),
            });
        }
        columns.push(ColumnSchema { name: profile.name.clone(), kind, reason, missing });
    }
    if !columns.iter().any(|column| column.kind.is_feature()) {
        let ignored = columns.into_iter().filter(|column| column.kind == ColumnKind::Ignored);
        let ignored: Vec<_> = ignored.map(|column| (column.name, column.reason)).collect();
        let problem = format_args!("no features are left{}", left_out(&ignored));
        return Err(TableError::table(table, problem));
    }
    Ok((Schema { columns, missing: options.missing_texts() }, warnings))
}

/// The kinds that the options give columns, by index, each with the option's name.
fn asked(
    table: &str,
    profiles: &[ColumnProfile],
    options: &SchemaOptions,
) -> Result<HashMap<usize, (ColumnKind, &'static str)>, TableError> {
    let names: Vec<String> = profiles.iter().map(|profile| profile.name.clone()).collect();
    let lists = [
        (options.target.as_slice(), ColumnKind::Target, "target"),
        (options.weight.as_slice(), ColumnKind::Weight, "weight"),
        (options.fold.as_slice(), ColumnKind::Ignored, "fold"),
        (options.categorical.as_slice(), ColumnKind::Categorical, "categorical"),
        (options.numeric.as_slice(), ColumnKind::Numeric, "numeric"),
        (options.ignore.as_slice(), ColumnKind::Ignored, "ignore"),
    ];
    let mut asked = HashMap::new();
    for (list, kind, option) in lists {
        for name in list {
            let index = column_index(table, &names, name)?;
            match asked.insert(index, (kind, option)) {
                Some((_, other)) if other != option => {
                    return Err(TableError::setting(
                        option,
                        format_args!(
                            "column {name:?} is named as {other} and as {option}, expected one use \
                             of it"
                        ),
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(asked)
}

fn inferred(
    profile: &ColumnProfile,
    warnings: &mut Vec<Warning>,
) -> (ColumnKind, String, Vec<String>) {
    let mut warn = |kind, message| {
        warnings.push(Warning { kind, column: Some(profile.name.clone()), message });
    };
    let values = profile.values();
    if values == 0 {
        return (ColumnKind::Ignored, "every value is missing".to_owned(), Vec::new());
    }
    // A number that is always the same text, or a text; a missing value among them tells something,
    // but too little to keep the column for.
    if let ([(only, _)], true) = (&profile.most_common[..], profile.distinct_of == values) {
        return (ColumnKind::Ignored, format!("always {only:?}"), Vec::new());
    }
    if let Some(reason) = booleans(profile) {
        return (ColumnKind::Boolean, reason, Vec::new());
    }
    if profile.numbers == values {
        if is_count(profile) {
            let message = "counts the rows, so it is left out".to_owned();
            warn(WarningKind::RowNumbers, message);
            return (ColumnKind::Ignored, "successive whole numbers".to_owned(), Vec::new());
        }
        return (ColumnKind::Numeric, format!("all {values} values are numbers"), Vec::new());
    }
    if let (true, Some((location, first))) = (mostly_numbers(profile), &profile.first_not_number) {
        let others = profile.not_numbers.iter().skip(1);
        let others: String = others.map(|text| format!(", {text:?}")).collect();
        let message = format!("{first:?} ({location}){others} among numbers: taken for missing");
        warn(WarningKind::NotNumbers, message);
        let reason =
            format!("{} of {values} values are numbers, the others missing", profile.numbers);
        return (ColumnKind::Numeric, reason, profile.not_numbers.clone());
    }
    if let Some((_, first)) = &profile.first_not_number {
        let mostly = |count: usize| 2 * count > values;
        if mostly(profile.decimal_commas) {
            let message = format!(
                "{first:?} looks like a number with a decimal comma, expected a point; such values \
                 are taken for names"
            );
            warn(WarningKind::DecimalCommas, message);
        } else if mostly(profile.hexadecimals) {
            let message = format!(
                "{first:?} looks like a hexadecimal number, expected a decimal one; such values are \
                 taken for names"
            );
            warn(WarningKind::Hexadecimals, message);
        }
    }
    let distinct = profile.distinct;
    if distinct as f64 > MOSTLY_DISTINCT * profile.distinct_of as f64 && values > FEW_ROWS {
        let of = profile.distinct_of;
        let message =
            format!("{distinct} different texts in {of} values name the rows, so it is left out");
        warn(WarningKind::Identifier, message);
        return (ColumnKind::Ignored, "nearly every value is different".to_owned(), Vec::new());
    }
    let more = if profile.distinct_of < values { "at least " } else { "" };
    (ColumnKind::Categorical, format!("{more}{distinct} different values"), Vec::new())
}

/// Why a column is one of true and false, if it is.
fn booleans(profile: &ColumnProfile) -> Option<String> {
    // In any case of letters there are less than ten ways to write both words of a file.
    if profile.booleans < profile.values() || profile.distinct > profile.most_common.len() {
        return None;
    }
    let found: Vec<(usize, bool)> =
        profile.most_common.iter().filter_map(|(text, _)| boolean_pair(text)).collect();
    let one_pair = found.iter().all(|(pair, _)| *pair == found[0].0);
    let both = found.iter().any(|(_, value)| *value) && found.iter().any(|(_, value)| !value);
    let texts: Vec<&str> = profile.most_common.iter().map(|(text, _)| text.as_str()).collect();
    (one_pair && both).then(|| format!("only {}", texts.join(", ")))
}

fn mostly_numbers(profile: &ColumnProfile) -> bool {
    let finite = profile.numbers - profile.not_finite;
    finite >= FEWEST_NUMBERS
        && profile.numbers as f64 >= MOSTLY_NUMBERS * profile.values() as f64
        && profile.not_numbers.len() <= MOST_STRAYS
}

/// Whether the values are successive whole numbers, each once, as in an index of rows.
fn is_count(profile: &ColumnProfile) -> bool {
    let (Some(min), Some(max)) = (profile.min, profile.max) else { return false };
    profile.rows > FEW_ROWS
        && profile.missing == 0
        && profile.integers == profile.rows
        && profile.distinct == profile.distinct_of
        && max - min + 1.0 == profile.rows as f64
}
