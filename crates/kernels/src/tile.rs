//! The register tile of the matrix products, and the choice of the processor's instruction set.
//!
//! A tile is a few rows of 16 sums that stay in registers while the products are added up. It is
//! plain Rust that the compiler turns into vector instructions of the set it is compiled for.

use crate::line::{Line, WIDTH};

/// Rows of a whole tile: 6×16 sums fill 12 of the 16 registers of AVX2, and leave room for one line
/// of the right factor and an element of the left.
pub(crate) const ROWS: usize = 6;

/// Code that is compiled once for each instruction set, and all that it calls with it: what it calls
/// must be `#[inline(always)]`.
pub(crate) trait Kernel {
    /// `FMA`: the set multiplies and adds in one instruction. Where it does not, `mul_add` would be
    /// a slow function call.
    fn run<const FMA: bool>(self);
}

/// Runs a kernel with the best instruction set that this processor has.
pub(crate) fn dispatch(kernel: impl Kernel) {
    struct Task<K>(K);
    impl<K: Kernel> pulp::WithSimd for Task<K> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, _: S) {
            // WebAssembly has vectors, but no such instruction.
            if S::F32_LANES > 1 && !cfg!(target_family = "wasm") {
                self.0.run::<true>();
            } else {
                self.0.run::<false>();
            }
        }
    }
    pulp::Arch::new().dispatch(Task(kernel));
}

/// a·b + c.
#[inline(always)]
pub(crate) fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// The left factor: the element of row `i` at step `p` is `numbers[i * row + p * step]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) row: usize,
    pub(crate) step: usize,
}

/// The right factor: 16 columns at step `p` are `lines[p * step]`.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    pub(crate) lines: &'a [Line],
    pub(crate) step: usize,
}

/// `sums[i][j] += Σ_p left(i, p)·right(p, j)`, p in 0..`depth`, added up in this order.
///
/// # Panics
///
/// If an operand is too short.
#[inline(always)]
pub(crate) fn accumulate<const FMA: bool, const R: usize>(
    sums: &mut [Line; R],
    depth: usize,
    left: Left<'_>,
    right: Right<'_>,
) {
    if depth == 0 {
        return;
    }
    assert!((R - 1) * left.row + (depth - 1) * left.step < left.numbers.len());
    assert!((depth - 1) * right.step < right.lines.len());
    // A copy, so that the sums are in registers whatever `sums` is.
    let mut local = *sums;
    for p in 0..depth {
        // SAFETY: the index grows with `p` and is in bounds at the largest `p`, as asserted above.
        // Checked here it would cost a comparison for each 12 vector instructions.
        let line = unsafe { right.lines.get_unchecked(p * right.step) };
        for (i, sums) in local.iter_mut().enumerate() {
            // SAFETY: the index grows with `i` and `p` and is in bounds at the largest of both, as
            // asserted above.
            let number = unsafe { *left.numbers.get_unchecked(i * left.row + p * left.step) };
            for j in 0..WIDTH {
                sums.0[j] = mul_add::<FMA>(number, line.0[j], sums.0[j]);
            }
        }
    }
    *sums = local;
}

/// What is done tile by tile.
pub(crate) trait Tiles {
    /// The tile of the rows `first..first + R`.
    fn tile<const FMA: bool, const R: usize>(&mut self, first: usize);
}

/// Cuts the rows `first..end` into tiles: whole ones, and a lower one for what remains.
#[inline(always)]
pub(crate) fn for_each_tile<const FMA: bool>(first: usize, end: usize, tiles: &mut impl Tiles) {
    let mut first = first;
    while first + ROWS <= end {
        tiles.tile::<FMA, ROWS>(first);
        first += ROWS;
    }
    match end.saturating_sub(first) {
        1 => tiles.tile::<FMA, 1>(first),
        2 => tiles.tile::<FMA, 2>(first),
        3 => tiles.tile::<FMA, 3>(first),
        4 => tiles.tile::<FMA, 4>(first),
        5 => tiles.tile::<FMA, 5>(first),
        _ => {}
    }
}
