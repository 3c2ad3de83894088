//! The three matrix products of a linear layer: forward, to the inputs' gradient, to the weights'
//! gradient.

use crate::groups::Groups;
use crate::lane::{Lane, Rows, WIDTH, lanes, numbers, stride};
use crate::simd::{Kernel, Simd, dispatch, mul_add};
use crate::tile::{Left, Right, Tiles, accumulate, for_each_tile};

/// The weights and biases of a linear layer, cut into panels of 16 outputs.
///
/// A panel has one lane for each input, with the weights to its outputs, and one with the biases. All
/// three products read it as it is: no weight is copied, or transposed, at any step.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) lanes: Vec<Lane>,
}

impl Panels {
    /// From weights `[inputs, outputs]`, row-major, and biases `[outputs]`.
    pub(crate) fn new(inputs: usize, outputs: usize, weights: &[f32], biases: &[f32]) -> Self {
        assert_eq!((weights.len(), biases.len()), (inputs * outputs, outputs));
        let panel_lanes = stride(inputs + 1);
        let mut lanes = vec![Lane::ZERO; lanes(outputs) * panel_lanes];
        for (at, panel) in lanes.chunks_exact_mut(panel_lanes).enumerate() {
            let columns = at * WIDTH..outputs.min((at + 1) * WIDTH);
            let rows = weights.chunks_exact(outputs).chain(std::iter::once(biases));
            for (lane, row) in panel.iter_mut().zip(rows) {
                lane.0[..columns.len()].copy_from_slice(&row[columns.clone()]);
            }
        }
        Self { inputs, outputs, lanes }
    }

    /// Weights and biases as [`Panels::new`] takes them.
    pub(crate) fn unpack(&self) -> [Vec<f32>; 2] {
        let mut weights = vec![0.0; self.inputs * self.outputs];
        let mut biases = vec![0.0; self.outputs];
        for (at, panel) in self.lanes.chunks_exact(self.panel_lanes()).enumerate() {
            let columns = at * WIDTH..self.outputs.min((at + 1) * WIDTH);
            let rows = weights.chunks_exact_mut(self.outputs).chain([&mut biases[..]]);
            for (lane, row) in panel.iter().zip(rows) {
                row[columns.clone()].copy_from_slice(&lane.0[..columns.len()]);
            }
        }
        [weights, biases]
    }

    /// Lanes from one panel to the next.
    pub(crate) fn panel_lanes(&self) -> usize {
        stride(self.inputs + 1)
    }
}

/// `output = input·weights + biases` for the first `rows` rows.
pub(crate) fn forward(rows: usize, input: &Rows, panels: &Panels, output: &mut Rows) {
    struct Task<'a>(Forward<'a>, &'a Panels);
    impl Kernel for Task<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let Self(mut forward, panels) = self;
            if forward.rows == 1 {
                return one_row::<S>(forward, panels);
            }
            for (at, panel) in panels.lanes.chunks_exact(panels.panel_lanes()).enumerate() {
                (forward.at, forward.panel) = (at, panel);
                for_each_tile(simd, 0, forward.rows, &mut forward);
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
            output: output.lanes_mut(),
            output_stride,
        },
        panels,
    ));
}

/// Takes the row through four panels at once, for a tile of a single row has too few sums to keep the
/// processor's multipliers busy. The sums are added up in the same order.
#[inline(always)]
fn one_row<S: Simd>(forward: Forward<'_>, panels: &Panels) {
    const AT_ONCE: usize = 4;
    let input = &forward.input[..forward.inputs];
    let length = panels.panel_lanes();
    let sums = forward.output.chunks_mut(AT_ONCE);
    for (panels, sums) in panels.lanes.chunks(AT_ONCE * length).zip(sums) {
        match panels.len() / length {
            1 => row_sums::<S, 1>(input, panels, length, sums),
            2 => row_sums::<S, 2>(input, panels, length, sums),
            3 => row_sums::<S, 3>(input, panels, length, sums),
            _ => row_sums::<S, AT_ONCE>(input, panels, length, sums),
        }
    }
}

#[inline(always)]
fn row_sums<S: Simd, const P: usize>(
    input: &[f32],
    panels: &[Lane],
    length: usize,
    to: &mut [Lane],
) {
    let inputs = input.len();
    let weights: [&[Lane]; P] = std::array::from_fn(|at| &panels[at * length..][..inputs]);
    let mut sums: [Lane; P] = std::array::from_fn(|at| panels[at * length + inputs]);
    for (p, number) in input.iter().enumerate() {
        // Written out for the reason given in `accumulate`.
        macro_rules! add_to_panel {
            ($($i:literal)*) => { $(
                if $i < P {
                    let lane = weights[$i][p];
                    for j in 0..WIDTH {
                        sums[$i].0[j] = mul_add::<S>(*number, lane.0[j], sums[$i].0[j]);
                    }
                }
            )* };
        }
        add_to_panel!(0 1 2 3);
    }
    to[..P].copy_from_slice(&sums);
}

struct Forward<'a> {
    rows: usize,
    input: &'a [f32],
    input_stride: usize,
    inputs: usize,
    at: usize,
    panel: &'a [Lane],
    output: &'a mut [Lane],
    output_stride: usize,
}

impl Tiles for Forward<'_> {
    #[inline(always)]
    fn tile<S: Simd, const R: usize>(&mut self, _: S, first: usize) {
        let mut sums = [self.panel[self.inputs]; R];
        let numbers = &self.input[first * self.input_stride..];
        let left = Left { numbers, row: self.input_stride, step: 1 };
        let right = Right { lanes: self.panel, step: 1 };
        accumulate::<S, R>(&mut sums, self.inputs, left, right);
        for (row, sums) in sums.into_iter().enumerate() {
            self.output[(first + row) * self.output_stride + self.at] = sums;
        }
    }
}

/// `input = output·weightsᵀ`, both gradients, for the inputs from `first` on.
pub(crate) fn backward(first: usize, output: &Groups, panels: &Panels, input: &mut Groups) {
    struct Task<'a>(Backward<'a>, usize);
    impl Kernel for Task<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let Self(mut backward, first) = self;
            for_each_tile(simd, first, backward.panels.inputs, &mut backward);
        }
    }
    dispatch(Task(Backward { output, panels, input }, first));
}

struct Backward<'a> {
    output: &'a Groups,
    panels: &'a Panels,
    input: &'a mut Groups,
}

impl Tiles for Backward<'_> {
    /// `R` inputs of 16 rows at a time.
    #[inline(always)]
    fn tile<S: Simd, const R: usize>(&mut self, _: S, first: usize) {
        let Panels { outputs, lanes: weights, .. } = self.panels;
        let panel_lanes = self.panels.panel_lanes();
        for (output, input) in self.output.groups().zip(self.input.groups_mut()) {
            let mut sums = [Lane::ZERO; R];
            for (at, block) in output.chunks_exact(WIDTH).enumerate() {
                let weights = numbers(&weights[at * panel_lanes + first..][..R]);
                let left = Left { numbers: weights, row: WIDTH, step: 1 };
                let depth = WIDTH.min(outputs - at * WIDTH);
                accumulate::<S, R>(&mut sums, depth, left, Right { lanes: block, step: 1 });
            }
            input[first..][..R].copy_from_slice(&sums);
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
/// `gradient` has lanes. The rows are added up in their order, whatever parts they are in.
pub(crate) fn weight_gradient<'a>(
    parts: impl Iterator<Item = Part<'a>> + Clone,
    at: usize,
    first: usize,
    gradient: &mut [Lane],
) {
    struct Task<'a, P>(WeightGradient<'a, P>);
    impl<'a, P: Iterator<Item = Part<'a>> + Clone> Kernel for Task<'_, P> {
        #[inline(always)]
        fn run<S: Simd>(mut self, simd: S) {
            let end = self.0.gradient.len();
            for_each_tile(simd, 0, end, &mut self.0);
        }
    }
    dispatch(Task(WeightGradient { parts, at, offset: first, gradient }));
}

struct WeightGradient<'a, P> {
    parts: P,
    at: usize,
    offset: usize,
    gradient: &'a mut [Lane],
}

impl<'a, P: Iterator<Item = Part<'a>> + Clone> Tiles for WeightGradient<'_, P> {
    #[inline(always)]
    fn tile<S: Simd, const R: usize>(&mut self, _: S, first: usize) {
        let mut sums = [Lane::ZERO; R];
        for Part { rows, input, output } in self.parts.clone() {
            let numbers = &input.numbers()[self.offset + first..];
            let left = Left { numbers, row: 1, step: input.stride() * WIDTH };
            let right = Right { lanes: &output.lanes()[self.at..], step: output.stride() };
            accumulate::<S, R>(&mut sums, rows, left, right);
        }
        self.gradient[first..][..R].copy_from_slice(&sums);
    }
}

/// The sum of the gradient of the outputs, for the panel `at`.
pub(crate) fn bias_gradient<'a>(parts: impl Iterator<Item = Part<'a>>, at: usize) -> Lane {
    let mut sums = Lane::ZERO;
    for Part { rows, output, .. } in parts {
        for lane in output.lanes()[at..].iter().step_by(output.stride()).take(rows) {
            for (sum, number) in sums.0.iter_mut().zip(lane.0) {
                *sum += number;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small whole numbers, whose sums are exact in any order.
    fn number(at: usize) -> f32 {
        (at * 7 % 11) as f32 - 5.0
    }

    /// Sixteen rows at a time, as the kernels want them.
    fn filled(rows: usize, width: usize) -> Rows {
        let mut filled = Rows::new(rows.next_multiple_of(WIDTH), width);
        for (at, row) in filled.rows_mut().enumerate() {
            (0..width).for_each(|column| row[column] = number(at * width + column));
        }
        filled
    }

    fn products_are_sums_of_products(rows: usize, inputs: usize, outputs: usize) {
        let weights: Vec<f32> = (0..inputs * outputs).map(number).collect();
        let biases: Vec<f32> = (3..outputs + 3).map(number).collect();
        let panels = Panels::new(inputs, outputs, &weights, &biases);
        let (input, gradient) = (filled(rows, inputs), filled(rows, outputs));

        let mut output = Rows::new(rows, outputs);
        forward(rows, &input, &panels, &mut output);
        for row in 0..rows {
            for (column, bias) in biases.iter().enumerate() {
                let products =
                    (0..inputs).map(|p| input.row(row)[p] * weights[p * outputs + column]);
                assert_eq!(output.row(row)[column], products.sum::<f32>() + bias);
            }
        }

        let padded = rows.next_multiple_of(WIDTH);
        let (mut from, mut to) = (Groups::new(padded, outputs), Groups::new(padded, inputs));
        from.gather(&gradient);
        backward(0, &from, &panels, &mut to);
        let mut input_gradient = Rows::new(padded, inputs);
        to.scatter(None, &mut input_gradient);
        for row in 0..rows {
            for (at, weights) in weights.chunks_exact(outputs).enumerate() {
                let products = gradient.row(row).iter().zip(weights).map(|(g, w)| g * w);
                assert_eq!(input_gradient.row(row)[at], products.sum::<f32>());
            }
        }

        let part = Part { rows, input: &input, output: &gradient };
        for at in 0..lanes(outputs) {
            let mut found = vec![Lane::ZERO; inputs];
            weight_gradient(std::iter::once(part), at, 0, &mut found);
            for (p, lane) in found.iter().enumerate() {
                for column in at * WIDTH..outputs.min((at + 1) * WIDTH) {
                    let products = (0..rows).map(|i| input.row(i)[p] * gradient.row(i)[column]);
                    assert_eq!(lane.0[column - at * WIDTH], products.sum::<f32>());
                }
            }
        }
    }

    #[test]
    fn products_are_sums_of_products_whatever_their_sizes() {
        if cfg!(miri) {
            // It interprets, a thousand times slower.
            products_are_sums_of_products(1, 5, 20);
            return products_are_sums_of_products(9, 5, 20);
        }
        for rows in [1, 2, 9, 17] {
            for inputs in [1, 5, 18] {
                for outputs in [1, 16, 70] {
                    products_are_sums_of_products(rows, inputs, outputs);
                }
            }
        }
    }
}
