use crate::elementary::{LEAST_SLOPE, cut_off};
use crate::lane::{Lane, Rows, WIDTH, lanes};
use crate::simd::{Kernel, Simd, dispatch};

/// A matrix with its rows in groups of 16 and each group transposed: one lane for each column.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    lanes: Vec<Lane>,
    /// Of a group: the columns, a multiple of 16.
    width: usize,
    groups: usize,
}

impl Groups {
    /// Room for `rows` rows, a multiple of 16, of `width` numbers.
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        let (groups, width) = (lanes(rows), width.next_multiple_of(WIDTH));
        Self { lanes: vec![Lane::ZERO; groups * width], width, groups }
    }

    /// Makes it one of `rows` rows of `width` numbers, no more than there is room for. They may be
    /// anything, but what fills them up is zero.
    pub(crate) fn resize(&mut self, rows: usize, width: usize) {
        (self.groups, self.width) = (lanes(rows), width.next_multiple_of(WIDTH));
        assert!(self.groups * self.width <= self.lanes.len());
        self.groups_mut().for_each(|group| group[width..].fill(Lane::ZERO));
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &[Lane]> {
        self.lanes.chunks_exact(self.width).take(self.groups)
    }

    pub(crate) fn groups_mut(&mut self) -> impl Iterator<Item = &mut [Lane]> {
        self.lanes.chunks_exact_mut(self.width).take(self.groups)
    }

    /// Takes in rows, of which those up to a multiple of 16 may hold anything finite.
    pub(crate) fn gather(&mut self, from: &Rows) {
        struct Task<'a>(&'a mut Groups, &'a Rows);
        impl Kernel for Task<'_> {
            #[inline(always)]
            fn run<S: Simd>(self, simd: S) {
                let Self(to, from) = self;
                let (stride, from) = (from.stride(), from.lanes());
                for (group, to) in to.groups_mut().enumerate() {
                    let from = &from[group * WIDTH * stride..];
                    for (block, to) in to.chunks_exact_mut(WIDTH).enumerate() {
                        for [row, column] in CORNERS {
                            let mut numbers = [[0.0; 8]; 8];
                            for (at, numbers) in numbers.iter_mut().enumerate() {
                                *numbers = *from[(8 * row + at) * stride + block].half(column);
                            }
                            let columns = simd.transpose(numbers);
                            for (lane, numbers) in to[8 * column..].iter_mut().zip(columns) {
                                *lane.half_mut(row) = numbers;
                            }
                        }
                    }
                }
            }
        }
        dispatch(Task(self, from));
    }

    /// Writes rows, each number times that at its place in `factors`, if there are any, or 0 where that is smaller
    /// than [`LEAST_SLOPE`]. Those up to a
    /// multiple of 16 are written too.
    pub(crate) fn scatter(&self, factors: Option<&Rows>, to: &mut Rows) {
        struct Task<'a>(&'a Groups, Option<&'a Rows>, &'a mut Rows);
        impl Kernel for Task<'_> {
            #[inline(always)]
            fn run<S: Simd>(self, simd: S) {
                let Self(from, factors, to) = self;
                let stride = to.stride();
                assert!(factors.is_none_or(|factors| factors.stride() == stride));
                for (group, from) in from.groups().enumerate() {
                    let first = group * WIDTH * stride;
                    let factors = factors.map(|factors| &factors.lanes()[first..]);
                    let to = &mut to.lanes_mut()[first..];
                    for (block, from) in from.chunks_exact(WIDTH).enumerate() {
                        for [row, column] in CORNERS {
                            let mut numbers = [[0.0; 8]; 8];
                            for (numbers, lane) in numbers.iter_mut().zip(&from[8 * column..]) {
                                *numbers = *lane.half(row);
                            }
                            let rows = simd.transpose(numbers);
                            for (at, mut numbers) in rows.into_iter().enumerate() {
                                let at = (8 * row + at) * stride + block;
                                if let Some(factors) = factors {
                                    // A copy: as far as the compiler can see, `to` might overlap.
                                    let factors = *factors[at].half(column);
                                    let pairs = numbers.iter_mut().zip(factors);
                                    pairs.for_each(|(g, s)| *g = cut_off(*g * s, LEAST_SLOPE));
                                }
                                *to[at].half_mut(column) = numbers;
                            }
                        }
                    }
                }
            }
        }
        dispatch(Task(self, factors, to));
    }
}

/// Row and column of the 8×8 corners of a block of 16 lanes.
const CORNERS: [[usize; 2]; 4] = [[0, 0], [0, 1], [1, 0], [1, 1]];
