use rand::Rng;
use rand::seq::SliceRandom;

use crate::random::seeded_rng;

/// The order in which `epoch` visits the rows: the numbers `0..rows`, shuffled.
///
/// It depends on nothing but its arguments, whatever the backend, the machine or the epochs drawn
/// before, so a resumed run goes on with the order the uninterrupted run would have had.
///
/// # Examples
///
/// ```
/// use kiln_data::permutation;
///
/// let order = permutation(5, 42, 3);
/// assert_eq!(order, permutation(5, 42, 3));
///
/// let mut rows = order;
/// rows.sort_unstable();
/// assert_eq!(rows, [0, 1, 2, 3, 4]);
/// ```
pub fn permutation(rows: usize, seed: u64, epoch: u64) -> Vec<usize> {
    shuffled(rows, &mut seeded_rng(seed, *b"shuffle\0", epoch))
}

/// The numbers `0..rows` in an order drawn from `rng`.
pub fn shuffled(rows: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows).collect();
    order.shuffle(rng);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_comes_exactly_once() {
        for rows in [0, 1, 2, 1000] {
            let mut order = permutation(rows, 7, 0);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..rows));
        }
    }

    #[test]
    fn seed_and_epoch_change_the_order() {
        assert_ne!(permutation(100, 0, 0), permutation(100, 1, 0));
        assert_ne!(permutation(100, 0, 0), permutation(100, 0, 1));
    }

    // A new version of `rand` that shuffles differently would change every seeded run.
    #[test]
    fn order_of_a_seed_never_changes() {
        assert_eq!(permutation(10, 0, 0), [3, 4, 7, 2, 1, 8, 9, 5, 0, 6]);
        assert_eq!(permutation(10, 0, 1), [5, 2, 9, 3, 1, 7, 0, 6, 8, 4]);
    }
}
