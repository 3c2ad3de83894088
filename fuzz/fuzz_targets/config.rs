//! Bytes as a TOML file of options, to settings that are checked.

#![no_main]

use std::{io::Cursor, io::Write, sync::LazyLock};

use kiln::{
    table::{ReadOptions, Table, TableReader},
    tabular::{Recipe, Settings},
};
use libfuzzer_sys::fuzz_target;
use options::{Options, ReadArgs, read_config};

// They belong to the binary, whose modules no other crate can name.
#[allow(dead_code, unused_imports, reason = "the binary uses more of them than this does")]
#[path = "../../crates/cli/src/options/mod.rs"]
mod options;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let text = Cursor::new("a,b,y\n1,x,no\n2,y,yes\n3,x,no\n4,y,yes\n");
    let reader = TableReader::from_reader(text, "fuzz.csv", &ReadOptions::default());
    Table::from_reader(reader.expect("a table")).expect("rows")
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(settings) = toml::from_str::<Settings>(text) {
            check(&settings);
        }
    }
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for it");
    let Ok(options) = read_config(file.path()) else { return };
    let _ = options.read_options(&ReadArgs::default());
    let merged = Options::default().over(options.clone()).expect("options and no others");
    if let Ok(settings) = resolve(&merged) {
        check(&settings);
        let said_in_full = Options::from_settings(&settings, &options);
        let resolved = resolve(&said_in_full).expect("the same options");
        assert_eq!(format!("{resolved:?}"), format!("{settings:?}"));
    }
});

fn resolve(options: &Options) -> anyhow::Result<Settings> {
    let recipe = Recipe::for_table(options.preset.unwrap_or_default(), &TABLE);
    options.resolve(TABLE.name(), TABLE.columns(), recipe)
}

fn check(settings: &Settings) {
    let _ = settings.train.validate();
    let _ = settings.preprocess.validate();
    let _ = settings.network.mlp(2, 1).validate();
    // Numbers are written as they are read.
    let text = toml::to_string(settings).expect("settings are plain data");
    let again: Settings = toml::from_str(&text).expect("what was written");
    assert_eq!(format!("{again:?}"), format!("{settings:?}"));
}
