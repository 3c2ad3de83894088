use crate::error::DataError;
use crate::random::seeded_rng;
use crate::shuffle::shuffled;

/// Which rows to hold out, drawn at random: `(rest, held_out)`.
///
/// `round(rows * fraction)` rows are held out. `fraction` is in (0, 1). Both lists are sorted, so a
/// split leaves the rows in the order it found them and no random order leaks into what follows.
///
/// # Errors
///
/// A fraction outside (0, 1), or one that leaves either part without a row.
pub fn split_indices(
    rows: usize,
    fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let held_out_rows = held_out_rows(rows, fraction)?;
    let mut held_out = shuffled(rows, &mut seeded_rng(seed, *b"split\0\0\0", 0));
    let mut rest = held_out.split_off(held_out_rows);
    rest.sort_unstable();
    held_out.sort_unstable();
    Ok((rest, held_out))
}

/// Which rows to hold out so that each class keeps its share in both parts: `(rest, held_out)`.
///
/// `classes` holds one class index per row. `round(rows * fraction)` rows are held out, shared
/// among the classes in proportion to their size by the largest-remainder method; equal remainders
/// go to the lower class. A class never gives its last row away: one with a single row stays whole
/// in `rest`, the others make up for it, and where all of them together can't, fewer rows are held
/// out. Both lists are sorted, as in [`split_indices`].
///
/// # Errors
///
/// A fraction outside (0, 1), or one that leaves either part without a row; a class index that is
/// not below `num_classes`; no class with two rows or more.
pub fn stratified_split_indices(
    classes: &[u32],
    num_classes: usize,
    fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let rows = classes.len();
    let total = held_out_rows(rows, fraction)?;
    let sizes = class_sizes(classes, num_classes)?;
    let mut to_hold_out = apportion(&sizes, total);
    if to_hold_out.iter().all(|&count| count == 0) {
        return Err(DataError::Split {
            rows,
            problem: format!(
                "none of the {rows} rows can be held out class by class: every class has only one \
                 row"
            ),
        });
    }

    let (mut rest, mut held_out) = (Vec::new(), Vec::new());
    for row in shuffled(rows, &mut seeded_rng(seed, *b"split\0\0\0", 0)) {
        let left = &mut to_hold_out[classes[row] as usize];
        if *left > 0 {
            *left -= 1;
            held_out.push(row);
        } else {
            rest.push(row);
        }
    }
    rest.sort_unstable();
    held_out.sort_unstable();
    Ok((rest, held_out))
}

/// Deals the rows at random over `folds` parts of equal size: the fold of each row, below `folds`.
///
/// Sizes differ by at most 1.
///
/// # Errors
///
/// Fewer than 2 folds, or more than rows.
pub fn folds(rows: usize, folds: usize, seed: u64) -> Result<Vec<u32>, DataError> {
    stratified_folds(&vec![0; rows], folds, seed)
}

/// Deals the rows at random over `folds` parts, class by class: the fold of each row, below `folds`.
///
/// `classes` holds one class index per row. In two folds the numbers of rows differ by at most 1, and
/// so do those of each class. A class with fewer rows than there are folds is in as many folds as it
/// has rows.
///
/// # Errors
///
/// Fewer than 2 folds, or more than rows.
pub fn stratified_folds(classes: &[u32], folds: usize, seed: u64) -> Result<Vec<u32>, DataError> {
    let rows = classes.len();
    if !(2..=rows).contains(&folds) {
        return Err(DataError::mismatch(
            format!("found {folds} folds"),
            format!("2 to {rows}, the number of rows"),
        ));
    }
    let mut order = shuffled(rows, &mut seeded_rng(seed, *b"folds\0\0\0", 0));
    // Stable: the rows of a class stay shuffled.
    order.sort_by_key(|&row| classes[row]);
    let mut fold_of_row = vec![0; rows];
    // A class is dealt on from where the one before ended, so that the folds come out even too.
    for (place, row) in order.into_iter().enumerate() {
        fold_of_row[row] = (place % folds) as u32;
    }
    Ok(fold_of_row)
}

fn held_out_rows(rows: usize, fraction: f64) -> Result<usize, DataError> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::SplitFraction { fraction });
    }
    let held_out = (rows as f64 * fraction).round() as usize;
    if held_out == 0 || held_out == rows {
        return Err(DataError::Split {
            rows,
            problem: format!(
                "holding out {fraction} of {rows} rows takes {held_out} of them, expected 1 or \
                 more to be taken and 1 or more to stay"
            ),
        });
    }
    Ok(held_out)
}

fn class_sizes(classes: &[u32], num_classes: usize) -> Result<Vec<usize>, DataError> {
    let mut sizes = vec![0; num_classes];
    for (row, &class) in classes.iter().enumerate() {
        let size = sizes.get_mut(class as usize);
        *size.ok_or_else(|| DataError::class_index(row, class, num_classes))? += 1;
    }
    Ok(sizes)
}

/// How many rows of each class to hold out, `total` together where the classes can give so many.
fn apportion(sizes: &[usize], total: usize) -> Vec<usize> {
    let spare = |class: usize| sizes[class].saturating_sub(1);
    let eligible: usize = sizes.iter().filter(|&&size| size > 1).sum();
    let total = total.min((0..sizes.len()).map(spare).sum());
    if total == 0 {
        return vec![0; sizes.len()];
    }

    let mut counts = vec![0; sizes.len()];
    let mut by_remainder: Vec<(u128, usize)> = Vec::new();
    for class in (0..sizes.len()).filter(|&class| spare(class) > 0) {
        // Whole numbers, so that no rounding decides between two classes.
        let share = total as u128 * sizes[class] as u128;
        let eligible = eligible as u128;
        counts[class] = ((share / eligible) as usize).min(spare(class));
        by_remainder.push((share % eligible, class));
    }
    by_remainder.sort_by_key(|&(remainder, class)| (std::cmp::Reverse(remainder), class));

    let mut left = total - counts.iter().sum::<usize>();
    // One round is the method itself; more come only where a class had no row to spare. Each gives
    // at least one row away, for `total` is not more than the classes have to spare.
    while left > 0 {
        for &(_, class) in &by_remainder {
            if left > 0 && counts[class] < spare(class) {
                counts[class] += 1;
                left -= 1;
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn held_out_counts(classes: &[u32], num_classes: usize, fraction: f64) -> Vec<usize> {
        let (rest, held_out) =
            stratified_split_indices(classes, num_classes, fraction, 3).expect("valid split");
        let mut all = [rest, held_out.clone()].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..classes.len()));
        let mut counts = vec![0; num_classes];
        for row in held_out {
            counts[classes[row] as usize] += 1;
        }
        counts
    }

    fn classes_of_sizes(sizes: &[usize]) -> Vec<u32> {
        let classes = sizes.iter().enumerate();
        classes.flat_map(|(class, &size)| std::iter::repeat_n(class as u32, size)).collect()
    }

    #[test]
    fn split_parts_are_sorted_disjoint_and_complete() {
        let (rest, held_out) = split_indices(101, 0.25, 9).expect("valid split");
        assert_eq!((rest.len(), held_out.len()), (76, 25));
        assert!(rest.is_sorted() && held_out.is_sorted());
        let mut all = [rest, held_out].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..101));
    }

    #[test]
    fn split_follows_the_seed() {
        let split = |seed| split_indices(50, 0.5, seed).expect("valid split");
        assert_eq!(split(1), split(1));
        assert_ne!(split(1), split(2));
    }

    #[test]
    fn stratified_split_keeps_class_shares() {
        let classes = classes_of_sizes(&[50, 30, 20]);
        assert_eq!(held_out_counts(&classes, 3, 0.2), [10, 6, 4]);
        assert_eq!(held_out_counts(&classes, 3, 0.25), [13, 7, 5]);
    }

    #[test]
    fn stratified_split_holds_out_the_rounded_total() {
        let classes = classes_of_sizes(&[7, 11, 3, 0, 1, 29]);
        for percent in 2..60 {
            let fraction = f64::from(percent) / 100.0;
            let counts = held_out_counts(&classes, 6, fraction);
            let total = (51.0 * fraction).round() as usize;
            assert_eq!(counts.iter().sum::<usize>(), total, "{fraction}");
            assert_eq!(counts[3..5], [0, 0]);
        }
    }

    #[test]
    fn class_never_loses_its_last_row() {
        assert_eq!(held_out_counts(&[0, 1, 1], 2, 0.34), [0, 1]);
        let classes = classes_of_sizes(&[2, 2, 2, 1]);
        assert_eq!(held_out_counts(&classes, 4, 0.8), [1, 1, 1, 0]);
    }

    #[test]
    fn fraction_outside_0_and_1_is_an_error() {
        for (fraction, found) in
            [(0.0, "0"), (1.0, "1"), (-0.5, "-0.5"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")]
        {
            let message =
                format!("held-out fraction is {found}, expected a number above 0 and below 1");
            let error = split_indices(10, fraction, 0).expect_err("must be refused");
            assert_eq!(error.to_string(), message);
            let error =
                stratified_split_indices(&[0; 10], 1, fraction, 0).expect_err("must be refused");
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn part_without_rows_is_an_error() {
        for (rows, fraction, message) in [
            (
                10,
                0.01,
                "holding out 0.01 of 10 rows takes 0 of them, expected 1 or more to be taken and \
                 1 or more to stay",
            ),
            (
                2,
                0.9,
                "holding out 0.9 of 2 rows takes 2 of them, expected 1 or more to be taken and 1 \
                 or more to stay",
            ),
        ] {
            let error = split_indices(rows, fraction, 0).expect_err("must be refused");
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn classes_of_one_row_cannot_be_stratified() {
        let error = stratified_split_indices(&[2, 0, 1], 3, 0.5, 0).expect_err("must be refused");
        expect!["none of the 3 rows can be held out class by class: every class has only one row"]
            .assert_eq(&error.to_string());
    }

    #[test]
    fn class_out_of_range_cannot_be_stratified() {
        let error = stratified_split_indices(&[0, 3], 3, 0.5, 0).expect_err("must be refused");
        expect!["row 1 (counted from 0): class index is 3, expected one below 3"]
            .assert_eq(&error.to_string());
    }

    #[test]
    fn folds_share_rows_and_every_class_evenly() {
        let classes = classes_of_sizes(&[17, 3, 0, 1, 40, 8]);
        for num_folds in [2, 3, 5, 10, 69] {
            let fold_of_row = stratified_folds(&classes, num_folds, 4).expect("valid folds");
            assert_eq!(fold_of_row.len(), 69);
            let even = |rows: &mut dyn Iterator<Item = u32>| {
                let mut sizes = vec![0; num_folds];
                rows.for_each(|fold| sizes[fold as usize] += 1);
                sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1
            };
            assert!(even(&mut fold_of_row.iter().copied()));
            for class in 0..6 {
                let of_class = classes.iter().zip(&fold_of_row).filter(|(c, _)| **c == class);
                assert!(even(&mut of_class.map(|(_, fold)| *fold)), "{num_folds} {class}");
            }
        }
    }

    #[test]
    fn folds_are_drawn_by_the_seed() {
        let deal = |seed| folds(50, 5, seed).expect("valid folds");
        assert_eq!(deal(1), deal(1));
        assert_ne!(deal(1), deal(2));
        assert_ne!(deal(1), (0..50).map(|row| row % 5).collect::<Vec<u32>>());
        assert_eq!(
            (0..5).map(|fold| deal(3).iter().filter(|f| **f == fold).count()).max(),
            Some(10)
        );
    }

    #[test]
    fn number_of_folds_is_checked() {
        for num_folds in [0, 1, 4] {
            assert_eq!(
                folds(3, num_folds, 0).expect_err("must be refused").to_string(),
                format!("found {num_folds} folds, expected 2 to 3, the number of rows")
            );
        }
        let mut dealt = folds(3, 3, 0).expect("valid folds");
        dealt.sort_unstable();
        assert_eq!(dealt, [0, 1, 2]);
    }
}
