//! Bytes as a CSV file, plain or compressed, all the way to a dataset, as `kiln train` takes it.

#![no_main]

use std::io::Cursor;

use kiln::{
    table::{ReadOptions, SchemaOptions, Table, TableReader, TargetKind},
    tabular::{Prepared, Preset, Recipe, Settings, TabularError},
};
use libfuzzer_sys::fuzz_target;

// Two bytes say how to read and what to predict, the others are the file.
fuzz_target!(|bytes: &[u8]| {
    let [reading, target, file @ ..] = bytes else { return };
    let Ok(reader) =
        TableReader::from_reader(Cursor::new(file.to_vec()), "fuzz.csv", &options(*reading))
    else {
        return;
    };
    let Ok(table) = Table::from_reader(reader) else { return };
    let mut last = 0;
    for rows in table.chunks() {
        assert!(rows.lines.len() == rows.batch.num_rows() && rows.problems.is_empty());
        for line in &rows.lines {
            assert!(*line > last, "line {line} after line {last}");
            last = *line;
        }
    }
    let settings = settings(&table, *reading, *target);
    let _ = dataset(table, &settings);
});

fn options(choice: u8) -> ReadOptions {
    let delimiter =
        [None, None, Some(b','), Some(b';'), Some(b'\t'), Some(b' '), Some(b'"'), Some(0xff)];
    ReadOptions {
        delimiter: delimiter[usize::from(choice & 7)],
        header: [None, None, Some(true), Some(false)][usize::from(choice >> 3 & 3)],
        max_columns: None,
    }
}

fn settings(table: &Table, reading: u8, target: u8) -> Settings {
    let names = table.columns();
    let name = |index: u8| names[usize::from(index) % names.len()].clone();
    let kinds = [TargetKind::Auto, TargetKind::Binary, TargetKind::Categorical, TargetKind::Sparse];
    let mut targets = vec![name(target & 15)];
    if target & 16 != 0 {
        targets.push(name((target & 15).wrapping_add(1)));
    }
    let columns = SchemaOptions {
        target: targets,
        weight: (target & 32 != 0).then(|| name((target & 15).wrapping_add(2))),
        categorical: if target & 64 != 0 {
            vec![name((target & 15).wrapping_add(3))]
        } else {
            vec![]
        },
        numeric: if target & 128 != 0 { vec![name((target & 15).wrapping_add(4))] } else { vec![] },
        ..SchemaOptions::default()
    };
    let recipe = Recipe::new(Preset::Fast, table.num_rows(), names.len());
    let mut settings = recipe.settings(columns);
    settings.loss = kinds[usize::from(reading >> 5 & 3)];
    settings.preprocess.numeric_bins = usize::from(reading >> 7) * 4;
    settings.preprocess.one_hot_up_to = usize::from(reading >> 7) * 3;
    settings
}

fn dataset(table: Table, settings: &Settings) -> Result<(), TabularError> {
    let prepared = Prepared::new(table, settings)?;
    let rows: Vec<usize> = (0..prepared.num_rows()).collect();
    let preprocessor = prepared.fit(settings, &rows)?;
    preprocessor.validate().expect("what was fitted is valid");
    let dataset = prepared.dataset(&preprocessor)?;
    assert_eq!(dataset.rows(), rows.len());
    assert_eq!(dataset.d_input(), preprocessor.d_input());
    let (train, valid) = prepared.split(&rows, 0.25, 1)?;
    assert_eq!(train.len() + valid.len(), rows.len());
    Ok(())
}
