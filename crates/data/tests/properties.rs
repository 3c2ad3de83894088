//! What holds for all data, tried on random ones.

use std::io::Cursor;

use burn_flex::{Flex, FlexDevice};
use kiln_data::{
    Batches, Dataset, OneHot, PreprocessConfig, Preprocessor, Profiler, ReadOptions, Scaling,
    SchemaOptions, Table, TableReader, Targets, Transform, folds, infer_schema, permutation,
    split_indices, stratified_folds, stratified_split_indices,
};
use proptest::{collection::vec, prelude::*};

/// Whether these are the numbers `0..rows`, each once.
fn is_complete(parts: &[&[usize]], rows: usize) -> bool {
    let mut all = parts.concat();
    all.sort_unstable();
    all.into_iter().eq(0..rows)
}

fn sizes(classes: &[u32], of: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut sizes = vec![0; 6];
    of.for_each(|row| sizes[classes[row] as usize] += 1);
    sizes
}

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
    fn a_split_is_disjoint_and_complete(rows in 2..400_usize, fraction in 0.01..0.99, seed: u64) {
        if let Ok((rest, held_out)) = split_indices(rows, fraction, seed) {
            prop_assert!(is_complete(&[&rest, &held_out], rows));
            prop_assert_eq!(held_out.len(), (rows as f64 * fraction).round() as usize);
        }
    }

    #[test]
    fn a_stratified_split_takes_its_share_of_each_class_within_one_row(
        classes in vec(0..6_u32, 2..400),
        fraction in 0.01..0.5,
        seed: u64,
    ) {
        let rows = classes.len();
        if let Ok((rest, held_out)) = stratified_split_indices(&classes, 6, fraction, seed) {
            prop_assert!(is_complete(&[&rest, &held_out], rows));
            let all = sizes(&classes, 0..rows);
            let taken = sizes(&classes, held_out.iter().copied());
            // A class of one row gives none, and the others make up for it.
            let eligible: usize = all.iter().filter(|size| **size > 1).sum();
            for (size, taken) in all.into_iter().zip(taken).filter(|(size, _)| *size > 1) {
                let share = held_out.len() as f64 * size as f64 / eligible as f64;
                // One that would give its last row away gives less.
                prop_assert!((taken as f64 - share).abs() < 1.0 || taken + 1 == size);
            }
        }
    }

    #[test]
    fn folds_are_even_in_rows_and_in_each_class(
        classes in vec(0..6_u32, 2..300),
        count in 2..9_usize,
        seed: u64,
    ) {
        let rows = classes.len();
        let even = |sizes: &[usize]| sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1;
        if let Ok(of_rows) = stratified_folds(&classes, count, seed) {
            let of = |fold: u32| (0..rows).filter(|row| of_rows[*row] == fold).collect::<Vec<_>>();
            let parts: Vec<Vec<usize>> = (0..count as u32).map(of).collect();
            prop_assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), rows);
            prop_assert!(even(&parts.iter().map(Vec::len).collect::<Vec<_>>()));
            for class in 0..6_usize {
                let of_class = |part: &Vec<usize>| sizes(&classes, part.iter().copied())[class];
                prop_assert!(even(&parts.iter().map(of_class).collect::<Vec<_>>()));
            }
        }
        prop_assert_eq!(folds(rows, count, seed).is_ok(), count <= rows);
    }

    #[test]
    fn a_shuffle_is_a_permutation(rows in 0..500_usize, seed: u64, epoch: u64) {
        prop_assert!(is_complete(&[&permutation(rows, seed, epoch)], rows));
    }

    #[test]
    fn an_epoch_has_rows_over_batch_size_iterations_rounded_up(
        rows in 1..120_usize,
        batch_size in 1..130_usize,
        seed: u64,
    ) {
        let features = (0..rows).map(|row| row as f32).collect();
        let targets = Targets::Classes { indices: vec![0; rows], num_classes: 1 };
        let dataset = Dataset::new(features, 1, targets).unwrap();
        let batches = Batches::<Flex>::new(dataset, batch_size, &FlexDevice).unwrap();
        prop_assert_eq!(batches.iterations(), rows.div_ceil(batch_size));
        let taken: Vec<Vec<f32>> = batches
            .shuffled(seed, 0)
            .map(|batch| batch.features.into_data().to_vec().unwrap())
            .collect();
        prop_assert_eq!(taken.len(), batches.iterations());
        prop_assert!(taken[..taken.len() - 1].iter().all(|batch| batch.len() == batch_size));
        let taken: Vec<usize> = taken.concat().into_iter().map(|row| row as usize).collect();
        prop_assert!(is_complete(&[&taken], rows));
    }

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
