//! From a file to the use of each of its columns: small cases, and thirteen real tables.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use expect_test::expect;
use kiln_table::{
    ColumnKind, Format, Profiler, ReadOptions, Schema, SchemaOptions, Table, TableError,
    TableReader, Warning, WarningKind, infer_schema, target_warnings,
};

fn schema_of(table: &Table, options: &SchemaOptions) -> Result<(Schema, Vec<Warning>), TableError> {
    let mut profiler = Profiler::new(table.columns(), &options.missing_texts());
    table.chunks().iter().for_each(|rows| profiler.push(rows));
    infer_schema(table.name(), &profiler.finish(), options)
}

fn table(text: &str) -> Table {
    let input = Cursor::new(text.to_owned());
    let options = ReadOptions::default();
    Table::from_reader(TableReader::from_reader(input, "t.csv", &options).unwrap()).unwrap()
}

/// A table of some rows, each cell written by a function of the row.
fn column(rows: usize, name: &str, cell: impl Fn(usize) -> String) -> Table {
    let mut text = format!("{name},other\n");
    for row in 0..rows {
        text += &format!("\"{}\",{}\n", cell(row), row % 3);
    }
    table(&text)
}

/// Kind, reason and warnings of the first column.
fn found(table: &Table, options: &SchemaOptions) -> (ColumnKind, String, Vec<String>) {
    let (schema, warnings) = schema_of(table, options).unwrap();
    let first = &schema.columns[0];
    (first.kind, first.reason.clone(), warnings.iter().map(Warning::to_string).collect())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn each_kind_is_found_from_the_values() {
    let plain = |rows, cell: fn(usize) -> String| {
        found(&column(rows, "x", cell), &SchemaOptions::default())
    };
    let expected = |kind, reason: &str| (kind, reason.to_owned(), Vec::new());
    assert_eq!(
        plain(30, |row| format!("{}", (row * row) % 7)),
        expected(ColumnKind::Numeric, "all 30 values are numbers")
    );
    assert_eq!(
        plain(30, |row| ["red", "blue", "NA"][row % 3].to_owned()),
        expected(ColumnKind::Categorical, "2 different values")
    );
    assert_eq!(
        plain(30, |row| ["Yes", "no", ""][row % 3].to_owned()),
        expected(ColumnKind::Boolean, "only Yes, no")
    );
    assert_eq!(
        plain(30, |row| ["true", "FALSE", "True"][row % 3].to_owned()),
        expected(ColumnKind::Boolean, "only FALSE, True, true")
    );
    assert_eq!(
        plain(30, |row| ["true", "no"][row % 2].to_owned()),
        expected(ColumnKind::Categorical, "2 different values")
    );
    assert_eq!(
        plain(30, |row| if row == 0 { "-".into() } else { String::new() }),
        expected(ColumnKind::Ignored, "always \"-\"")
    );
    assert_eq!(
        plain(30, |row| ["?", "NA"][row % 2].to_owned()),
        expected(ColumnKind::Ignored, "every value is missing")
    );
    // All different, but with gaps between them.
    assert_eq!(
        plain(30, |row| format!("{}", row * 2)),
        expected(ColumnKind::Numeric, "all 30 values are numbers")
    );
}

#[test]
fn what_looks_wrong_is_said() {
    let plain = |rows, cell: fn(usize) -> String| {
        found(&column(rows, "x", cell), &SchemaOptions::default())
    };
    let expected = |kind, reason: &str, warning: &str| {
        (kind, reason.to_owned(), vec![format!("column \"x\": {warning}")])
    };
    let stray = column(100, "x", |row| match row {
        7 => "n.a.".into(),
        9 => "none".into(),
        _ => format!("{}", row % 10),
    });
    assert_eq!(
        found(&stray, &SchemaOptions::default()),
        expected(
            ColumnKind::Numeric,
            "98 of 100 values are numbers, the others missing",
            "\"n.a.\" (line 9), \"none\" among numbers: taken for missing"
        )
    );
    let (schema, _) = schema_of(&stray, &SchemaOptions::default()).unwrap();
    assert_eq!(schema.columns[0].missing, ["n.a.", "none"]);
    assert_eq!(
        plain(30, |row| format!("{}", 100 - row)),
        expected(
            ColumnKind::Ignored,
            "successive whole numbers",
            "counts the rows, so it is left out"
        )
    );
    assert_eq!(
        plain(30, |row| format!("name {row}")),
        expected(
            ColumnKind::Ignored,
            "nearly every value is different",
            "30 different texts in 30 values name the rows, so it is left out"
        )
    );
    assert_eq!(
        plain(30, |row| format!("{},5", row % 3)),
        expected(
            ColumnKind::Categorical,
            "3 different values",
            "\"0,5\" looks like a number with a decimal comma, expected a point; such values are \
             taken for names"
        )
    );
    assert_eq!(
        plain(30, |row| format!("0x{}", row % 3)),
        expected(
            ColumnKind::Categorical,
            "3 different values",
            "\"0x0\" looks like a hexadecimal number, expected a decimal one; such values are taken \
             for names"
        )
    );
}

#[test]
fn options_come_before_what_is_found() {
    let table = table("id,age,city,y,w,f\n1,30,a,x,1,0\n2,40,b,z,1,1\n");
    let mut options = SchemaOptions {
        target: names(&["y"]),
        weight: Some("w".to_owned()),
        fold: Some("f".to_owned()),
        categorical: names(&["age"]),
        numeric: names(&["id"]),
        ignore: names(&["city"]),
        missing: Some(names(&["-"])),
    };
    let (schema, warnings) = schema_of(&table, &options).unwrap();
    use ColumnKind::{Categorical, Ignored, Numeric, Target, Weight};
    let kinds: Vec<_> = schema.columns.iter().map(|column| column.kind).collect();
    assert_eq!(kinds, [Numeric, Categorical, Ignored, Target, Weight, Ignored]);
    assert!(schema.columns.iter().all(|column| column.reason == "as asked"));
    assert_eq!((schema.missing, warnings), (names(&["-"]), Vec::new()));

    let refused = |options: &SchemaOptions| schema_of(&table, options).unwrap_err().to_string();
    options.ignore = names(&["city", "age"]);
    expect![r#"column "age" is named as categorical and as ignore, expected one use of it"#]
        .assert_eq(&refused(&options));
    options.ignore = names(&["citi"]);
    expect![r#"t.csv: no column "citi"; did you mean "city"?"#].assert_eq(&refused(&options));
    options.categorical.clear();
    options.numeric.clear();
    options.ignore = names(&["id", "age", "city"]);
    expect![r#"t.csv: no features are left; not used are "id" (as asked), "age" (as asked), "city" (as asked), "f" (as asked)"#]
        .assert_eq(&refused(&options));
}

#[test]
fn a_number_that_is_not_finite_is_refused() {
    let refused = |text: &str, options: &SchemaOptions| {
        schema_of(&table(text), options).unwrap_err().to_string()
    };
    expect![r#"t.csv line 3, column "x": "1e400" is not finite, expected a finite number"#]
        .assert_eq(&refused("x,y\n1,a\n1e400,b\n-inf,b\n", &SchemaOptions::default()));
}

#[test]
fn copies_of_rows_and_columns_that_give_the_target_away_are_found() {
    let mut text = "label,code,price,size,honest\n".to_owned();
    for row in 0..60 {
        let class = row % 3;
        let code = ["r", "g", "b"][class];
        text += &format!("c{class},{code},{},{},{}\n", 10 * class + row / 12, class, row % 7);
    }
    text += "c0,r,0,0,0\nc0,r,0,0,0\n";
    let table = table(&text);
    let options = SchemaOptions { target: names(&["label"]), ..SchemaOptions::default() };
    let (schema, warnings) = schema_of(&table, &options).unwrap();
    assert_eq!(warnings, []);
    let warnings = target_warnings(&table, &schema);
    let kinds: Vec<WarningKind> = warnings.iter().map(|warning| warning.kind).collect();
    use WarningKind::{CopiedRows, TargetLeak};
    assert_eq!(kinds, [CopiedRows, TargetLeak, TargetLeak, TargetLeak]);
    let warnings: Vec<_> = warnings.iter().map(Warning::to_string).collect();
    let away = |name: &str| {
        format!(
            "column {name:?}: alone tells the class of every row, so it may give the target away"
        )
    };
    assert_eq!(
        warnings,
        [
            "2 of 62 rows are copies of earlier ones, class included; where a copy is held out, its \
             score says little",
            &away("code"),
            &away("price"),
            &away("size"),
        ]
    );

    let two = SchemaOptions { target: names(&["label", "code"]), ..SchemaOptions::default() };
    assert_eq!(target_warnings(&table, &schema_of(&table, &two).unwrap().0), []);
}

/// The folder of the thirteen tables, if it is there.
fn tables() -> Option<PathBuf> {
    let folder = match std::env::var_os("KILN_TABULAR_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tabular"),
    };
    let there = folder.join("index.json").exists();
    if !there {
        eprintln!("skipped: no tables in {}", folder.display());
    }
    there.then_some(folder)
}

#[test]
fn the_thirteen_tables_are_understood() {
    let Some(folder) = tables() else { return };
    let index = std::fs::read_to_string(folder.join("index.json")).unwrap();
    let index: Vec<serde_json::Value> = serde_json::from_str(&index).unwrap();
    assert_eq!(index.len(), 13);
    for entry in &index {
        let name = entry["name"].as_str().unwrap();
        let path = folder.join(entry["file"].as_str().unwrap());
        let reader = TableReader::open(&path, &ReadOptions::default()).unwrap();
        let header = entry["header"].as_bool().unwrap();
        assert_eq!(reader.format(), &Format::Csv { delimiter: b',', header }, "{name}");
        let table = Table::from_reader(reader).unwrap();
        let size = |key: &str| entry[key].as_u64().unwrap() as usize;
        assert_eq!(table.num_rows(), size("rows"), "{name}");
        assert_eq!(table.columns().len(), size("features") + 1, "{name}");

        let target = match &entry["target"] {
            serde_json::Value::String(name) => name.clone(),
            index => table.columns()[index.as_u64().unwrap() as usize].clone(),
        };
        let ignore = entry["ignore"].as_array().unwrap().iter();
        let options = SchemaOptions {
            target: vec![target],
            ignore: ignore.map(|name| name.as_str().unwrap().to_owned()).collect(),
            ..SchemaOptions::default()
        };
        let (schema, warnings) = schema_of(&table, &options).unwrap();
        let count = |kinds: &[ColumnKind]| {
            schema.columns.iter().filter(|column| kinds.contains(&column.kind)).count()
        };
        use ColumnKind::{Boolean, Categorical, Numeric};
        assert_eq!(count(&[Categorical, Boolean]), size("categorical_count"), "{name}");
        // One column of ionosphere is always 0.
        let constant = usize::from(name == "ionosphere");
        assert_eq!(
            count(&[Categorical, Boolean, Numeric]),
            size("features_used") - constant,
            "{name}"
        );
        assert_eq!(warnings, [], "{name}");
        for warning in target_warnings(&table, &schema) {
            assert_eq!(warning.column, None, "{name}: {warning}");
        }
    }
}
