//! What holds for all data, tried on random ones.

use burn_flex::{Flex, FlexDevice};
use kiln_data::{
    Batches, Dataset, Targets, folds, permutation, split_indices, stratified_folds,
    stratified_split_indices,
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
}
