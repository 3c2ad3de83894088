//! The register tile of the matrix products: a few rows of 16 sums that stay in registers while the
//! products are added up.

use crate::lane::{Lane, WIDTH};
use crate::simd::{Simd, mul_add};

/// The left factor: the element of row `i` at step `p` is `numbers[i * row + p * step]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) row: usize,
    pub(crate) step: usize,
}

/// The right factor: 16 columns at step `p` are `lanes[p * step]`.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    pub(crate) lanes: &'a [Lane],
    pub(crate) step: usize,
}

/// `sums[i][j] += Σ_p left(i, p)·right(p, j)`, p in 0..`depth`, added up in this order.
///
/// # Panics
///
/// If an operand is too short.
#[inline(always)]
pub(crate) fn accumulate<S: Simd, const R: usize>(
    sums: &mut [Lane; R],
    depth: usize,
    left: Left<'_>,
    right: Right<'_>,
) {
    if depth == 0 {
        return;
    }
    assert!((R - 1) * left.row + (depth - 1) * left.step < left.numbers.len());
    assert!((depth - 1) * right.step < right.lanes.len());
    // A copy, so that the sums are in registers whatever `sums` is.
    let mut local = *sums;
    for p in 0..depth {
        // SAFETY: the index grows with `p` and is in bounds at the largest `p`, as asserted above.
        // Checked here it would cost a comparison for each dozen vector instructions.
        let lane = unsafe { *right.lanes.get_unchecked(p * right.step) };
        // Written out: the compiler does not unroll a loop of so many rows, and sums that are indexed
        // by a variable lie in memory, which made this twenty times as slow.
        macro_rules! add_to_row {
            ($($i:literal)*) => { $(
                if $i < R {
                    let at = $i * left.row + p * left.step;
                    // SAFETY: the index grows with the row and with `p` and is in bounds at the
                    // largest of both, as asserted above.
                    let number = unsafe { *left.numbers.get_unchecked(at) };
                    for j in 0..WIDTH {
                        local[$i].0[j] = mul_add::<S>(number, lane.0[j], local[$i].0[j]);
                    }
                }
            )* };
        }
        add_to_row!(0 1 2 3 4 5 6 7);
    }
    *sums = local;
}

/// What is done tile by tile.
pub(crate) trait Tiles {
    /// The tile of the rows `first..first + R`.
    fn tile<S: Simd, const R: usize>(&mut self, simd: S, first: usize);
}

/// Cuts the rows `first..end` into as few tiles as may be, about equally high: a tile of one or two rows
/// has too few sums to hide the latency of an addition.
#[inline(always)]
pub(crate) fn for_each_tile<S: Simd>(simd: S, first: usize, end: usize, tiles: &mut impl Tiles) {
    let rows = end.saturating_sub(first);
    let count = rows.div_ceil(S::TILE_ROWS);
    for at in 0..count {
        let [first, end] = [at, at + 1].map(|at| first + at * rows / count);
        match end - first {
            1 => tiles.tile::<S, 1>(simd, first),
            2 => tiles.tile::<S, 2>(simd, first),
            3 => tiles.tile::<S, 3>(simd, first),
            4 => tiles.tile::<S, 4>(simd, first),
            5 => tiles.tile::<S, 5>(simd, first),
            6 => tiles.tile::<S, 6>(simd, first),
            // Never on a set of lower tiles, for which it need not be compiled.
            7 if S::TILE_ROWS >= 7 => tiles.tile::<S, 7>(simd, first),
            8 if S::TILE_ROWS >= 8 => tiles.tile::<S, 8>(simd, first),
            rows => unreachable!("{rows} rows"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Plain;

    /// Checks the sums of `R` rows, from operands that end with the last element that is read.
    fn check<const R: usize>(depth: usize, left_by_row: bool, step: usize) {
        let [row, left_step] = if left_by_row { [depth, 1] } else { [1, R] };
        let numbers: Vec<f32> = (0..R * depth).map(|at| at as f32).collect();
        let lane = |at: usize| Lane(std::array::from_fn(|column| (at + column) as f32));
        let lanes: Vec<Lane> = (0..(depth - 1) * step + 1).map(lane).collect();
        let mut sums = [Lane([1.0; WIDTH]); R];
        let left = Left { numbers: &numbers, row, step: left_step };
        accumulate::<Plain, R>(&mut sums, depth, left, Right { lanes: &lanes, step });
        for (i, sums) in sums.iter().enumerate() {
            for (j, sum) in sums.0.iter().enumerate() {
                let product = |p: usize| numbers[i * row + p * left_step] * lanes[p * step].0[j];
                assert_eq!(*sum, 1.0 + (0..depth).map(product).sum::<f32>());
            }
        }
    }

    #[test]
    fn a_tile_reads_its_operands_to_their_ends_and_no_further() {
        for depth in [1, 2, 5] {
            for left_by_row in [true, false] {
                for step in [1, 3] {
                    check::<1>(depth, left_by_row, step);
                    check::<3>(depth, left_by_row, step);
                    check::<8>(depth, left_by_row, step);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "left.numbers.len()")]
    fn a_left_factor_that_is_too_short_is_refused() {
        let left = Left { numbers: &[0.0; 5], row: 3, step: 1 };
        accumulate::<Plain, 2>(
            &mut [Lane::ZERO; 2],
            3,
            left,
            Right { lanes: &[Lane::ZERO], step: 0 },
        );
    }

    #[test]
    #[should_panic(expected = "right.lanes.len()")]
    fn a_right_factor_that_is_too_short_is_refused() {
        let left = Left { numbers: &[0.0; 3], row: 0, step: 1 };
        let right = Right { lanes: &[Lane::ZERO; 2], step: 1 };
        accumulate::<Plain, 1>(&mut [Lane::ZERO], 3, left, right);
    }
}
