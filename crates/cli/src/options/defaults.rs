use std::{collections::BTreeMap, sync::LazyLock};

use clap::{Arg, builder::StyledStr};
use kiln::{
    table::SchemaOptions,
    tabular::{Preset, Recipe},
};

use super::Options;

/// The sizes of tables that the recipe tells apart, and some between.
const ROWS: [usize; 8] = [1, 500, 5_000, 20_000, 100_000, 500_000, 5_000_000, 100_000_000];
const COLUMNS: [usize; 6] = [1, 10, 100, 200, 400, 10_000];

/// What the recipe uses where an option is not given, by the name of the option.
static DEFAULTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(defaults);

/// Adds to the help of an option what the recipe uses without it.
pub(super) fn with_default(arg: Arg) -> Arg {
    let Some(default) = DEFAULTS.get(arg.get_id().as_str()) else { return arg };
    let note = format!(" [default: {default}]");
    let short = arg.get_help().map(|help| format!("{help}{note}"));
    let long = arg.get_long_help().map(|help| with_note(help, &note));
    let arg = match short {
        Some(short) => arg.help(short),
        None => arg,
    };
    match long {
        Some(long) => arg.long_help(long),
        None => arg,
    }
}

/// Behind the first paragraph, which is the short help.
fn with_note(help: &StyledStr, note: &str) -> String {
    let help = help.to_string();
    match help.split_once("\n\n") {
        Some((first, rest)) => format!("{first}{note}\n\n{rest}"),
        None => help + note,
    }
}

fn defaults() -> BTreeMap<String, String> {
    let recipe = |rows, columns| Recipe::new(Preset::default(), rows, columns);
    let options = |rows, columns| {
        let settings = recipe(rows, columns).settings(SchemaOptions::default());
        let options = Options::from_settings(&settings, &Options::default());
        toml::Table::try_from(options).expect("options are plain data")
    };
    let tables = ROWS.map(|rows| COLUMNS.map(|columns| options(rows, columns)));
    let mut defaults = BTreeMap::new();
    for key in tables[0][0].keys() {
        let values = tables.each_ref().map(|row| row.each_ref().map(|table| table.get(key)));
        let by_rows = values.iter().any(|row| *row != values[0]);
        let by_columns = values.iter().any(|row| row.iter().any(|value| *value != row[0]));
        let by = match (by_rows, by_columns) {
            (false, false) => "",
            (true, false) => ", by the number of rows",
            (false, true) => ", by the number of columns",
            (true, true) => ", by the numbers of rows and columns",
        };
        let values = values.into_iter().flatten().flatten();
        if let Some(range) = range(values.collect()) {
            defaults.insert(key.clone(), format!("{range}{by}"));
        }
    }
    let fraction = recipe(1, 1).valid_fraction();
    let fraction = format!("{fraction} where there are no folds");
    defaults.insert("valid_fraction".to_owned(), fraction);
    defaults
}

/// The lowest and the highest of these values; `None` where nothing is to be said.
fn range(mut values: Vec<&toml::Value>) -> Option<String> {
    values.sort_by(|a, b| size(a).total_cmp(&size(b)));
    values.dedup();
    let first = text(values.first()?)?;
    Some(match &values[..] {
        [_] => first,
        [_, last] => format!("{first} or {}", text(last)?),
        [.., last] => format!("{first} to {}", text(last)?),
        [] => return None,
    })
}

fn size(value: &toml::Value) -> f64 {
    match value {
        toml::Value::Integer(whole) => *whole as f64,
        toml::Value::Float(number) => *number,
        toml::Value::Array(values) => values.first().map_or(0.0, size),
        _ => 0.0,
    }
}

/// As the flag takes it; `None` for an empty list.
fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Array(values) => {
            let texts: Vec<String> = values.iter().map(text).collect::<Option<_>>()?;
            Some(texts.join(",")).filter(|text| !text.is_empty())
        }
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command};

    use super::*;

    fn help_of(option: &str) -> [String; 2] {
        let command = Options::augment_args(Command::new("t"));
        let arg = command.get_arguments().find(|arg| arg.get_id() == option).unwrap();
        let text = |help: Option<&StyledStr>| help.map_or_else(String::new, StyledStr::to_string);
        [text(arg.get_help()), text(arg.get_long_help())]
    }

    #[test]
    fn help_shows_the_defaults_of_the_recipe() {
        let recipe = Recipe::new(Preset::default(), 1_000, 10);
        let settings = recipe.settings(SchemaOptions::default());
        let shown = |option: &str, default: &str| {
            let [short, _] = help_of(option);
            let end = format!(" [default: {default}]");
            assert!(short.ends_with(&end), "{option}: {short:?}, expected {end:?}");
        };
        shown("dropout", &settings.network.dropout.to_string());
        shown("optimizer", settings.train.optimizer.name());
        shown("weight_decay", &settings.train.optimizer.weight_decay().to_string());
        shown("activation", settings.network.activation.name());
        shown("keep", "best");
        shown("class_weights", "none");
        shown("clip_norm", "0");
        shown("hidden", "128,128 to 512,512, by the number of columns");
        shown("input_dropout", "0 or 0.3, by the number of columns");
        shown("epochs", "12 to 60, by the number of rows");
        shown("numeric_bins", "0 to 32, by the numbers of rows and columns");
        shown("bag_folds", "0 or 4, by the number of rows");
        shown("valid_fraction", "0.15 where there are no folds");
    }

    #[test]
    fn every_option_with_a_default_shows_it_once() {
        assert!(DEFAULTS.len() > 25, "{:?}", *DEFAULTS);
        for (option, default) in &*DEFAULTS {
            let [short, long] = help_of(option);
            assert!(short.ends_with(&format!(" [default: {default}]")), "{option}: {short}");
            for help in [&short, &long] {
                assert!(help.matches("[default").count() <= 1, "{option}: {help}");
            }
            assert_eq!(long.is_empty(), !long.contains("[default"), "{option}: {long}");
        }
    }
}
