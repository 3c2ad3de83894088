//! `kiln tune`: a search for settings.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::common::{Folder, good};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// A folder with the table of fruit.
fn fruit() -> Folder {
    let folder = Folder::new();
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/fruit.csv");
    folder.write("fruit.csv", fs::read(table).unwrap());
    folder
}

const TUNE: &str = "tune fruit.csv --target kind -o run.toml --epochs 10 --hidden 16";

/// The trials in a journal, without their clocks, in order.
fn trials(folder: &Folder, journal: &str) -> Vec<Value> {
    let mut trials: Vec<Value> = folder.read(journal).lines().skip(1).map(json).collect();
    for trial in &mut trials {
        trial.as_object_mut().unwrap().remove("seconds");
    }
    trials.sort_by_key(|trial| trial["trial"].as_u64());
    trials
}

#[test]
fn the_best_settings_train_and_are_measured_on_rows_of_their_own() {
    let folder = fruit();
    let said = json(&folder.succeeds(&format!("{TUNE} --trials 20 --json -q --report r.html")));
    assert_eq!(said["wrote"], serde_json::json!(["run.toml", "r.html"]));
    assert_eq!(said["trials"], 20);
    let count = |state: &str| said[state].as_u64().unwrap();
    assert_eq!(count("complete") + count("pruned") + count("diverged"), 20);
    // 300 rows, of which a fifth is kept.
    assert_eq!((&said["unseen"]["rows"], &said["unseen"]["train_rows"]), (&60.into(), &240.into()));
    assert_eq!(said["unseen"]["best"]["shared_rows"], 0);
    let loss = |of: &Value| of["validation_loss"].as_f64().unwrap();
    assert!(loss(&said["best"]) < loss(&said["default"]), "{said}");
    let unseen = |of: &str| said["unseen"][of]["log_loss"].as_f64().unwrap();
    let difference = said["unseen"]["differences"]["log_loss"][0].as_f64().unwrap();
    assert!((unseen("best") - unseen("default") - difference).abs() < 1e-12);

    // What was found is what is written, and what was given was not searched.
    let options: toml::Table = folder.read("run.toml").parse().unwrap();
    let best = said["best"]["settings"].as_object().unwrap();
    for name in ["activation", "dropout", "learning_rate", "weight_decay", "batch_size", "scaling"]
    {
        assert_eq!(serde_json::to_value(&options[name]).unwrap(), best[name], "{name}");
    }
    assert!(!best.contains_key("width") && !best.contains_key("hidden_layers"));
    assert_eq!(options["hidden"], toml::Value::Array(vec![16.into()]));
    let number = said["best"]["trial"].as_u64().unwrap();
    let head = format!("# Found by `kiln tune` in 20 trials on fruit.csv: trial {number}.\n");
    assert!(folder.read("run.toml").starts_with(&head));
    folder.succeeds("train fruit.csv --config run.toml -o m.safetensors -q");

    let page = folder.read("r.html");
    for part in ["id=\"search\"", "id=\"trials\"", "id=\"settings-importance\"", "0 (defaults)"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("measured on 60 rows that no trial saw"));
}

#[test]
fn a_search_that_was_killed_goes_on_and_finds_the_same() {
    let straight = fruit();
    let said = straight.succeeds(&format!("{TUNE} --trials 12 --json -q"));

    let folder = fruit();
    let mut killed = Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(TUNE.split(' ').chain(["--trials", "12", "--jobs", "2"]))
        .current_dir(folder.path(""))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(killed.stderr.take().unwrap()).lines();
    let mut told = lines.map_while(Result::ok).filter(|line| line.starts_with("trial "));
    assert_eq!(told.by_ref().take(5).count(), 5);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(!folder.path("run.toml").exists());
    let before = trials(&folder, "run.journal.jsonl");
    assert!(before.len() >= 5, "{before:?}");

    let run = folder.run(&format!("{TUNE} --trials 12 --json"));
    let over = format!("run.journal.jsonl holds {} trials that are over", before.len());
    assert!(run.stderr.contains(&over), "{}", run.stderr);
    let retold = run.stderr.lines().filter(|line| line.starts_with("trial ")).count();
    assert_eq!(retold + before.len(), 12, "{}", run.stderr);
    assert_eq!(run.stdout, said);
    assert_eq!(folder.read("run.toml"), straight.read("run.toml"));
    let [all, same] = [&folder, &straight].map(|of| trials(of, "run.journal.jsonl"));
    assert_eq!(all, same);
    assert!(before.iter().all(|trial| all.contains(trial)));
}

#[cfg(unix)]
#[test]
fn an_interrupted_search_says_how_to_go_on() {
    let folder = fruit();
    let mut search = Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(TUNE.split(' ').chain(["--trials", "10000"]))
        .current_dir(folder.path(""))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(search.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("trial 2:")));
    let pid = search.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let last = lines.last().unwrap();
    assert_eq!(search.wait().unwrap().code(), Some(1));
    let over = trials(&folder, "run.journal.jsonl").len();
    assert_eq!(
        last,
        format!(
            "error: interrupted after {over} of 10000 trials, which run.journal.jsonl holds; the same command \
             goes on with the search, or ends it there with `--trials {over}`"
        )
    );
    assert!(!folder.path("run.toml").exists());
    let said = folder.succeeds(&format!("{TUNE} --trials 1 -q"));
    assert!(said.starts_with("1 trial, 1 complete, 0 given up early, 0 diverged\n"), "{said}");
    assert!(said.contains("none was better than the defaults"), "{said}");
    let head =
        "# The defaults: of 1 trial of `kiln tune` on fruit.csv none had a lower validation loss";
    assert!(folder.read("run.toml").starts_with(head));
}

#[test]
fn a_journal_of_another_search_is_refused() {
    let folder = fruit();
    folder.succeeds(&format!("{TUNE} --trials 1 -q"));
    let refused = |flags: &str, what: &str| {
        let message = format!(
            "the search in run.journal.jsonl can't go on: {what}; another `--journal` or `--output` begins \
             anew"
        );
        folder.fails_with(2, &format!("{TUNE} --trials 1 -q {flags}"), &message);
    };
    refused("--seed 3", "`seed` is 3, and it began with 0");
    let searched = json(folder.read("run.journal.jsonl").lines().next().unwrap());
    let searched = searched["searched"]["searched"].as_str().unwrap().to_owned();
    let fewer = searched.replace("dropout 0 to 0.5; ", "");
    assert_ne!(fewer, searched);
    refused("--dropout 0.15", &format!("`searched` is {fewer}, and it began with {searched}"));
    folder.succeeds(&format!("{TUNE} --trials 1 -q --seed 3 --journal other.jsonl"));

    let table = folder.read("fruit.csv").replacen("191,", "192,", 1);
    folder.write("fruit.csv", table);
    let run = folder.run(&format!("{TUNE} --trials 1 -q"));
    assert_eq!(run.code, Some(2));
    let message = "can't go on: `table` is 240 rows of ";
    assert!(run.stderr.contains(message), "{}", run.stderr);
}

#[test]
fn trials_choose_by_folds_or_by_a_file_of_their_own() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    folder.write("valid.csv", good());
    let tune =
        "tune good.csv --target class -o run.toml --epochs 3 --hidden 8 --trials 2 --json -q";
    for (flags, key, found) in [
        ("--members 4 --bag-folds 2", "members", toml::Value::Integer(4)),
        ("--valid valid.csv", "valid", toml::Value::String("valid.csv".to_owned())),
    ] {
        folder.succeeds(&format!("{tune} {flags} --journal {key}.jsonl"));
        let options: toml::Table = folder.read("run.toml").parse().unwrap();
        assert_eq!(options[key], found, "of the whole run, not of a trial");
        folder.succeeds("train good.csv --config run.toml -o m.safetensors -q");
    }
}

#[test]
fn no_trial_in_time_is_told() {
    let folder = fruit();
    let run = folder.run(&format!("{TUNE} --time-budget 1ns -q"));
    assert_eq!(run.code, Some(1));
    assert_eq!(
        run.stderr,
        "error: no trial was over in time: the first trains the default settings to their end; expected a \
         larger `--time-budget`\n"
    );
    assert!(!folder.path("run.toml").exists());
}

#[test]
fn wrong_usage_is_told_before_the_work() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    let tune = "tune good.csv --target class -o run.toml -q";
    for (flags, code, message) in [
        ("--stream", 2, "a search keeps all rows in memory, found `stream`"),
        (
            "--journal run.toml",
            1,
            "cannot write run.toml: it is another file of the same command, expected a name of its own",
        ),
        (
            "--hidden 8 --activation relu --dropout 0 --learning-rate 0.01 --weight-decay 0 --batch-size 8 \
             --numeric-bins 0 --scaling robust",
            2,
            "there is nothing to search: all of hidden, activation, dropout, learning_rate, weight_decay, \
             batch_size, numeric_bins, scaling are given",
        ),
    ] {
        folder.fails_with(code, &format!("{tune} {flags}"), message);
    }
    for (flags, part) in [
        ("--trials 0", "0 is not in 1..=10000"),
        ("--time-budget 10", "expected a time above 0 like 90s, 10m or \"1h 30m\""),
        ("--time-budget 0s", "expected a time above 0 like 90s, 10m or \"1h 30m\""),
    ] {
        let run = folder.run(&format!("{tune} {flags}"));
        assert_eq!(run.code, Some(2), "{flags}");
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
    for (flags, message) in [
        (
            "--valid-fraction 0",
            "a search compares trials on validation rows, and there are none: `valid_fraction` is 0",
        ),
        ("--epochs 0", "`epochs` is 0, expected at least 1"),
    ] {
        folder.fails_with(2, &format!("{tune} {flags}"), message);
    }
}
