//! The three matrix products of a linear layer: forward, to the inputs' gradient, to the weights'
//! gradient.

use crate::line::{Line, Rows, WIDTH, lines, numbers, stride};
use crate::tile::{Kernel, Left, Right, Tiles, accumulate, dispatch, for_each_tile, mul_add};

/// The weights and biases of a linear layer, cut into panels of 16 outputs.
///
/// A panel has one line for each input, with the weights to its outputs, and one with the biases. All
/// three products read it as it is: no weight is copied, or transposed, at any step.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) lines: Vec<Line>,
}

impl Panels {
    /// From weights `[inputs, outputs]`, row-major, and biases `[outputs]`.
    pub(crate) fn new(inputs: usize, outputs: usize, weights: &[f32], biases: &[f32]) -> Self {
        assert_eq!((weights.len(), biases.len()), (inputs * outputs, outputs));
        let panel_lines = stride(inputs + 1);
        let mut lines = vec![Line::ZERO; lines(outputs) * panel_lines];
        for (at, panel) in lines.chunks_exact_mut(panel_lines).enumerate() {
            let columns = at * WIDTH..outputs.min((at + 1) * WIDTH);
            let rows = weights.chunks_exact(outputs).chain(std::iter::once(biases));
            for (line, row) in panel.iter_mut().zip(rows) {
                line.0[..columns.len()].copy_from_slice(&row[columns.clone()]);
            }
        }
        Self { inputs, outputs, lines }
    }

    /// Weights and biases as [`Panels::new`] takes them.
    pub(crate) fn unpack(&self) -> [Vec<f32>; 2] {
        let mut weights = vec![0.0; self.inputs * self.outputs];
        let mut biases = vec![0.0; self.outputs];
        for (at, panel) in self.lines.chunks_exact(self.panel_lines()).enumerate() {
            let columns = at * WIDTH..self.outputs.min((at + 1) * WIDTH);
            let rows = weights.chunks_exact_mut(self.outputs).chain([&mut biases[..]]);
            for (line, row) in panel.iter().zip(rows) {
                row[columns.clone()].copy_from_slice(&line.0[..columns.len()]);
            }
        }
        [weights, biases]
    }

    /// Lines from one panel to the next.
    pub(crate) fn panel_lines(&self) -> usize {
        stride(self.inputs + 1)
    }
}

/// `output = input·weights + biases` for the first `rows` rows.
pub(crate) fn forward(rows: usize, input: &Rows, panels: &Panels, output: &mut Rows) {
    struct Task<'a>(Forward<'a>, &'a Panels);
    impl Kernel for Task<'_> {
        #[inline(always)]
        fn run<const FMA: bool>(self) {
            let Self(mut forward, panels) = self;
            if forward.rows < FEW_ROWS {
                return few_rows::<FMA>(forward, panels);
            }
            for (at, panel) in panels.lines.chunks_exact(panels.panel_lines()).enumerate() {
                (forward.at, forward.panel) = (at, panel);
                for_each_tile::<FMA>(0, forward.rows, &mut forward);
            }
        }
    }
    let output_stride = output.stride();
    dispatch(Task(
        Forward {
            rows,
            input: input.numbers(),
            input_stride: input.stride() * WIDTH,
            inputs: panels.inputs,
            at: 0,
            panel: &[],
            output: output.lines_mut(),
            output_stride,
        },
        panels,
    ));
}

/// Below this, a tile has too few sums to keep the processor's multipliers busy.
const FEW_ROWS: usize = 4;

/// Takes each row through four panels at once, instead of six rows through one. The sums are added up in
/// the same order.
#[inline(always)]
fn few_rows<const FMA: bool>(forward: Forward<'_>, panels: &Panels) {
    const AT_ONCE: usize = 4;
    let Forward { rows, input, input_stride, inputs, output, output_stride, .. } = forward;
    let length = panels.panel_lines();
    for row in 0..rows {
        let input = &input[row * input_stride..][..inputs];
        let sums = output[row * output_stride..].chunks_mut(AT_ONCE);
        for (panels, sums) in panels.lines.chunks(AT_ONCE * length).zip(sums) {
            match panels.len() / length {
                1 => row_sums::<FMA, 1>(input, panels, length, sums),
                2 => row_sums::<FMA, 2>(input, panels, length, sums),
                3 => row_sums::<FMA, 3>(input, panels, length, sums),
                _ => row_sums::<FMA, AT_ONCE>(input, panels, length, sums),
            }
        }
    }
}

#[inline(always)]
fn row_sums<const FMA: bool, const P: usize>(
    input: &[f32],
    panels: &[Line],
    length: usize,
    to: &mut [Line],
) {
    let inputs = input.len();
    let weights: [&[Line]; P] = std::array::from_fn(|at| &panels[at * length..][..inputs]);
    let mut sums: [Line; P] = std::array::from_fn(|at| panels[at * length + inputs]);
    for (p, number) in input.iter().enumerate() {
        for (sums, weights) in sums.iter_mut().zip(weights) {
            for j in 0..WIDTH {
                sums.0[j] = mul_add::<FMA>(*number, weights[p].0[j], sums.0[j]);
            }
        }
    }
    to[..P].copy_from_slice(&sums);
}

struct Forward<'a> {
    rows: usize,
    input: &'a [f32],
    input_stride: usize,
    inputs: usize,
    at: usize,
    panel: &'a [Line],
    output: &'a mut [Line],
    output_stride: usize,
}

impl Tiles for Forward<'_> {
    #[inline(always)]
    fn tile<const FMA: bool, const R: usize>(&mut self, first: usize) {
        let mut sums = [self.panel[self.inputs]; R];
        let numbers = &self.input[first * self.input_stride..];
        let left = Left { numbers, row: self.input_stride, step: 1 };
        let right = Right { lines: self.panel, step: 1 };
        accumulate::<FMA, R>(&mut sums, self.inputs, left, right);
        for (row, sums) in sums.into_iter().enumerate() {
            self.output[(first + row) * self.output_stride + self.at] = sums;
        }
    }
}

/// A matrix with its rows in groups of 16 and each group transposed: one line for each column.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    lines: Vec<Line>,
}

impl Groups {
    /// Room for `rows` rows, a multiple of 16, of `width` numbers.
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        Self { lines: vec![Line::ZERO; lines(rows) * lines(width) * WIDTH] }
    }

    /// Takes in the first `rows` rows of `from`, whose later rows up to a multiple of 16 may hold
    /// anything finite.
    pub(crate) fn transpose(&mut self, rows: usize, width: usize, from: &Rows) {
        let group_lines = lines(width) * WIDTH;
        for (group, to) in self.lines.chunks_exact_mut(group_lines).take(lines(rows)).enumerate() {
            for (at, block) in to.chunks_exact_mut(WIDTH).enumerate() {
                for lane in 0..WIDTH {
                    let line = &from.lines()[(group * WIDTH + lane) * from.stride() + at];
                    for (column, number) in block.iter_mut().zip(line.0) {
                        column.0[lane] = number;
                    }
                }
            }
        }
    }
}

/// `input = output·weightsᵀ`, both gradients, for the first `rows` rows and the inputs from `first` on.
pub(crate) fn backward(
    rows: usize,
    first: usize,
    output: &Groups,
    panels: &Panels,
    input: &mut Rows,
) {
    struct Task<'a>(Backward<'a>, usize);
    impl Kernel for Task<'_> {
        #[inline(always)]
        fn run<const FMA: bool>(self) {
            let Self(mut backward, first) = self;
            for_each_tile::<FMA>(first, backward.panels.inputs, &mut backward);
        }
    }
    let input_stride = input.stride() * WIDTH;
    let input = input.head_mut(rows);
    dispatch(Task(Backward { rows, output: &output.lines, panels, input, input_stride }, first));
}

struct Backward<'a> {
    rows: usize,
    output: &'a [Line],
    panels: &'a Panels,
    input: &'a mut [f32],
    input_stride: usize,
}

impl Tiles for Backward<'_> {
    /// `R` inputs of 16 rows at a time.
    #[inline(always)]
    fn tile<const FMA: bool, const R: usize>(&mut self, first: usize) {
        let Panels { inputs: _, outputs, lines: weights } = self.panels;
        let panel_lines = self.panels.panel_lines();
        let groups = self.output.chunks_exact(lines(*outputs) * WIDTH);
        for (group, output) in groups.take(lines(self.rows)).enumerate() {
            let mut sums = [Line::ZERO; R];
            for (at, block) in output.chunks_exact(WIDTH).enumerate() {
                let weights = numbers(&weights[at * panel_lines + first..][..R]);
                let left = Left { numbers: weights, row: WIDTH, step: 1 };
                let depth = WIDTH.min(outputs - at * WIDTH);
                accumulate::<FMA, R>(&mut sums, depth, left, Right { lines: block, step: 1 });
            }
            for lane in 0..WIDTH.min(self.rows - group * WIDTH) {
                let row = (group * WIDTH + lane) * self.input_stride + first;
                for (number, sums) in self.input[row..][..R].iter_mut().zip(&sums) {
                    *number = sums.0[lane];
                }
            }
        }
    }
}

/// Some rows of a batch: a layer's inputs, and the gradient of its outputs.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) rows: usize,
    pub(crate) input: &'a Rows,
    pub(crate) output: &'a Rows,
}

/// `gradient = inputᵀ·output` for the panel `at` and the inputs from `first` on, as many as
/// `gradient` has lines. The rows are added up in their order, whatever parts they are in.
pub(crate) fn weight_gradient<'a>(
    parts: impl Iterator<Item = Part<'a>> + Clone,
    at: usize,
    first: usize,
    gradient: &mut [Line],
) {
    struct Task<'a, P>(WeightGradient<'a, P>);
    impl<'a, P: Iterator<Item = Part<'a>> + Clone> Kernel for Task<'_, P> {
        #[inline(always)]
        fn run<const FMA: bool>(mut self) {
            let end = self.0.gradient.len();
            for_each_tile::<FMA>(0, end, &mut self.0);
        }
    }
    dispatch(Task(WeightGradient { parts, at, offset: first, gradient }));
}

struct WeightGradient<'a, P> {
    parts: P,
    at: usize,
    offset: usize,
    gradient: &'a mut [Line],
}

impl<'a, P: Iterator<Item = Part<'a>> + Clone> Tiles for WeightGradient<'_, P> {
    #[inline(always)]
    fn tile<const FMA: bool, const R: usize>(&mut self, first: usize) {
        let mut sums = [Line::ZERO; R];
        for Part { rows, input, output } in self.parts.clone() {
            let numbers = &input.numbers()[self.offset + first..];
            let left = Left { numbers, row: 1, step: input.stride() * WIDTH };
            let right = Right { lines: &output.lines()[self.at..], step: output.stride() };
            accumulate::<FMA, R>(&mut sums, rows, left, right);
        }
        self.gradient[first..][..R].copy_from_slice(&sums);
    }
}

/// The sum of the gradient of the outputs, for the panel `at`.
pub(crate) fn bias_gradient<'a>(parts: impl Iterator<Item = Part<'a>>, at: usize) -> Line {
    let mut sums = Line::ZERO;
    for Part { rows, output, .. } in parts {
        for line in output.lines()[at..].iter().step_by(output.stride()).take(rows) {
            for (sum, number) in sums.0.iter_mut().zip(line.0) {
                *sum += number;
            }
        }
    }
    sums
}
