//! Targets from which nothing can be learned.

use crate::common::{Folder, good};

const TRAIN: &str = "-o model.safetensors --epochs 2 -q";

fn good_folder() -> Folder {
    let folder = Folder::new();
    folder.write("t.csv", good());
    folder
}

#[track_caller]
fn refused(content: &str, message: &str) {
    let folder = Folder::new();
    folder.write("t.csv", content);
    folder.fails(&format!("train t.csv --target class {TRAIN}"), message);
}

#[test]
fn without_a_target_the_columns_are_listed() {
    good_folder().fails_with(
        2,
        &format!("train t.csv {TRAIN}"),
        "no target: say with `--target` which column to predict (a name, a position counted from \
         1, or `last`); the columns are a, b, class",
    );
}

#[test]
fn a_misspelt_target_is_answered_with_the_nearest_name() {
    let folder = good_folder();
    let fails = |target: &str, message: &str| {
        folder.fails(&format!("train t.csv --target {target} {TRAIN}"), message);
    };
    fails("clas", "t.csv: no column \"clas\"; did you mean \"class\"?");
    fails("Class", "t.csv: no column \"Class\"; did you mean \"class\"?");
    fails("species", "t.csv: no column \"species\"; there are a, b, class");
    fails("4", "t.csv: `--target 4`: there are columns 1 to 3");
    fails("0", "t.csv: `--target 0`: there are columns 1 to 3");
}

#[test]
fn a_target_by_position_or_last_is_the_one_by_name() {
    let folder = good_folder();
    for target in ["class", "3", "last"] {
        folder.succeeds(&format!("train t.csv --target {target} {TRAIN}"));
        let model = folder.succeeds("inspect model.safetensors");
        assert!(model.contains("target: class\n"), "{model}");
    }
}

#[test]
fn one_class_is_nothing_to_tell_apart() {
    let rows: String = (0..20).map(|row| format!("{row},{},x\n", row * 3 % 7)).collect();
    refused(
        &format!("a,b,class\n{rows}"),
        "t.csv, column \"class\": found only the class \"x\" in 20 rows, expected at least two \
         classes",
    );
}

#[test]
fn a_class_of_one_row_is_learned_with_a_warning() {
    let folder = Folder::new();
    folder.write("t.csv", good() + "1,2,rare\n");
    let run = folder.run("train t.csv --target class -o model.safetensors --epochs 2");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.ends_with(
            "warning: column \"class\": the class \"rare\" has 1 row, which can't be held out: no \
             score says how well such a class is learned\n"
        ),
        "{}",
        run.stderr
    );
    assert!(folder.succeeds("inspect model.safetensors").contains("classes: rare, x, y\n"));
}

#[test]
fn a_class_for_each_row_is_refused() {
    let rows = |name: fn(usize) -> String| -> String {
        (0..50).map(|row| format!("{},{},{}\n", row * 7 % 50, row * 3 % 7, name(row))).collect()
    };
    refused(
        &format!("a,b,class\n{}", rows(|row| format!("c{row}"))),
        "t.csv, column \"class\": each of the 50 rows has a class of its own, expected classes with \
         several rows",
    );
    refused(
        &format!("a,b,class\n{}", rows(|row| format!("{}.5", row * row))),
        "t.csv, column \"class\": the target has 50 different numbers in 50 rows; kiln trains \
         classifiers and cannot predict a quantity",
    );
}

#[test]
fn a_target_without_values_is_refused() {
    let rows: String = (0..20).map(|row| format!("{},{},\n", row * 7 % 20, row * 3 % 7)).collect();
    refused(
        &format!("a,b,class\n{rows}"),
        "t.csv, column \"class\": the target is missing in all 20 rows",
    );
}

#[test]
fn rows_without_a_target_are_left_out_with_a_warning() {
    let folder = Folder::new();
    folder.write("t.csv", good() + "1,2,\n3,4,NA\n");
    let run = folder.run("train t.csv --target class -o model.safetensors --epochs 2");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains("warning: 2 rows have no target and are left out\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_loss_that_does_not_fit_the_target_is_refused() {
    let folder = Folder::new();
    folder.write("t.csv", good() + "1,2,z\n2,3,z\n");
    let fails = |args: &str, message: &str| {
        folder.fails(&format!("train t.csv {args} {TRAIN}"), message);
    };
    fails(
        "--target class --loss binary",
        "t.csv, column \"class\": found 3 classes, expected 2 for a binary target; for more use \
         `--loss sparse`",
    );
    fails(
        "--target class --positive x",
        "the positive class is set to \"x\", expected none: the target is not binary, it has 3 \
         classes or labels",
    );
    fails(
        "--target a,b --loss sparse",
        "found 2 target columns, expected 1 for a sparse target; for one 0/1 column per class use \
         `--loss categorical`, for independent labels `--loss binary`",
    );
    let folder = good_folder();
    folder.fails(
        &format!("train t.csv --target class --positive X {TRAIN}"),
        "the positive class \"X\" is not one of the classes; did you mean \"x\"?",
    );
}
