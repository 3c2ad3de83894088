//! What is said about a model, and the files that show it.

use std::{env, fs, process::Command};

use kiln::table::{Cell, Cells, ReadOptions, Table};
use serde_json::Value;

use crate::common::{Folder, good, good_but};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// `good.csv` and a run on it.
fn trained(args: &str) -> (Folder, Value) {
    let folder = Folder::new();
    folder.write("good.csv", good());
    let train = "train good.csv --target class -o m.safetensors --epochs 20 --json -q";
    let summary = json(&folder.succeeds(&format!("{train} {args}")));
    (folder, summary)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_report_and_its_charts_are_written() {
    let (folder, summary) = trained("--report r.html --plots plots");
    let wrote = ["m.safetensors", "r.html", "plots (11 charts, each as SVG and PNG)"];
    assert_eq!(summary["wrote"], serde_json::json!(wrote));
    let html = folder.read("r.html");
    for section in ["metrics", "classes", "ranking", "calibration", "explanation", "training"] {
        assert!(html.contains(&format!("id=\"{section}\"")), "{section}");
    }
    for shown in ["logistic regression", "majority class", "95 % interval", "kept: epoch"] {
        assert!(html.contains(shown), "{shown}");
    }
    // SVG's namespace is a name, no address.
    let named = html.replace("http://www.w3.org/2000/svg", "");
    assert!(!named.contains("<script") && !named.contains("://"), "nothing is loaded or run");
    let charts = [
        "accuracy",
        "balance",
        "confusion",
        "confusion-shares",
        "importance",
        "learning-rate",
        "loss",
        "precision-recall",
        "reliability",
        "roc",
        "scores",
    ];
    for chart in charts {
        assert!(html.contains(&format!("id=\"{chart}\"")), "{chart}");
        assert!(folder.read(&format!("plots/{chart}.svg")).starts_with("<svg"), "{chart}");
        let png = fs::read(folder.path(&format!("plots/{chart}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG"), "{chart}");
    }
    assert_eq!(fs::read_dir(folder.path("plots")).unwrap().count(), 2 * charts.len());

    let again = Folder::new();
    again.write("good.csv", good());
    again.succeeds("train good.csv --target class -o m.safetensors --epochs 20 -q --report r.html");
    assert_eq!(again.read("r.html"), html, "the same run, the same report");
}

#[test]
fn baselines_and_intervals_stand_beside_the_model() {
    let (folder, summary) = trained("--preset fast");
    let valid = &summary["valid"];
    // 9 of 60 rows, 4 or 5 of each class.
    assert_eq!(valid["rows"], 9);
    let majority = &valid["baselines"]["majority_class"];
    let accuracy = number(&majority["accuracy"]);
    assert!(accuracy == 4.0 / 9.0 || accuracy == 5.0 / 9.0, "{accuracy}");
    assert_eq!(number(&majority["roc_auc"]), 0.5);
    let logistic = number(&valid["baselines"]["logistic_regression"]["log_loss"]);
    assert!(logistic < number(&majority["log_loss"]), "{logistic}");
    let interval = &valid["intervals"]["log_loss"];
    let (low, high) = (number(&interval["low"]), number(&interval["high"]));
    let value = number(&valid["log_loss"]);
    assert!(low <= value && value <= high, "{low} {value} {high}");

    // Of a file of its own: what the model was trained on is asked for.
    folder.write("test.csv", good());
    let evaluate = "evaluate m.safetensors test.csv --json";
    let alone = json(&folder.succeeds(evaluate));
    assert_eq!(alone["baselines"].as_object().unwrap().len(), 1);
    assert!(alone.get("shared_rows").is_none());
    let beside = json(&folder.succeeds(&format!("{evaluate} --train good.csv")));
    assert!(beside["baselines"]["logistic_regression"]["accuracy"].is_number());
    // All 51 rows that were trained on; the 9 validation rows were not.
    assert_eq!(beside["shared_rows"], 51);
    folder.write("test.csv", good_but(2, "100,100,x"));
    let beside = json(&folder.succeeds(&format!("{evaluate} --train good.csv")));
    assert!([50, 51].map(Value::from).contains(&beside["shared_rows"]), "{beside}");
}

#[test]
fn test_rows_choose_nothing() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    folder.write("test.csv", "b,a,class\n1,9,y\n2,0.5,x\n3,8,y\n4,7,x\n");
    let train = "train good.csv --target class -o m.safetensors --epochs 5 --json -q";
    let without = json(&folder.succeeds(train));
    let before = fs::read(folder.path("m.safetensors")).unwrap();
    let with = json(&folder.succeeds(&format!("{train} --test test.csv")));
    assert_eq!(fs::read(folder.path("m.safetensors")).unwrap(), before);
    assert_eq!(with["test"]["rows"], 4);
    assert_eq!(with["test"]["shared_rows"], 0);
    assert_eq!(with["valid"]["accuracy"], without["valid"]["accuracy"]);
    assert!(with["valid"].get("intervals").is_none() && with["test"].get("intervals").is_some());
}

/// The probability of y, and the prediction, for each row of `good.csv`.
fn predictions(folder: &Folder) -> Vec<(f64, String)> {
    folder.succeeds("predict m.safetensors good.csv -o out.csv");
    let table = Table::read(&folder.path("out.csv"), &ReadOptions::default()).unwrap();
    let mut rows = Vec::new();
    for chunk in table.chunks() {
        let [decided, _, p] = [0, 1, 2].map(|column| Cells::new(chunk.batch.column(column)));
        rows.extend((0..chunk.batch.num_rows()).map(|row| match (decided.get(row), p.get(row)) {
            (Cell::Text(decided), Cell::Text(p)) => (p.parse().unwrap(), decided.to_owned()),
            other => panic!("{other:?}"),
        }));
    }
    rows
}

#[test]
fn a_threshold_chosen_or_given_decides() {
    for (rule, threshold) in [
        ("0.2", Some(0.2)),
        ("half", Some(0.5)),
        ("cost:1:9", None),
        ("f1", None),
        ("youden", None),
    ] {
        let (folder, summary) = trained(&format!("--threshold {rule}"));
        let found = number(&summary["threshold"]);
        assert!(threshold.is_none_or(|threshold| threshold == found), "{rule} {found}");
        assert!(found > 0.0 && found < 1.0, "{rule} {found}");
        let model = json(&folder.succeeds("inspect m.safetensors --json"));
        assert_eq!(model["threshold"], summary["threshold"]);
        assert_eq!(model["training"]["config"]["threshold"], rule);
        for (p, decided) in predictions(&folder) {
            assert_eq!(decided, if p >= found { "y" } else { "x" }, "{rule}: {p} {found}");
        }
    }
}

#[test]
fn temperature_changes_probabilities_and_no_decision() {
    let (cold, summary) = trained("");
    let (raw, other) = trained("--calibration none");
    let temperature = number(&summary["temperature"]);
    assert!(temperature != 1.0);
    assert_eq!(other["temperature"], 1.0);
    let logit = |p: f64| (p / (1.0 - p)).ln();
    for ((with, decided), (without, same)) in predictions(&cold).into_iter().zip(predictions(&raw))
    {
        assert_eq!(decided, same);
        // As probabilities, for near 1 a logit has few digits.
        let expected = 1.0 / (1.0 + (-temperature * logit(with)).exp());
        assert!((expected - without).abs() < 1e-6, "{with} {without}");
    }
    let valid = &summary["valid"];
    let before = number(&valid["uncalibrated"]["log_loss"]);
    assert_eq!(before, number(&other["valid"]["log_loss"]));
    assert!(number(&valid["log_loss"]) < before);
}

#[test]
fn runs_are_compared_row_by_row() {
    let (folder, _) = trained("");
    let train = "train good.csv --target class --epochs 20 -q";
    folder.succeeds(&format!("{train} -o same.safetensors"));
    folder.succeeds(&format!("{train} -o other.safetensors --hidden 4 --seed 9"));
    let compare = "compare m.safetensors same.safetensors other.safetensors --json";
    let report = json(&folder.succeeds(&format!("{compare} --data good.csv --report c.html")));
    let same = &report["runs"][1]["comparison"];
    assert_eq!(
        same["differences"]["log_loss"],
        serde_json::json!([0.0, {"low": 0.0, "high": 0.0}])
    );
    assert_eq!(same["p_value"], 1.0);
    let other = &report["runs"][2]["comparison"];
    let difference = number(&other["differences"]["log_loss"][0]);
    let [first, last] = [0, 2].map(|run| number(&report["runs"][run]["metrics"]["log_loss"]));
    assert!((last - first - difference).abs() < 1e-12);
    let values: Vec<&Value> =
        report["differences"]["network.hidden"].as_array().unwrap().iter().collect();
    assert_eq!(values, ["[128,128]", "[128,128]", "[4]"]);
    assert_eq!(report["differences"]["train.seed"], serde_json::json!(["0", "0", "9"]));
    assert_eq!(report["differences"].as_object().unwrap().len(), 2);
    let html = folder.read("c.html");
    for shown in ["McNemar", "network.hidden", "id=\"valid-loss\"", "other.safetensors minus"] {
        assert!(html.contains(shown), "{shown}");
    }

    let report = json(&folder.succeeds(compare));
    assert!(report["runs"][2].get("comparison").is_none());
    assert!(report["runs"][2]["metrics"]["accuracy"].is_number());
    let text = folder.succeeds("compare m.safetensors same.safetensors");
    assert!(text.ends_with("\nthey were told the same\n"), "{text}");
}

#[test]
fn tensorboard_reads_a_run() {
    let (folder, _) =
        trained("--preset fast --tensorboard logs/first --history h.jsonl --histograms-every 5");
    assert_eq!(fs::read_dir(folder.path("logs/first")).unwrap().count(), 1);
    let python = env::var_os("KILN_PYTHON").unwrap_or_else(|| "python3".into());
    let has = Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("not read back: no {} with tensorboard", python.display());
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tensorboard/tests/read_events.py");
    let output = Command::new(&python).arg(script).arg(folder.path("logs/first")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let history: Vec<Value> = folder.read("h.jsonl").lines().map(json).collect();
    for (tag, column) in [
        ("loss/train", "train_loss"),
        ("loss/valid", "valid_loss"),
        ("accuracy/train", "train_accuracy"),
        ("accuracy/valid", "valid_accuracy"),
        ("learning_rate", "learning_rate"),
        ("progress/iterations", "iterations"),
        ("progress/seconds", "seconds"),
        ("progress/rows_per_second", "rows_per_second"),
        ("progress/waiting", "waiting"),
    ] {
        let start = format!("scalar {tag} ");
        let found: Vec<f32> = text
            .lines()
            .filter_map(|line| line.strip_prefix(&start)?.split(' ').nth(1)?.parse().ok())
            .collect();
        let expected: Vec<f32> = history.iter().map(|row| number(&row[column]) as f32).collect();
        assert_eq!(found, expected, "{tag}");
    }
    let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    let epochs = history.len();
    assert_eq!(count("histogram weights/output.weight "), epochs / 5);
    assert_eq!(count("histogram gradients/hidden.0.bias "), epochs / 5);
    assert_eq!(count("image confusion "), 1);
    assert_eq!(count("value epochs number_value 20"), 1, "{text}");
    assert_eq!(count("value optimizer string_value adamw"), 1);
    assert_eq!(count("end STATUS_SUCCESS"), 1);
}
