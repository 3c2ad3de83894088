//! The same run again: from its seed, from its printed options, and whatever validates it.

use std::fs;

use serde_json::Value;

use crate::common::{Folder, good};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("good.csv", good());
    folder
}

fn bytes(folder: &Folder, name: &str) -> Vec<u8> {
    fs::read(folder.path(name)).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let folder = folder();
    for (name, seed) in [("a", 1), ("b", 1), ("c", 2)] {
        folder.succeeds(&format!(
            "train good.csv --target class -o {name} --epochs 3 --seed {seed} -q"
        ));
    }
    assert!(bytes(&folder, "a") == bytes(&folder, "b"));
    assert!(bytes(&folder, "a") != bytes(&folder, "c"));
    let predictions = |model: &str| folder.succeeds(&format!("predict {model} good.csv"));
    assert_eq!(predictions("a"), predictions("b"));
    assert_ne!(predictions("a"), predictions("c"));
}

#[test]
fn a_printed_config_gives_the_identical_model() {
    let folder = folder();
    for flags in [
        "--target class",
        "--target 3 --hidden 8,4 --dropout 0 --optimizer sgd --class-weights balanced --ignore b",
        "--target last --valid good.csv --clip-norm 1 --batch-size all --loss sparse",
        "--target class --valid-fraction 0 --hidden none --schedule constant --missing x1,x2",
    ] {
        let printed = folder.succeeds(&format!("train good.csv {flags} --epochs 3 --print-config"));
        folder.write("run.toml", &printed);
        folder.succeeds(&format!("train good.csv {flags} --epochs 3 -o flags -q"));
        folder.succeeds("train good.csv --config run.toml -o config -q");
        assert!(bytes(&folder, "flags") == bytes(&folder, "config"), "{flags}:\n{printed}");
        let again = folder.succeeds("train good.csv --config run.toml --print-config");
        assert_eq!(again, printed);
    }
}

#[test]
fn flags_win_over_the_file() {
    let folder = folder();
    folder.write("run.toml", "target = [\"class\"]\nepochs = 2\nhidden = [5]\n");
    folder.succeeds("train good.csv --config run.toml --epochs 1 -o m -q");
    let model: Value = serde_json::from_str(&folder.succeeds("inspect m --json")).unwrap();
    assert_eq!(model["training"]["epochs"], 1);
    assert_eq!(model["network"]["hidden"], serde_json::json!([5]));
}

#[test]
fn validation_rows_do_not_change_the_preprocessing() {
    let folder = folder();
    folder.write("plain.csv", good());
    folder.write("extreme.csv", good().replace("\n0.", "\n1000000.") + "-1e9,1e9,x\n");
    let preprocessor = |valid: &str| {
        folder
            .succeeds(&format!("train good.csv --target class --valid {valid} -o m --epochs 2 -q"));
        let model: Value = serde_json::from_str(&folder.succeeds("inspect m --json")).unwrap();
        assert!(model["preprocessor"].is_object(), "{model}");
        model["preprocessor"].clone()
    };
    assert_eq!(preprocessor("plain.csv"), preprocessor("extreme.csv"));
}

#[test]
fn quiet_says_only_the_result() {
    let folder = folder();
    let run = folder.run("train good.csv --target class -o m --epochs 2 -q");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.ends_with("wrote m\n"), "{}", run.stdout);
    let run = folder.run("train good.csv --target class -o m --epochs 2 --json -q");
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.stderr.as_str(), &summary["epochs"]), ("", &Value::from(2)));
}

#[test]
fn the_history_has_a_row_for_each_epoch() {
    let folder = folder();
    folder.succeeds("train good.csv --target class -o m --epochs 3 -q --history h.csv");
    assert_eq!(folder.read("h.csv").lines().count(), 4);
    folder.succeeds("train good.csv --target class -o m --epochs 3 -q --history h.jsonl");
    assert_eq!(folder.read("h.jsonl").lines().count(), 3);
}

#[test]
fn bash_gets_its_completions() {
    let script = Folder::new().succeeds("completions bash");
    assert!(script.contains("complete -F _kiln"), "{script}");
}

#[test]
fn every_command_has_its_manual_page() {
    let folder = Folder::new();
    let said = folder.succeeds("man pages/man1");
    assert_eq!(said, "");
    let help = folder.succeeds("--help");
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let names = commands.lines().map(|line| line.split_whitespace().next().unwrap());
    for name in names.filter(|name| *name != "help") {
        let page = folder.read(&format!("pages/man1/kiln-{name}.1"));
        let title = format!("kiln\\-{}", name.replace('-', "\\-"));
        assert!(page.contains(&title) && page.contains("\\-\\-json"), "{page}");
    }
    let page = folder.read("pages/man1/kiln.1");
    assert!(page.contains("kiln\\-train(1)"), "{page}");
    assert!(!page.contains("help(1)"), "{page}");
    folder.write("file", "");
    folder.fails("man file", "cannot make file: File exists (os error 17)");
}
