//! What holds for all data, tried on random ones.

use std::io::Cursor;

use kiln_table::{
    OneHot, PreprocessConfig, Preprocessor, Profiler, ReadOptions, Scaling, SchemaOptions, Table,
    TableReader, Transform, infer_schema,
};
use proptest::{collection::vec, prelude::*};

/// A table with a column of numbers and one of names.
fn table(numbers: &[f64], names: &[u8]) -> Table {
    let rows = numbers.iter().zip(names);
    let rows: String = rows.map(|(number, name)| format!("{number:?},n{name},y\n")).collect();
    let input = Cursor::new(format!("number,name,target\n{rows}"));
    let options = ReadOptions { delimiter: Some(b','), header: Some(true), ..Default::default() };
    Table::from_reader(TableReader::from_reader(input, "t.csv", &options).unwrap()).unwrap()
}

fn fitted(table: &Table, scaling: Scaling) -> Preprocessor {
    let options = SchemaOptions {
        target: vec!["target".to_owned()],
        categorical: vec!["name".to_owned()],
        numeric: vec!["number".to_owned()],
        ..SchemaOptions::default()
    };
    let mut profiler = Profiler::new(table.columns(), &options.missing_texts());
    table.chunks().iter().for_each(|rows| profiler.push(rows));
    let (schema, _) = infer_schema(table.name(), &profiler.finish(), &options).unwrap();
    let config = PreprocessConfig { scaling, ..PreprocessConfig::default() };
    Preprocessor::fit(table, &schema, &config, &vec![true; table.num_rows()]).unwrap()
}

fn matrix(preprocessor: &Preprocessor, table: &Table) -> Vec<f32> {
    let binding = preprocessor.bind(table.name(), table.columns()).unwrap();
    let chunks = table.chunks().iter();
    chunks.flat_map(|rows| preprocessor.transform(&binding, rows).features).collect()
}

proptest! {
    #[test]
    fn preprocessing_can_be_undone(
        numbers in vec(-1e6..1e6, 8..60),
        names in vec(0..5_u8, 60),
        standard: bool,
    ) {
        let table = table(&numbers, &names);
        let scaling = if standard { Scaling::Standard } else { Scaling::Robust };
        let preprocessor = fitted(&table, scaling);
        let (matrix, width) = (matrix(&preprocessor, &table), preprocessor.d_input());
        let mut first = 0;
        for feature in preprocessor.features() {
            match &feature.transform {
                Transform::Numeric(numeric) => {
                    let scale = numeric.scale.expect("random numbers differ");
                    for (row, number) in matrix.chunks_exact(width).zip(&numbers) {
                        let clipped = f64::from(row[first]);
                        prop_assert!(clipped.abs() <= 3.0);
                        // Near the ends of [-3, 3] f32 no longer tells one number from the next.
                        if clipped.abs() < 2.9 {
                            let z = clipped / (1.0 - (clipped / 3.0).powi(2)).sqrt();
                            let found = z * scale.spread + scale.center;
                            let size = scale.spread + number.abs() + scale.center.abs();
                            prop_assert!((found - number).abs() < 1e-4 * size, "{found} {number}");
                        }
                    }
                    first += 1;
                }
                Transform::OneHot(OneHot { categories, .. }) => {
                    // Two are one column of -1 and 1.
                    let width_of = if categories.len() == 2 { 1 } else { categories.len() };
                    let end = first + width_of;
                    for (row, name) in matrix.chunks_exact(width).zip(&names) {
                        let hot = row[first..end].iter().position(|value| *value == 1.0);
                        let found = if width_of == 1 { usize::from(hot.is_some()) } else { hot.unwrap() };
                        prop_assert_eq!(&categories[found], &format!("n{name}"));
                        let ones = row[first..end].iter().filter(|value| **value != 0.0).count();
                        prop_assert_eq!(ones, 1);
                    }
                    first = end;
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert_eq!(first, width);
    }

    #[test]
    fn preprocessing_survives_json_bit_for_bit(
        numbers in vec(prop::num::f64::NORMAL, 2..40),
        names in vec(0..40_u8, 40),
    ) {
        let table = table(&numbers, &names);
        let preprocessor = fitted(&table, Scaling::Robust);
        preprocessor.validate().unwrap();
        let text = serde_json::to_string(&preprocessor).unwrap();
        let read: Preprocessor = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &preprocessor);
        prop_assert_eq!(matrix(&read, &table), matrix(&preprocessor, &table));
    }
}
