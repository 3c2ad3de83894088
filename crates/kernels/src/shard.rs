//! The forward and backward pass of some rows of a batch.

use kiln_model::fill_dropout_factors;
use rand_chacha::ChaCha8Rng;

use crate::batch::{Batch, Places};
use crate::groups::Groups;
use crate::lane::{Rows, WIDTH};
use crate::loss::{Loss, LossRow};
use crate::network::Network;
use crate::product::{Panels, Part, backward, forward};

/// Rows that one thread takes through the whole network, and all that is kept of them until the
/// weights are updated.
#[derive(Debug)]
pub(crate) struct Shard {
    /// How many rows there are at present.
    rows: usize,
    /// The place of the first of them in the batch.
    first: usize,
    /// What goes into the first layer.
    input: Rows,
    layers: Vec<LayerRows>,
    /// The gradient of `input`; only its embedded columns are ever filled.
    input_gradient: Option<Rows>,
    /// The gradients of a layer's sums and of its inputs.
    groups: [Groups; 2],
    /// The loss of each row, not multiplied by its share.
    pub(crate) losses: Vec<f32>,
    /// How many rows were decided right.
    pub(crate) right: usize,
}

/// What a layer makes of some rows.
#[derive(Debug)]
struct LayerRows {
    /// After the activation and dropout.
    output: Rows,
    /// The slope of `output` by the layer's own sums; none for the last layer.
    slope: Option<Rows>,
    /// The gradient of the layer's own sums.
    gradient: Rows,
}

impl Shard {
    /// Room for `rows` rows.
    pub(crate) fn new(network: &Network, rows: usize) -> Self {
        let rows = rows.next_multiple_of(WIDTH);
        let layers = &network.layers;
        // The first layer's inputs need no gradient unless they are embeddings.
        let passed_back = &layers[usize::from(network.tables.is_empty())..];
        let widest = |width: fn(&Panels) -> usize| passed_back.iter().map(width).max().unwrap_or(0);
        let of_layer = |(at, layer): (usize, &Panels)| LayerRows {
            output: Rows::new(rows, layer.outputs),
            slope: (at + 1 < layers.len()).then(|| Rows::new(rows, layer.outputs)),
            gradient: Rows::new(rows, layer.outputs),
        };
        let input = || Rows::new(rows, layers[0].inputs);
        Self {
            rows: 0,
            first: 0,
            input: input(),
            layers: layers.iter().enumerate().map(of_layer).collect(),
            input_gradient: (!network.tables.is_empty()).then(input),
            groups: [
                Groups::new(rows, widest(|layer| layer.outputs)),
                Groups::new(rows, widest(|layer| layer.inputs)),
            ],
            losses: Vec::with_capacity(rows),
            right: 0,
        }
    }

    /// The part of the batch that this is to be, which may be empty.
    pub(crate) fn take(&mut self, first: usize, rows: usize) {
        (self.first, self.rows) = (first, rows);
    }

    /// The rows of the batch that these are.
    pub(crate) fn rows_of<'a>(&self, batch: &Batch<'a>) -> &'a [u32] {
        &batch.rows[self.first..][..self.rows]
    }

    /// What the gradient of a layer's weights is made of.
    pub(crate) fn part(&self, layer: usize) -> Part<'_> {
        let input = if layer == 0 { &self.input } else { &self.layers[layer - 1].output };
        Part { rows: self.rows, input, output: &self.layers[layer].gradient }
    }

    /// The gradient of what went into the first layer, in its embedded columns.
    pub(crate) fn input_gradient(&self, row: usize) -> &[f32] {
        self.input_gradient.as_ref().expect("there are embeddings").row(row)
    }

    /// The loss of each row, and the gradient of each layer's sums.
    pub(crate) fn run(
        &mut self,
        network: &Network,
        loss: &Loss,
        dropout: &Dropout,
        batch: &Batch<'_>,
    ) {
        for (at, row) in self.rows_of(batch).iter().enumerate() {
            network.gather(batch.features(network, *row), self.input.row_mut(at));
        }
        self.forward(network, dropout, batch);
        self.loss(network, loss, batch);
        self.backward(network);
    }

    fn forward(&mut self, network: &Network, dropout: &Dropout, batch: &Batch<'_>) {
        let places = batch.places(self.first, self.rows);
        let (rate, width) = (dropout.input_rate, network.dense_inputs());
        let features = DropoutLayer { rate, drawn: 0, width };
        dropout.apply(features, places, &mut self.input, None, self.rows);
        let mut drawn = features.draws(batch.batch_rows());
        for (at, panels) in network.layers.iter().enumerate() {
            let (before, after) = self.layers.split_at_mut(at);
            let input = before.last().map_or(&self.input, |layer| &layer.output);
            let LayerRows { output, slope, .. } = &mut after[0];
            forward(self.rows, input, panels, output);
            let Some(slope) = slope else { continue };
            let values = output.head_mut(self.rows);
            network.function.forward(values, slope.head_mut(self.rows));
            let layer = DropoutLayer { rate: dropout.rate, drawn, width: panels.outputs };
            dropout.apply(layer, places, output, Some(slope), self.rows);
            drawn += layer.draws(batch.batch_rows());
        }
    }

    fn loss(&mut self, network: &Network, loss: &Loss, batch: &Batch<'_>) {
        let (outputs, rows) = (network.d_output(), self.rows_of(batch));
        let LayerRows { output, gradient, .. } = self.layers.last_mut().expect("a last layer");
        let decided = output.rows().zip(rows).filter(|(logits, row)| {
            loss.is_right(&logits[..outputs], batch.targets, **row as usize)
        });
        self.right = decided.count();
        let pairs = output.rows().zip(gradient.rows_mut()).zip(rows);
        let rows = pairs.map(|((logits, gradient), row)| {
            let (row, share) = (*row as usize, batch.share(*row));
            let row = LossRow { logits: &logits[..outputs], targets: batch.targets, row, share };
            (row, &mut gradient[..outputs])
        });
        self.losses.clear();
        loss.rows(rows, &mut self.losses);
    }

    fn backward(&mut self, network: &Network) {
        for (at, panels) in network.layers.iter().enumerate().rev() {
            let (before, after) = self.layers.split_at_mut(at);
            let (first, slopes, input) = match (before.last_mut(), &mut self.input_gradient) {
                (Some(layer), _) => (0, layer.slope.as_ref(), &mut layer.gradient),
                (None, Some(gradient)) => (network.dense_inputs(), None, gradient),
                (None, None) => continue,
            };
            let [output_groups, input_groups] = &mut self.groups;
            output_groups.resize(self.rows, panels.outputs);
            output_groups.gather(&after[0].gradient);
            input_groups.resize(self.rows, panels.inputs);
            backward(first, output_groups, panels, input_groups);
            input_groups.scatter(slopes, input);
        }
    }
}

/// Inverted dropout (Srivastava et al. 2014), drawn number by number in the order of the layers, the features
/// first, and in each in that of the batch.
#[derive(Debug)]
pub(crate) struct Dropout {
    /// Fraction in [0, 1) of the dense features.
    pub(crate) input_rate: f64,
    /// Fraction in [0, 1) of each hidden layer's outputs.
    pub(crate) rate: f64,
    /// Where the draws of the iteration start.
    pub(crate) rng: ChaCha8Rng,
}

/// The first numbers of each row of a matrix, some of which are dropped.
#[derive(Debug, Clone, Copy)]
struct DropoutLayer {
    rate: f64,
    /// Numbers drawn for the layers before.
    drawn: usize,
    width: usize,
}

impl DropoutLayer {
    /// Numbers drawn for a batch of so many rows.
    fn draws(self, rows: usize) -> usize {
        if self.rate == 0.0 { 0 } else { rows * self.width }
    }
}

/// Drawn at a time: what takes no memory of its own.
const FACTORS: usize = 64;

impl Dropout {
    /// Sets numbers to 0, or makes up for that in the others; in values and slopes the same ones.
    fn apply(
        &self,
        DropoutLayer { rate, drawn, width }: DropoutLayer,
        places: Places<'_>,
        values: &mut Rows,
        mut slopes: Option<&mut Rows>,
        rows: usize,
    ) {
        if rate == 0.0 {
            return;
        }
        let mut rng = self.rng.clone();
        let start = self.rng.get_word_pos() + drawn as u128;
        let mut factors = [0.0; FACTORS];
        for row in 0..rows {
            let place = match places {
                Places::From(first) => (row == 0).then_some(first),
                Places::At(places) => Some(places[row] as usize),
            };
            if let Some(place) = place {
                rng.set_word_pos(start + (place * width) as u128);
            }
            for first in (0..width).step_by(FACTORS) {
                let factors = &mut factors[..FACTORS.min(width - first)];
                fill_dropout_factors(rate, &mut rng, factors);
                let multiply = |numbers: &mut [f32]| {
                    let numbers = numbers[first..].iter_mut().zip(&*factors);
                    numbers.for_each(|(number, factor)| *number *= factor);
                };
                multiply(values.row_mut(row));
                if let Some(slopes) = &mut slopes {
                    multiply(slopes.row_mut(row));
                }
            }
        }
    }
}
