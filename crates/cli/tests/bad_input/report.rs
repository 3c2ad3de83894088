//! Reports, thresholds and comparisons that can't be.

use std::fs;

use crate::common::{Folder, good};

const TRAIN: &str = "train good.csv --target class --epochs 2 -q -o m.safetensors";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("good.csv", good());
    folder
}

#[test]
fn a_report_that_can_not_be_written_is_said_before_the_work() {
    let folder = folder();
    folder.write("file", "");
    let train = "train good.csv --target class -q --epochs 1000000 -o m.safetensors";
    let fails = |args: &str, message: &str| folder.fails(&format!("{train} {args}"), message);
    fails("--report none/r.html", "cannot write none/r.html: there is no folder none");
    fails("--plots file", "cannot make the folder file: File exists (os error 17)");
    fails("--tensorboard file", "cannot write file: File exists (os error 17)");
    let other = "it is another file of the same command, expected a name of its own";
    fails("--report good.csv", &format!("cannot write good.csv: {other}"));
    fails("--report m.safetensors", &format!("cannot write m.safetensors: {other}"));
}

#[test]
fn a_threshold_needs_two_classes_and_rows_to_choose_by() {
    let folder = folder();
    folder.write("three.csv", good() + "9,9,z\n9,8,z\n9,7,z\n");
    folder.fails_with(
        2,
        &format!("{TRAIN} --threshold f1 --valid-fraction 0"),
        "`threshold` needs validation rows, and there are none",
    );
    folder.fails_with(
        2,
        "train three.csv --target class -q -o m.safetensors --threshold 0.3",
        "found the threshold 0.3 for 3 classes, expected two classes",
    );
    let run = folder.run(&format!("{TRAIN} --threshold 1.5"));
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.starts_with(
            "error: invalid value '1.5' for '--threshold <RULE>': expected a number above 0 and \
             below 1, half, f1, youden, or cost:FP:FN"
        ),
        "{}",
        run.stderr
    );
}

#[test]
fn a_report_without_rows_to_measure_on_is_warned_of() {
    let folder = folder();
    let train = "train good.csv --target class --epochs 2 -o m.safetensors";
    let run = folder.run(&format!("{train} --valid-fraction 0 --report r.html"));
    assert_eq!(run.code, Some(0));
    assert!(
        run.stderr.contains(
            "warning: there is no report: it needs validation rows, or test rows (--test), to \
             measure on"
        ),
        "{}",
        run.stderr
    );
    assert!(!folder.path("r.html").exists());
}

#[test]
fn a_training_file_that_is_not_the_one_is_refused() {
    let folder = Folder::with_model();
    folder.write("other.csv", good() + "1,2,x\n3,4,y\n");
    folder.fails(
        "evaluate model.safetensors good.csv --train other.csv",
        "other.csv gives 62 rows to train on, expected the 60 that the model was trained on",
    );
}

#[test]
fn only_like_models_are_compared() {
    let folder = Folder::with_model();
    folder.write("three.csv", good() + "9,9,z\n9,8,z\n9,7,z\n");
    folder.succeeds("train three.csv --target class -q --epochs 2 -o three.safetensors");
    folder.fails(
        "compare model.safetensors three.safetensors",
        "three.safetensors tells apart x, y, z, expected the classes of model.safetensors: x, y",
    );
    folder.fails(
        "compare model.safetensors none.safetensors",
        "cannot read none.safetensors: No such file or directory (os error 2)",
    );
    fs::write(folder.path("r.html"), "old").unwrap();
    folder.fails(
        "compare model.safetensors three.safetensors --report model.safetensors",
        "cannot write model.safetensors: it is another file of the same command, expected a name of \
         its own",
    );
    let run = folder.run("compare model.safetensors");
    assert_eq!(run.code, Some(2));
}
