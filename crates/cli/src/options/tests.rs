use kiln::{
    table::{ReadOptions, Table, TableReader},
    tabular::{Preset, Recipe},
    train::Keep,
};

use super::{
    Options, UsageError, column, read_config,
    values::{All, ClassWeightsOption, ClipNorm, Hidden, RowsOrAll},
};

fn config_error(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    std::fs::write(&path, text).unwrap();
    let error = read_config(&path).unwrap_err();
    assert!(error.is::<UsageError>());
    error.to_string().replace(&path.display().to_string(), "run.toml")
}

#[test]
fn a_misspelt_key_is_shown_with_its_place_and_the_right_one() {
    assert_eq!(
        config_error("epochs = 3\n  learnin_rate = 0.1\n"),
        "run.toml line 2, column 3: unknown key `learnin_rate`; did you mean `learning_rate`?"
    );
    assert_eq!(
        config_error("epochs = \"many\"\n"),
        "run.toml line 1, column 10: invalid type: string \"many\", expected a whole number, 0 or more"
    );
    assert_eq!(
        config_error("batch_size = \"some\"\n"),
        "run.toml line 1, column 14: expected a number of rows, or \"all\""
    );
}

#[test]
fn flags_win_over_the_file() {
    let file = Options { epochs: Some(3), seed: Some(7), ..Options::default() };
    let flags = Options { epochs: Some(5), ..Options::default() };
    let merged = flags.over(file).unwrap();
    assert_eq!((merged.epochs, merged.seed), (Some(5), Some(7)));
}

#[test]
fn what_is_printed_says_the_same_run() {
    let input = std::io::Cursor::new("x,y\n1,a\n2,b\n3,a\n");
    let reader = TableReader::from_reader(input, "t.csv", &ReadOptions::default()).unwrap();
    let table = Table::from_reader(reader).unwrap();
    let typed = Options {
        target: Some(vec!["last".to_owned()]),
        activation: Some("leaky_relu".to_owned()),
        optimizer: Some("nesterov".to_owned()),
        schedule: Some("one_cycle".to_owned()),
        batch_size: Some(RowsOrAll::All(All::All)),
        class_weights: Some(ClassWeightsOption::Given(vec![1.0, 2.5])),
        clip_norm: Some(ClipNorm(1.5)),
        valid_fraction: Some(0.0),
        stream: Some(true),
        hidden: Some(Hidden(vec![])),
        ..Options::default()
    };
    let resolve = |of: &Options| {
        of.resolve(table.name(), table.columns(), Recipe::new(Preset::Default, 2, 2)).unwrap()
    };
    let settings = resolve(&typed);
    assert_eq!((settings.columns.target[0].as_str(), settings.train.keep), ("y", Keep::Last));
    let text = toml::to_string(&Options::from_settings(&settings, &typed)).unwrap();
    let read: Options = toml::from_str(&text).unwrap();
    assert_eq!(resolve(&read), settings, "{text}");
}

#[test]
fn a_target_is_a_name_before_it_is_a_position() {
    let columns = ["2", "b", "c"].map(str::to_owned);
    let find = |name| column("t.csv", &columns, name);
    assert_eq!(find("2").unwrap(), "2");
    assert_eq!(find("3").unwrap(), "c");
    assert_eq!(find("last").unwrap(), "c");
    assert_eq!(find("4").unwrap_err().to_string(), "t.csv: `--target 4`: there are columns 1 to 3");
}
