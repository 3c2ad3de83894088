//! Flags and TOML files that make no sense.

use crate::common::{Folder, good};

const TRAIN: &str = "train good.csv --target class -o m.safetensors -q";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("good.csv", good());
    folder
}

#[test]
fn a_wrong_toml_file_is_said_by_line_and_column() {
    let folder = folder();
    let fails = |toml: &str, message: &str| {
        folder.write("run.toml", toml);
        folder.fails_with(2, &format!("{TRAIN} --config run.toml"), message);
    };
    fails(
        "epochs = 3\nlerning_rate = 0.1\n",
        "run.toml line 2, column 1: unknown key `lerning_rate`; did you mean `learning_rate`?",
    );
    fails(
        "epochs = \"x\"\n",
        "run.toml line 1, column 10: invalid type: string \"x\", expected a whole number, 0 or more",
    );
    fails("epochs = = 2\n", "run.toml line 1, column 10: extra `=`, expected nothing");
    folder.fails(
        &format!("{TRAIN} --config none.toml"),
        "cannot read none.toml: No such file or directory (os error 2)",
    );
}

#[test]
fn settings_out_of_range_are_wrong_usage() {
    let folder = folder();
    let fails = |args: &str, message: &str| {
        folder.fails_with(2, &format!("{TRAIN} {args}"), message);
    };
    fails(
        "--optimizer adma",
        "`optimizer` is \"adma\", expected sgd, momentum, nesterov, adam, adamw, rmsprop, adagrad \
         or adan",
    );
    fails("--epochs 0", "`epochs` is 0, expected at least 1");
    fails("--dropout 1", "`dropout` is 1, expected a fraction in [0, 1)");
    fails("--input-dropout 1", "`input_dropout` is 1, expected a fraction in [0, 1)");
    fails("--valid-fraction 2", "`valid_fraction` is 2, expected a number from 0 to below 1");
    fails(
        "--valid-fraction 0 --patience 3",
        "`patience` needs validation rows, and there are none",
    );
    fails("--class-weights 1,2,3", "found 3 class weights, expected one for each of x, y");
}

#[test]
fn a_table_too_small_to_hold_rows_out_says_what_helps() {
    let folder = folder();
    folder.write("good.csv", "a,class\n1,x\n2,y\n3,x\n");
    folder.fails(
        TRAIN,
        "holding out 0.15 of 3 rows takes 0 of them, expected 1 or more to be taken and 1 or more to \
         stay; `--valid-fraction` sets the share, and 0 trains without validation rows",
    );
    folder.succeeds(&format!("{TRAIN} --valid-fraction 0 --epochs 2"));
}

#[test]
fn columns_named_by_flags_must_be_there_and_have_one_use() {
    let folder = folder();
    let fails = |args: &str, message: &str| folder.fails(&format!("{TRAIN} {args}"), message);
    fails("--valid none.csv", "none.csv: no such file");
    fails("--ignore q", "good.csv: no column \"q\"; there are a, b, class");
    fails(
        "--weight class",
        "column \"class\" is named as target and as weight, expected one use of it",
    );
    folder.write("good.csv", good().replacen("0.00", "-1", 1));
    fails(
        "--weight a",
        "good.csv line 2, column \"a\": weight is \"-1\", expected a finite number, 0 or more",
    );
}

#[test]
fn folds_are_at_least_two_and_at_most_the_rows() {
    let folder = folder();
    for count in [1, 61] {
        folder.fails(
            &format!("cross-validate good.csv --target class --folds {count} --epochs 2 -q"),
            &format!("found {count} folds, expected 2 to 60, the number of rows"),
        );
    }
}
