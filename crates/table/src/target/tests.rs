use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array};
use expect_test::expect;

use kiln_data::Targets;

use super::form::MAX_CLASSES;
use super::*;
use crate::error::TableError;
use crate::rows::RowProblem;
use crate::table::Table;
use crate::table::{text_table, typed_table};

fn one_column(values: &[&str]) -> Table {
    let rows: Vec<[&str; 1]> = values.iter().map(|value| [*value]).collect();
    let rows: Vec<&[&str]> = rows.iter().map(|row| row.as_slice()).collect();
    text_table("data.csv", &["y"], &rows)
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn try_fit(
    table: &Table,
    kind: TargetKind,
    positive: Option<&str>,
) -> Result<TargetEncoder, TableError> {
    TargetEncoder::fit(table, table.columns(), kind, positive, &strings(&["NA"]))
}

fn fit(table: &Table, kind: TargetKind) -> TargetEncoder {
    let encoder = try_fit(table, kind, None).expect("fits");
    assert!(encoder.validate().is_ok());
    encoder
}

fn fit_error(table: &Table, kind: TargetKind) -> String {
    try_fit(table, kind, None).expect_err("must be refused").to_string()
}

fn classes_of(values: &[&str]) -> Vec<String> {
    fit(&one_column(values), TargetKind::Auto).classes().to_vec()
}

#[test]
fn two_classes_are_binary_and_missing_targets_are_not_kept() {
    let table = one_column(&["yes", "no", "", "yes", "NA"]);
    for kind in [TargetKind::Auto, TargetKind::Binary] {
        let encoder = fit(&table, kind);
        let classes = ["no", "yes"].map(str::to_owned);
        assert_eq!(*encoder.form(), TargetForm::Binary { classes });
        assert_eq!(
            encoder.encode(&table).expect("encodes"),
            EncodedTargets {
                targets: Targets::Classes { indices: vec![1, 0, 1], num_classes: 2 },
                kept: vec![true, true, false, true, false],
            }
        );
    }
}

#[test]
fn positive_class_can_be_named() {
    let table = one_column(&["sick", "well", "sick"]);
    let fit = |positive| try_fit(&table, TargetKind::Auto, Some(positive));
    assert_eq!(fit("sick").expect("fits").classes(), ["well", "sick"]);
    assert_eq!(fit("well").expect("fits").classes(), ["sick", "well"]);
    expect![r#"the positive class "Sick" is not one of the classes; did you mean "sick"?"#]
        .assert_eq(&fit("Sick").expect_err("must be refused").to_string());
    expect![r#"the positive class "1" is not one of the classes; there are sick, well"#]
        .assert_eq(&fit("1").expect_err("must be refused").to_string());
    expect![r#"the positive class is set to "sick", expected none: the target is not binary, it has 2 classes or labels"#]
        .assert_eq(&try_fit(&table, TargetKind::Sparse, Some("sick")).expect_err("must be refused").to_string());
}

#[test]
fn more_classes_are_sparse_or_one_hot() {
    let table = one_column(&["b", "a", "c", "b"]);
    let encoder = fit(&table, TargetKind::Auto);
    assert_eq!(*encoder.form(), TargetForm::Sparse { classes: strings(&["a", "b", "c"]) });
    assert_eq!(
        encoder.encode(&table).expect("encodes").targets,
        Targets::Classes { indices: vec![1, 0, 2, 1], num_classes: 3 }
    );
    assert_eq!(
        fit(&table, TargetKind::Categorical).encode(&table).expect("encodes").targets,
        Targets::Dense { values: vec![0., 1., 0., 1., 0., 0., 0., 0., 1., 0., 1., 0.], width: 3 }
    );
    expect![r#"data.csv, column "y": found 3 classes, expected 2 for a binary target"#]
        .assert_eq(&fit_error(&table, TargetKind::Binary));
    let two = one_column(&["b", "a", "b"]);
    assert_eq!(
        *fit(&two, TargetKind::Sparse).form(),
        TargetForm::Sparse { classes: strings(&["a", "b"]) }
    );
}

#[test]
fn classes_are_sorted_as_numbers_only_where_all_are() {
    assert_eq!(classes_of(&["10", "9", "-1", "9"]), ["-1", "9", "10"]);
    assert_eq!(classes_of(&["10", "9", "x", "9"]), ["10", "9", "x"]);
}

#[test]
fn typed_classes_are_named_by_their_text() {
    let fit_typed = |array: ArrayRef| {
        let table = typed_table("data.parquet", vec![("y", array)]);
        let encoder = fit(&table, TargetKind::Auto);
        let Targets::Classes { indices, .. } = encoder.encode(&table).expect("encodes").targets
        else {
            panic!("classes are expected");
        };
        (encoder.classes().to_vec(), indices)
    };
    let expected = (strings(&["2", "10"]), vec![1, 0, 1]);
    assert_eq!(fit_typed(Arc::new(Int64Array::from(vec![10, 2, 10]))), expected);
    let numbers = vec![Some(10.0), Some(2.0), None, Some(f64::NAN), Some(10.0)];
    assert_eq!(fit_typed(Arc::new(Float64Array::from(numbers))), expected);
    let booleans = Arc::new(BooleanArray::from(vec![true, false, true]));
    assert_eq!(fit_typed(booleans), (strings(&["false", "true"]), vec![1, 0, 1]));
}

#[test]
fn targets_that_cannot_be_learnt_are_refused() {
    let error = |values: &[&str]| fit_error(&one_column(values), TargetKind::Auto);
    expect![
        r#"data.csv, column "y": found only the class "a" in 2 rows, expected at least two classes"#
    ]
    .assert_eq(&error(&["a", "a", ""]));
    expect![r#"data.csv, column "y": the target is missing in all 2 rows"#]
        .assert_eq(&error(&["", "NA"]));
    expect![r#"data.csv, column "y": each of the 3 rows has a class of its own, expected classes with several rows"#]
        .assert_eq(&error(&["a", "c", "b"]));

    let repeated = |values: usize, step: f64, times: usize| {
        let texts: Vec<String> = (0..values).map(|i| (i as f64 * step).to_string()).collect();
        let texts: Vec<&str> =
            texts.iter().flat_map(|text| std::iter::repeat_n(text.as_str(), times)).collect();
        try_fit(&one_column(&texts), TargetKind::Auto, None).map_err(|error| error.to_string())
    };
    let quantity = |distinct, rows| {
        format!(
            "data.csv, column \"y\": the target has {distinct} different numbers in {rows} rows; \
             kiln trains classifiers and cannot predict a quantity"
        )
    };
    assert_eq!(repeated(21, 0.5, 10), Err(quantity(21, 210)));
    assert_eq!(repeated(30, 1.0, 1), Err(quantity(30, 30)));
    assert!(repeated(20, 0.5, 10).is_ok());
    assert!(repeated(100, 1.0, 2).is_ok());

    let names: Vec<String> = (0..=MAX_CLASSES).map(|i| format!("c{i}")).collect();
    let twice: Vec<&str> = names.iter().chain(&names).map(String::as_str).collect();
    expect!["data.csv: found 10001 classes, expected at most 10000"].assert_eq(&error(&twice));
}

#[test]
fn class_not_seen_when_fitting_is_an_error_that_says_where() {
    let encoder = fit(&one_column(&["a", "b", "c", "a"]), TargetKind::Auto);
    let error = |values: &[&str]| {
        encoder.encode(&one_column(values)).expect_err("must be refused").to_string()
    };
    expect![r#"data.csv line 3, column "y": "x" is not one of the classes a, b, c"#]
        .assert_eq(&error(&["a", "x"]));
    expect![r#"data.csv, column "y": the target is missing in all 1 rows"#]
        .assert_eq(&error(&[""]));
    let names: Vec<String> = (0..12).map(|i| format!("c{i:02}")).collect();
    let twice: Vec<&str> = names.iter().chain(&names).map(String::as_str).collect();
    let many = fit(&one_column(&twice), TargetKind::Auto);
    expect![r#"data.csv line 2, column "y": "x" is not one of the classes c00, c01, c02, c03, c04, c05, c06, c07, c08, c09 and 2 more"#]
        .assert_eq(&many.encode(&one_column(&["x"])).expect_err("must be refused").to_string());
    let other = text_table("new.csv", &["Y"], &[&["a"]]);
    expect![r#"new.csv: no column "y"; did you mean "Y"?"#]
        .assert_eq(&encoder.encode(&other).expect_err("must be refused").to_string());
}

#[test]
fn columns_with_one_1_each_are_classes_and_others_are_labels() {
    let one_hot = text_table("data.csv", &["a", "b"], &[&["1", "0"], &["", "1"], &["0.0", "true"]]);
    let encoder = fit(&one_hot, TargetKind::Auto);
    assert_eq!(
        (encoder.form(), encoder.classes()),
        (&TargetForm::OneHot, &strings(&["a", "b"])[..])
    );
    assert_eq!(
        encoder.encode(&one_hot).expect("encodes"),
        EncodedTargets {
            targets: Targets::Dense { values: vec![1.0, 0.0, 0.0, 1.0], width: 2 },
            kept: vec![true, false, true],
        }
    );
    assert_eq!(*fit(&one_hot, TargetKind::Binary).form(), TargetForm::Labels);

    let labels = text_table("data.csv", &["a", "b"], &[&["1", "1"], &["0", "1"], &["0", "0"]]);
    let encoder = fit(&labels, TargetKind::Auto);
    assert_eq!(*encoder.form(), TargetForm::Labels);
    assert_eq!(
        encoder.encode(&labels).expect("encodes").targets,
        Targets::Dense { values: vec![1.0, 1.0, 0.0, 1.0, 0.0, 0.0], width: 2 }
    );
    expect!["data.csv line 2: the targets sum to 2, expected 1"]
        .assert_eq(&fit_error(&labels, TargetKind::Categorical));
    expect!["found 2 target columns, expected 1 for a sparse target"]
        .assert_eq(&fit_error(&labels, TargetKind::Sparse));
    expect![r#"the positive class is set to "a", expected none: the target is not binary, it has 2 classes or labels"#]
        .assert_eq(&try_fit(&labels, TargetKind::Auto, Some("a")).expect_err("must be refused").to_string());
}

#[test]
fn probabilities_are_normalised() {
    let table = text_table("data.csv", &["a", "b"], &[&["0.25", "0.7505"], &["1", "0"]]);
    let Targets::Dense { values, width: 2 } =
        fit(&table, TargetKind::Categorical).encode(&table).expect("encodes").targets
    else {
        panic!("dense targets are expected");
    };
    assert!((values[0] - 0.249_875_06).abs() < 1e-7 && (values[1] - 0.750_124_94).abs() < 1e-7);
    assert_eq!(values[2..], [1.0, 0.0]);
    expect![r#"data.csv line 2, column "a": "0.25" is neither 0 nor 1"#]
        .assert_eq(&fit_error(&table, TargetKind::Auto));
    let error = |row: [&str; 2]| {
        fit_error(&text_table("data.csv", &["a", "b"], &[&row]), TargetKind::Categorical)
    };
    expect!["data.csv line 2: the targets sum to 0.3, expected 1"]
        .assert_eq(&error(["0.1", "0.2"]));
    expect![r#"data.csv line 2, column "a": "-0.5" is not a number from 0 to 1"#]
        .assert_eq(&error(["-0.5", "1.5"]));
    expect![r#"data.csv line 2, column "b": "x" is not a number from 0 to 1"#]
        .assert_eq(&error(["1", "x"]));
    expect![r#"data.csv, column "a": the target is missing in all 1 rows"#]
        .assert_eq(&error(["", "1"]));
}

#[test]
fn target_columns_are_checked() {
    let table = one_column(&["a", "b", "a"]);
    let error = |columns: &[&str]| {
        let fitted = TargetEncoder::fit(&table, &strings(columns), TargetKind::Auto, None, &[]);
        fitted.expect_err("must be refused").to_string()
    };
    expect!["the target columns are none, expected at least 1, all different"]
        .assert_eq(&error(&[]));
    expect!["the target columns are y, y, expected at least 1, all different"]
        .assert_eq(&error(&["y", "y"]));
    expect![r#"data.csv: no column "z"; there are y"#].assert_eq(&error(&["z"]));
}

#[test]
fn rows_that_could_not_be_split_are_not_kept() {
    let mut table = one_column(&["a", "", "b", "a"]);
    let mut rows = table.chunks()[0].clone();
    rows.problems = vec![RowProblem {
        row: 2,
        location: rows.location(2),
        column: None,
        message: "found 3 values, expected 1".to_owned(),
    }];
    let encoder = fit(&table, TargetKind::Auto);
    table.set_chunks(vec![rows]);
    assert_eq!(encoder.encode(&table).expect("encodes").kept, [true, false, false, true]);
}

#[test]
fn json_holds_all_of_it() {
    let columns = text_table("data.csv", &["a", "b"], &[&["1", "0"], &["1", "1"]]);
    for encoder in [
        fit(&one_column(&["a", "b", "a"]), TargetKind::Auto),
        fit(&one_column(&["a", "b", "c", "a"]), TargetKind::Sparse),
        fit(&one_column(&["a", "b", "c", "a"]), TargetKind::Categorical),
        fit(&columns, TargetKind::Auto),
    ] {
        let json = serde_json::to_string(&encoder).expect("serializes");
        let back: TargetEncoder = serde_json::from_str(&json).expect("deserializes");
        assert_eq!(back, encoder);
    }
}

#[test]
fn what_a_file_may_get_wrong_is_refused() {
    let sparse = |classes: &[&str]| TargetForm::Sparse { classes: strings(classes) };
    let binary = |classes: [&str; 2]| TargetForm::Binary { classes: classes.map(str::to_owned) };
    for (columns, form, expected) in [
        (&[][..], sparse(&["a", "b"]), "found 0 target columns, expected 1"),
        (&["x", "y"], sparse(&["a", "b"]), "found 2 target columns, expected 1"),
        (&["x"], TargetForm::Labels, "found 1 target columns, expected 2 or more"),
        (&["x", "x"], TargetForm::OneHot, "two target columns have the same name"),
        (&["x"], sparse(&["a"]), "found 1 classes, expected 2 to 10000"),
        (&["x"], binary(["a", "a"]), "two classes have the same name"),
    ] {
        let encoder = TargetEncoder { columns: strings(columns), form, missing: Vec::new() };
        assert_eq!(
            encoder.validate().expect_err("must be refused").to_string(),
            format!("target classes: {expected}")
        );
    }
}
