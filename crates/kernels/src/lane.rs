//! The memory layout that the kernels share.
//!
//! Everything is made of [`Lane`]s of 16 numbers, the width of a cache line and of the product's
//! register tile. Whatever is not a multiple of 16 wide is filled up with zeros.

use bytemuck::{Pod, Zeroable};

/// Numbers in a lane.
pub(crate) const WIDTH: usize = 16;

/// 16 numbers that lie in one cache line, so that no vector load straddles two.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Lane(pub(crate) [f32; WIDTH]);

impl Lane {
    pub(crate) const ZERO: Self = Self([0.0; WIDTH]);

    /// The first 8 numbers or the last.
    #[inline(always)]
    pub(crate) fn half(&self, half: usize) -> &[f32; 8] {
        &self.0.as_chunks().0[half]
    }

    /// The first 8 numbers or the last.
    #[inline(always)]
    pub(crate) fn half_mut(&mut self, half: usize) -> &mut [f32; 8] {
        &mut self.0.as_chunks_mut().0[half]
    }
}

/// So many lanes hold `numbers`.
pub(crate) fn lanes(numbers: usize) -> usize {
    numbers.div_ceil(WIDTH)
}

/// The distance between two rows of `lanes` lanes, or between two panels: an odd number, for at a
/// multiple of 4 KiB all rows would fall into the same few sets of the cache and evict each other.
pub(crate) fn stride(lanes: usize) -> usize {
    lanes | 1
}

/// Lanes as single numbers.
pub(crate) fn numbers(lanes: &[Lane]) -> &[f32] {
    bytemuck::cast_slice(lanes)
}

/// Lanes as single numbers.
pub(crate) fn numbers_mut(lanes: &mut [Lane]) -> &mut [f32] {
    bytemuck::cast_slice_mut(lanes)
}

/// A row-major matrix, each row on lanes of its own.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    lanes: Vec<Lane>,
    stride: usize,
}

impl Rows {
    /// Zeros.
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        let stride = stride(lanes(width));
        Self { lanes: vec![Lane::ZERO; rows * stride], stride }
    }

    /// Lanes from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    pub(crate) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    pub(crate) fn lanes_mut(&mut self) -> &mut [Lane] {
        &mut self.lanes
    }

    /// The numbers of all rows, with what fills them up.
    pub(crate) fn numbers(&self) -> &[f32] {
        numbers(&self.lanes)
    }

    /// The numbers of the first rows, with what fills them up.
    pub(crate) fn head_mut(&mut self, rows: usize) -> &mut [f32] {
        numbers_mut(&mut self.lanes[..rows * self.stride])
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.numbers().chunks_exact(self.stride * WIDTH)
    }

    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        numbers_mut(&mut self.lanes).chunks_exact_mut(self.stride * WIDTH)
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        numbers(&self.lanes[row * self.stride..][..self.stride])
    }

    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        numbers_mut(&mut self.lanes[row * self.stride..][..self.stride])
    }
}
