use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array};
use expect_test::expect;

use super::categorical::Categorical;
use super::*;
use crate::cells::Cells;
use crate::rows::{Location, RowProblem, Rows};
use crate::schema::{ColumnKind, ColumnSchema, Schema};
use crate::table::{Table, text_table, typed_table};

fn schema(columns: &[(&str, ColumnKind)]) -> Schema {
    let column = |&(name, kind): &(&str, ColumnKind)| ColumnSchema {
        name: name.to_owned(),
        kind,
        reason: "as asked".to_owned(),
        missing: Vec::new(),
    };
    Schema {
        columns: columns.iter().map(column).collect(),
        missing: vec!["NA".to_owned(), "-999".to_owned()],
    }
}

fn fit_all(
    table: &Table,
    columns: &[(&str, ColumnKind)],
    config: &PreprocessConfig,
) -> Preprocessor {
    let training = vec![true; table.num_rows()];
    Preprocessor::fit(table, &schema(columns), config, &training).expect("fits")
}

fn one_column(values: &[&str]) -> Table {
    let rows: Vec<[&str; 1]> = values.iter().map(|value| [*value]).collect();
    let rows: Vec<&[&str]> = rows.iter().map(|row| row.as_slice()).collect();
    text_table("data.csv", &["x"], &rows)
}

/// Fits a column `x` of a kind to texts.
fn fit(kind: ColumnKind, values: &[&str]) -> Preprocessor {
    fit_all(&one_column(values), &[("x", kind)], &PreprocessConfig::default())
}

fn transformed(preprocessor: &Preprocessor, table: &Table) -> Transformed {
    let binding = preprocessor.bind(table.name(), table.columns()).expect("has the columns");
    let transformed = preprocessor.transform(&binding, &table.chunks()[0]);
    assert_eq!(written(preprocessor, table), transformed.features, "value by value");
    transformed
}

/// The matrix written value by value, by a binding to no table.
fn written(preprocessor: &Preprocessor, table: &Table) -> Vec<f32> {
    let own: Vec<String> = preprocessor.columns().map(str::to_owned).collect();
    let binding = preprocessor.bind("own", &own).expect("its own columns");
    let rows = &table.chunks()[0];
    let mut matrix = Vec::new();
    for row in 0..rows.batch.num_rows() {
        let mut out = vec![0.0; preprocessor.d_input()];
        let split = rows.problems.iter().all(|problem| problem.row != row);
        let written = own.iter().enumerate().try_for_each(|(feature, name)| {
            let column = table.column(name).expect("has the columns");
            let cell = Cells::new(rows.batch.column(column)).get(row);
            preprocessor.write(&binding, feature, cell, &mut out)
        });
        if !split || written.is_err() {
            out.fill(0.0);
        }
        matrix.extend(out);
    }
    matrix
}

fn matrix(preprocessor: &Preprocessor, values: &[&str]) -> Vec<f32> {
    let transformed = transformed(preprocessor, &one_column(values));
    assert_eq!(transformed.problems, []);
    transformed.features
}

fn message(preprocessor: &Preprocessor, value: &str) -> String {
    let transformed = transformed(preprocessor, &one_column(&[value]));
    assert!(transformed.features.iter().all(|value| *value == 0.0));
    transformed.problems[0].to_string()
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

const NUMBERS: [&str; 7] = ["0.5", "-3.25", "12", "7.5", "7.5", "100", "-0.125"];

// import numpy as np
// from sklearn.preprocessing import RobustScaler, StandardScaler
// x = np.array([0.5, -3.25, 12.0, 7.5, 7.5, 100.0, -0.125])[:, None]
// RobustScaler().fit(x).center_, RobustScaler().fit(x).scale_
// StandardScaler().fit(x).mean_, StandardScaler().fit(x).scale_
#[test]
fn scales_equal_those_of_scikit_learn() {
    let scale = |scaling| {
        let config = PreprocessConfig { scaling, ..Default::default() };
        let fitted = fit_all(&one_column(&NUMBERS), &[("x", ColumnKind::Numeric)], &config);
        match fitted.features[0].transform {
            Transform::Numeric(Numeric { scale: Some(scale), median: 7.5, .. }) => scale,
            ref other => panic!("{other:?}"),
        }
    };
    assert_eq!(scale(Scaling::Robust), Scale { center: 7.5, spread: 9.5625, clip: true });
    let standard = scale(Scaling::Standard);
    assert!((standard.center - 17.732_142_86).abs() < 1e-8);
    assert!((standard.spread - 33.946_019_95).abs() < 1e-8);
}

#[test]
fn numbers_are_centred_scaled_and_clipped() {
    let robust = fit(ColumnKind::Numeric, &["1", "2", "3", "4", "5"]);
    assert_eq!(robust.feature_names(), ["x"]);
    // 1 / sqrt(1 + 1/9)
    assert_close(
        &matrix(&robust, &["3", "5", "1", "1e300"]),
        &[0.0, 0.948_683_3, -0.948_683_3, 3.0],
    );

    let config = PreprocessConfig { scaling: Scaling::Standard, ..Default::default() };
    let table = one_column(&["2", "4", "4", "4", "5", "5", "7", "9"]);
    let standard = fit_all(&table, &[("x", ColumnKind::Numeric)], &config);
    // 2 / sqrt(1 + 4/9) and -1.5 / sqrt(1.25)
    assert_close(&matrix(&standard, &["5", "9", "2"]), &[0.0, 1.664_100_6, -1.341_640_8]);
}

#[test]
fn equal_quartiles_scale_by_half_the_range() {
    let fitted = fit(ColumnKind::Numeric, &["0", "0", "0", "0", "10"]);
    assert_close(&matrix(&fitted, &["0", "10"]), &[0.0, 1.664_100_6]);
}

#[test]
fn extreme_numbers_stay_finite() {
    let extremes = ["-1.7e308", "1.7e308", "1.7e308", "5e-324", "0", "-1e300"];
    for scaling in [Scaling::Robust, Scaling::Standard] {
        for values in [&extremes[..], &["0", "5e-324"], &["1e-200", "3e-200"], &["1e300", "2e300"]]
        {
            let config = PreprocessConfig { scaling, ..Default::default() };
            let fitted = fit_all(&one_column(values), &[("x", ColumnKind::Numeric)], &config);
            let matrix = matrix(&fitted, &extremes);
            assert!(matrix.iter().all(|value| value.abs() <= 3.0), "{values:?} {matrix:?}");
        }
    }
    let config = PreprocessConfig { scaling: Scaling::Standard, ..Default::default() };
    for [low, high] in [["1e-200", "3e-200"], ["1e300", "3e300"]] {
        let fitted = fit_all(&one_column(&[low, high]), &[("x", ColumnKind::Numeric)], &config);
        assert_close(&matrix(&fitted, &[low, high]), &[-0.948_683_3, 0.948_683_3]);
    }
}

#[test]
fn missing_number_is_the_median_and_marked() {
    let fitted = fit(ColumnKind::Numeric, &["1", "", "2", "9", "NA", "-999"]);
    assert_eq!(fitted.feature_names(), ["x", "x is missing"]);
    assert_eq!(matrix(&fitted, &["2", "", "NA", "-999.0"]), [0., 0., 0., 1., 0., 1., 0., 1.]);
    let never_missing = fit(ColumnKind::Numeric, &["1", "2", "9"]);
    assert_eq!(never_missing.d_input(), 1);
    assert_eq!(matrix(&never_missing, &[""]), [0.0]);
    // The mean of 0, 3 and 3 is 2: the median lies beside it.
    let config = PreprocessConfig { scaling: Scaling::Standard, ..Default::default() };
    let table = one_column(&["0", "3", "3"]);
    let standard = fit_all(&table, &[("x", ColumnKind::Numeric)], &config);
    assert_eq!(matrix(&standard, &[""]), matrix(&standard, &["3"]));
}

#[test]
fn constant_number_leaves_only_what_is_missing() {
    let fitted = fit(ColumnKind::Numeric, &["7", "", "7"]);
    assert_eq!(fitted.feature_names(), ["x is missing"]);
    assert_eq!(matrix(&fitted, &["7", "", "8"]), [0.0, 1.0, 0.0]);
}

#[test]
fn cells_that_are_no_numbers_are_problems() {
    let fitted = fit(ColumnKind::Numeric, &["1", "2", "3"]);
    for (text, expected) in [
        ("n/a", "line 2, column \"x\": \"n/a\" is not a number"),
        ("inf", "line 2, column \"x\": \"inf\" is not a number"),
        ("1e400", "line 2, column \"x\": \"1e400\" is outside the range of numbers"),
        ("-1e400", "line 2, column \"x\": \"-1e400\" is outside the range of numbers"),
    ] {
        assert_eq!(message(&fitted, text), expected);
    }
    let long = "é".repeat(1000);
    let expected = format!("line 2, column \"x\": \"{}…\" is not a number", "é".repeat(60));
    assert_eq!(message(&fitted, &long), expected);
}

#[test]
fn booleans_are_1_and_minus_1_however_written() {
    let fitted = fit(ColumnKind::Boolean, &["yes", "no"]);
    assert_eq!(fitted.feature_names(), ["x"]);
    let texts = ["TRUE", "False", "t", "F", "Yes", "NO", "y", "n", "1", "0", "", "NA"];
    let expected = [1., -1., 1., -1., 1., -1., 1., -1., 1., -1., 0., 0.];
    assert_eq!(matrix(&fitted, &texts), expected);
    expect![r#"line 2, column "x": "maybe" is neither true nor false"#]
        .assert_eq(&message(&fitted, "maybe"));
}

#[test]
fn text_for_missing_goes_before_what_it_says() {
    let mut schema = schema(&[("x", ColumnKind::Boolean)]);
    schema.columns[0].missing = vec!["N".to_owned()];
    let config = PreprocessConfig::default();
    let table = one_column(&["N", "Y", "Y"]);
    let fitted = Preprocessor::fit(&table, &schema, &config, &[true; 3]).expect("fits");
    assert_eq!(matrix(&fitted, &["N", "n", "Y"]), [0.0, -1.0, 1.0]);
    schema.columns[0].kind = ColumnKind::Categorical;
    let fitted = Preprocessor::fit(&table, &schema, &config, &[true; 3]).expect("fits");
    assert_eq!(fitted.feature_names(), ["x=Y", "x is missing"]);
    assert_eq!(matrix(&fitted, &["N", "Y", "n"]), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn few_categories_get_a_column_each() {
    let fitted = fit(ColumnKind::Categorical, &["b", " a ", "c", "b"]);
    assert_eq!(fitted.feature_names(), ["x=a", "x=b", "x=c"]);
    assert_eq!(matrix(&fitted, &["c", "a"]), [0., 0., 1., 1., 0., 0.]);
    assert_eq!(matrix(&fitted, &["new", "", "B"]), [0.0; 9]);
    let with_missing = fit(ColumnKind::Categorical, &["b", "a", "NA"]);
    assert_eq!(with_missing.feature_names(), ["x=a", "x=b", "x is missing"]);
    assert_eq!(matrix(&with_missing, &["b", "", "new"]), [0., 1., 0., 0., 0., 1., 0., 0., 0.]);
}

#[test]
fn two_categories_share_a_column() {
    let fitted = fit(ColumnKind::Categorical, &["male", "female", "male"]);
    assert_eq!(fitted.feature_names(), ["x=male"]);
    assert_eq!(matrix(&fitted, &["male", "female", "other", ""]), [1.0, -1.0, 0.0, 0.0]);
}

#[test]
fn many_categories_are_embedded_after_the_dense_columns() {
    let table = text_table(
        "data.csv",
        &["city", "age"],
        &[
            &["rome", "1"],
            &["oslo", "2"],
            &["oslo", "3"],
            &["lima", "1"],
            &["rome", "5"],
            &["", "1"],
        ],
    );
    let config = PreprocessConfig { one_hot_up_to: 2, ..Default::default() };
    let columns = [("city", ColumnKind::Categorical), ("age", ColumnKind::Numeric)];
    let fitted = fit_all(&table, &columns, &config);
    assert_eq!(fitted.feature_names(), ["age", "city"]);
    assert!(fitted.columns().eq(["city", "age"]));
    assert_eq!(fitted.d_input(), 2);
    // round(1.6 * 3^0.56) = round(2.96)
    assert_eq!(fitted.embeddings(), [Embedding { num_categories: 3, d_embedding: 3 }]);
    let indices: Vec<f32> =
        transformed(&fitted, &table).features.chunks_exact(2).map(|row| row[1]).collect();
    // lima is there only once.
    assert_eq!(indices, [2.0, 1.0, 1.0, 0.0, 2.0, 0.0]);
}

#[test]
fn embedding_keeps_the_most_frequent_categories() {
    let counts = [("d", 2), ("c", 9), ("b", 2), ("a", 5), ("e", 1)];
    let fit = |max_categories| {
        let counts = counts.iter().map(|(text, count)| ((*text).to_owned(), *count)).collect();
        let config = PreprocessConfig { one_hot_up_to: 0, max_categories, ..Default::default() };
        match categorical::fit(counts, false, &config) {
            Some(Categorical::Embedded(embedded)) => embedded.categories,
            _ => panic!("not embedded"),
        }
    };
    assert_eq!(fit(100), ["a", "b", "c", "d"]);
    assert_eq!(fit(3), ["a", "b", "c"]);
    assert_eq!(fit(1), ["c"]);
}

#[test]
fn typed_columns_mean_what_their_text_does() {
    let numbers: ArrayRef =
        Arc::new(Float64Array::from(vec![Some(3.0), Some(f64::NAN), Some(0.5), None]));
    let integers: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), Some(-999), Some(4), None]));
    let booleans: ArrayRef =
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None]));
    let typed = |array: &ArrayRef| typed_table("data.parquet", vec![("x", Arc::clone(array))]);

    let numbers_as_names = fit(ColumnKind::Categorical, &["3", "0.5", "", "7"]);
    let expected = [0., 1., 0., 0., 0., 0., 0., 1., 1., 0., 0., 0., 0., 0., 0., 1.];
    assert_eq!(numbers_as_names.feature_names(), ["x=0.5", "x=3", "x=7", "x is missing"]);
    assert_eq!(transformed(&numbers_as_names, &typed(&numbers)).features, expected);

    let integers_as_names = fit(ColumnKind::Categorical, &["3", "4"]);
    let found = transformed(&integers_as_names, &typed(&integers)).features;
    assert_eq!(found, [-1.0, 0.0, 1.0, 0.0]);
    let booleans_as_names = fit(ColumnKind::Categorical, &["true", "false"]);
    let found = transformed(&booleans_as_names, &typed(&booleans)).features;
    assert_eq!(found, [1.0, -1.0, 1.0, 0.0]);

    let number = fit(ColumnKind::Numeric, &["3", "-5", "0.5", ""]);
    for array in [&numbers, &integers, &booleans] {
        assert_eq!(transformed(&number, &typed(array)).problems, []);
    }
    let found = transformed(&number, &typed(&booleans)).features;
    assert_eq!(found, matrix(&number, &["1", "0", "1", ""]));
    let infinite: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::INFINITY]));
    expect![r#"row 2, column "x": inf is outside the range of numbers"#]
        .assert_eq(&transformed(&number, &typed(&infinite)).problems[0].to_string());

    let boolean = fit(ColumnKind::Boolean, &["yes", "no"]);
    assert_eq!(transformed(&boolean, &typed(&booleans)).features, [1.0, -1.0, 1.0, 0.0]);
    let two: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    expect![r#"row 2, column "x": 2 is neither true nor false"#]
        .assert_eq(&transformed(&boolean, &typed(&two)).problems[0].to_string());
}

#[test]
fn only_training_rows_move_constants() {
    let header = ["age", "member", "city"];
    let columns = [
        ("age", ColumnKind::Numeric),
        ("member", ColumnKind::Boolean),
        ("city", ColumnKind::Categorical),
    ];
    let training_rows: [&[&str]; 3] =
        [&["1", "yes", "rome"], &["4", "no", "oslo"], &["3", "no", "lima"]];
    let alone = text_table("data.csv", &header, &training_rows);
    let validation: [&[&str]; 3] =
        [&["1000", "", "paris"], &["", "yes", ""], &["not a number", "maybe", "paris"]];
    let with_validation = text_table(
        "data.csv",
        &header,
        &[
            training_rows[0],
            validation[0],
            training_rows[1],
            validation[1],
            training_rows[2],
            validation[2],
        ],
    );
    let config = PreprocessConfig::default();
    let from_all = Preprocessor::fit(
        &with_validation,
        &schema(&columns),
        &config,
        &[true, false, true, false, true, false],
    );
    let from_all = from_all.expect("fits");
    assert_eq!(from_all, fit_all(&alone, &columns, &config));

    let transformed = transformed(&from_all, &with_validation);
    assert_eq!(from_all.feature_names(), ["age", "member", "city=lima", "city=oslo", "city=rome"]);
    assert_eq!(transformed.features[2 * 5..][1..5], [-1.0, 0.0, 1.0, 0.0]);
    let problems: Vec<String> = transformed.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["line 7, column \"age\": \"not a number\" is not a number"]);
}

#[test]
fn chunks_make_no_difference() {
    let values = ["1", "7", "", "x", "2", "4", "y", "NA", "2"];
    let mut table = one_column(&values);
    let training: Vec<bool> = values.iter().map(|value| !["x", "y"].contains(value)).collect();
    let schema = schema(&[("x", ColumnKind::Numeric)]);
    let fit = |table: &Table| {
        Preprocessor::fit(table, &schema, &PreprocessConfig::default(), &training).expect("fits")
    };
    let whole = fit(&table);
    let expected = transformed(&whole, &table);
    let rows = table.chunks()[0].clone();
    table.set_chunks(
        [(0, 4), (4, 0), (4, 3), (7, 2)]
            .map(|(first_row, len)| Rows {
                batch: rows.batch.slice(first_row, len),
                first_row,
                lines: rows.lines[first_row..][..len].to_vec(),
                picked: Vec::new(),
                problems: Vec::new(),
            })
            .to_vec(),
    );
    assert_eq!(fit(&table), whole);
    let binding = whole.bind("data.csv", table.columns()).expect("has the column");
    let chunks = table.chunks().iter().map(|rows| whole.transform(&binding, rows));
    let (features, problems): (Vec<Vec<f32>>, Vec<Vec<RowProblem>>) =
        chunks.map(|transformed| (transformed.features, transformed.problems)).unzip();
    assert_eq!(features.concat(), expected.features);
    let shown =
        |problems: &[RowProblem]| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown(&problems.concat()), shown(&expected.problems));
    assert_eq!(expected.problems.len(), 2);
}

#[test]
fn bad_training_value_is_an_error_that_says_where() {
    let table = one_column(&["1", "2", "n/a"]);
    let schema = schema(&[("x", ColumnKind::Numeric)]);
    let error = Preprocessor::fit(&table, &schema, &PreprocessConfig::default(), &[true; 3]);
    expect![r#"data.csv line 4, column "x": "n/a" is not a number"#]
        .assert_eq(&error.expect_err("must be refused").to_string());
}

#[test]
fn rows_that_could_not_be_split_are_passed_over() {
    let header = ["a", "b"];
    let columns = [("a", ColumnKind::Numeric), ("b", ColumnKind::Numeric)];
    let mut table =
        text_table("data.csv", &header, &[&["1", "2"], &["", ""], &["3", "x"], &["5", "6"]]);
    let mut rows = table.chunks()[0].clone();
    rows.problems = vec![RowProblem {
        row: 1,
        location: Location::Line(3),
        column: None,
        message: "found 3 values, expected 2".to_owned(),
    }];
    table.set_chunks(vec![rows.clone()]);
    let config = PreprocessConfig::default();
    let fitted = Preprocessor::fit(&table, &schema(&columns), &config, &[true, true, false, true]);
    let fitted = fitted.expect("fits");
    assert_eq!(fitted.feature_names(), header);
    let binding = fitted.bind("data.csv", table.columns()).expect("has the columns");
    let transformed = fitted.transform(&binding, &rows);
    assert_eq!(transformed.features[2..6], [0.0; 4]);
    assert!(transformed.features[6] != 0.0 && transformed.features[7] != 0.0);
    assert_eq!(transformed.problems.len(), 1);
    expect![r#"line 4, column "b": "x" is not a number"#]
        .assert_eq(&transformed.problems[0].to_string());
}

#[test]
fn columns_without_information_are_left_out() {
    let header = ["same", "empty", "one", "flag", "key", "age", "id"];
    let columns = [
        ("same", ColumnKind::Numeric),
        ("empty", ColumnKind::Numeric),
        ("one", ColumnKind::Categorical),
        ("flag", ColumnKind::Boolean),
        ("key", ColumnKind::Categorical),
        ("age", ColumnKind::Numeric),
        ("id", ColumnKind::Ignored),
    ];
    let table = text_table(
        "data.csv",
        &header,
        &[&["7", "", "a", "yes", "k1", "1", "1"], &["7", "", "a", "yes", "k2", "2", "2"]],
    );
    let config = PreprocessConfig { one_hot_up_to: 1, ..Default::default() };
    let fitted = fit_all(&table, &columns, &config);
    assert!(fitted.columns().eq(["age"]));
    let error = Preprocessor::fit(&table, &schema(&columns[..5]), &config, &[true; 2]);
    expect!["data.csv: no column can serve as a feature: each has the same value in all training rows, or no category twice, or is not used"]
        .assert_eq(&error.expect_err("must be refused").to_string());
    let error = Preprocessor::fit(&table, &schema(&columns), &config, &[false; 2]);
    expect!["the dataset has no rows, expected at least 1"]
        .assert_eq(&error.expect_err("must be refused").to_string());
}

#[test]
fn columns_are_found_by_name() {
    let header = ["age", "height", "mass"];
    let columns = header.map(|name| (name, ColumnKind::Numeric));
    let table = text_table("data.csv", &header, &[&["1", "2", "3"], &["4", "5", "7"]]);
    let fitted = fit_all(&table, &columns, &PreprocessConfig::default());
    let reordered = text_table(
        "new.csv",
        &["mass", "note", "age", "height"],
        &[&["3", "x", "1", "2"], &["7", "y", "4", "5"]],
    );
    assert_eq!(transformed(&fitted, &reordered), transformed(&fitted, &table));
    let first = fitted.bind(table.name(), table.columns()).unwrap();
    let again = fitted.rebind(&first, reordered.name(), reordered.columns()).unwrap();
    let rows = &reordered.chunks()[0];
    assert_eq!(fitted.transform(&again, rows), transformed(&fitted, &table));

    let error = |columns: &[&str]| {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let error = fitted.bind("new.csv", &columns).expect_err("must be refused").to_string();
        let again = fitted.rebind(&first, "new.csv", &columns).expect_err("must be refused");
        assert_eq!(again.to_string(), error);
        error
    };
    expect![r#"new.csv: no column "height"; did you mean "Height"?"#]
        .assert_eq(&error(&["age", "Height", "mass"]));
    expect![r#"new.csv: no columns "age", "height" (did you mean "Height"?), "mass""#]
        .assert_eq(&error(&["Height", "x"]));
}

#[test]
fn json_holds_all_of_it() {
    let table = text_table(
        "data.csv",
        &["age", "member", "city", "zip"],
        &[
            &["1", "yes", "rome", "a"],
            &["", "no", "oslo", "b"],
            &["3", "no", "lima", "a"],
            &["8", "no", "", "c"],
        ],
    );
    let columns = [
        ("age", ColumnKind::Numeric),
        ("member", ColumnKind::Boolean),
        ("city", ColumnKind::Categorical),
        ("zip", ColumnKind::Categorical),
    ];
    for one_hot_up_to in [2, 3] {
        let config = PreprocessConfig { one_hot_up_to, ..Default::default() };
        let fitted = fit_all(&table, &columns, &config);
        let json = serde_json::to_string(&fitted).expect("serializes");
        let back: Preprocessor = serde_json::from_str(&json).expect("deserializes");
        assert_eq!(back, fitted);
        assert!(back.validate().is_ok());
    }
    let unknown = r#"{"missing": [], "features": [], "more": 1}"#;
    assert!(serde_json::from_str::<Preprocessor>(unknown).is_err());
    let config: PreprocessConfig = serde_json::from_str("{}").expect("all have defaults");
    assert_eq!(config, PreprocessConfig::default());
}

#[test]
fn a_scale_without_clipping_only_moves_and_stretches() {
    let scale = r#"{"center": 1.0, "spread": 0.5, "clip": false}"#;
    let scale: Scale = serde_json::from_str(scale).expect("deserializes");
    let numeric = Numeric { median: 1.0, scale: Some(scale), bins: None, missing_column: false };
    let written = |value| {
        let mut out = [0.0_f32];
        numeric.write(value, &mut out);
        out[0]
    };
    assert_eq!([Some(51.0), Some(-1.0), None].map(written), [100.0, -4.0, 0.0]);
    assert_eq!([Some(f64::MAX), Some(f64::MIN)].map(written), [f32::MAX, f32::MIN]);
    // Files that do not say it are of scales that clip, and those do not say it.
    let old: Scale = serde_json::from_str(r#"{"center":1.0,"spread":0.5}"#).expect("deserializes");
    assert_eq!(old, Scale { clip: true, ..scale });
    assert_eq!(serde_json::to_string(&old).expect("serializes"), r#"{"center":1.0,"spread":0.5}"#);
}

#[test]
fn what_a_file_may_get_wrong_is_refused() {
    let numeric = |median, center, spread| {
        let scale = Some(Scale { center, spread, clip: true });
        Transform::Numeric(Numeric { median, scale, bins: None, missing_column: false })
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let error = |transforms: Vec<Transform>| {
        let features = transforms.into_iter().map(|transform| Feature {
            name: "x".to_owned(),
            missing: Vec::new(),
            transform,
        });
        let preprocessor = Preprocessor { missing: Vec::new(), features: features.collect() };
        preprocessor.validate().expect_err("must be refused").to_string()
    };
    let embedded =
        |categories, d_embedding| Transform::Embedding(Embedded { categories, d_embedding });
    for (transforms, expected) in [
        (vec![], "d_input is 0, expected at least 1 feature"),
        (
            vec![Transform::Boolean, Transform::Boolean],
            "preprocessing of column \"x\": it is there twice",
        ),
        (
            vec![numeric(f64::NAN, 0.0, 1.0)],
            "preprocessing of column \"x\": median is NaN, expected a finite number",
        ),
        (
            vec![numeric(0.0, f64::INFINITY, 1.0)],
            "preprocessing of column \"x\": center is inf, expected a finite number",
        ),
        (
            vec![numeric(0.0, 0.0, 0.0)],
            "preprocessing of column \"x\": spread is 0, expected a finite number above 0",
        ),
        (
            vec![Transform::Numeric(Numeric {
                median: 0.0,
                scale: None,
                bins: None,
                missing_column: false,
            })],
            "preprocessing of column \"x\": it gives no column, expected 1 or 2",
        ),
        (
            vec![Transform::OneHot(OneHot {
                categories: names(&["b", "a", "b"]),
                missing_column: false,
            })],
            "preprocessing of column \"x\": category \"b\" is there twice",
        ),
        (
            vec![Transform::OneHot(OneHot { categories: names(&[]), missing_column: true })],
            "preprocessing of column \"x\": 0 categories, expected 1 to 1000000",
        ),
        (
            vec![embedded(names(&["a"]), 0)],
            "preprocessing of column \"x\": d_embedding is 0, expected 1 to 1024",
        ),
        (
            vec![embedded(names(&["a"]), 1 << 40)],
            "preprocessing of column \"x\": d_embedding is 1099511627776, expected 1 to 1024",
        ),
    ] {
        assert_eq!(error(transforms), expected);
    }
}

#[test]
fn config_is_checked() {
    let error =
        |config: PreprocessConfig| config.validate().expect_err("must be refused").to_string();
    assert!(PreprocessConfig::default().validate().is_ok());
    expect!["one_hot_up_to is 1001, expected 0 to 1000"]
        .assert_eq(&error(PreprocessConfig { one_hot_up_to: 1001, ..Default::default() }));
    expect!["max_categories is 0, expected 1 to 1000000"]
        .assert_eq(&error(PreprocessConfig { max_categories: 0, ..Default::default() }));
}
