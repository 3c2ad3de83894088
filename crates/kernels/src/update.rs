//! From the shards' gradients to new weights.

use rayon::prelude::*;

use crate::line::{Line, WIDTH, numbers, numbers_mut};
use crate::network::{Network, Table};
use crate::optimizer::{Optimizer, Rule};
use crate::product::{Panels, bias_gradient, weight_gradient};
use crate::shard::Shard;
use crate::trainer::Batch;

/// Lines of a panel whose gradient is computed and used at once: it stays in the first-level cache.
const BLOCK: usize = 48;

/// What is done to the gradient before it is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clipping {
    /// Each element is limited to between minus this and this.
    Value(f32),
    /// The whole gradient is scaled down so that its Euclidean norm is at most this.
    Norm(f64),
}

/// What the optimizer keeps of each weight.
#[derive(Debug)]
pub(crate) struct State {
    slots: usize,
    /// One per embedding: the slots, one after the other.
    tables: Vec<Vec<f32>>,
    /// One per layer; for each panel the slots, one after the other.
    layers: Vec<Vec<Line>>,
    /// Room for the whole gradient, which is needed at once for its norm only.
    gradient: Option<Vec<Panels>>,
}

impl State {
    pub(crate) fn new(network: &Network, optimizer: Optimizer, clipping: Option<Clipping>) -> Self {
        let slots = optimizer.slots();
        let by_norm = matches!(clipping, Some(Clipping::Norm(_)));
        Self {
            slots,
            tables: network
                .tables
                .iter()
                .map(|table| vec![0.0; slots * table.values.len()])
                .collect(),
            layers: network
                .layers
                .iter()
                .map(|layer| vec![Line::ZERO; slots * layer.lines.len()])
                .collect(),
            gradient: by_norm.then(|| network.layers.clone()),
        }
    }

    /// One step of the optimizer, from what the shards hold.
    pub(crate) fn update(
        &mut self,
        network: &mut Network,
        shards: &[Shard],
        batch: &Batch<'_>,
        rule: &Rule,
        clipping: Option<Clipping>,
    ) {
        let parallel = shards.len() > 1;
        let mut tables = table_gradients(network, shards, batch);
        if let Some(layers) = &mut self.gradient {
            let nothing_kept = &mut vec![Vec::new(); layers.len()];
            for_each_panel(parallel, layers, nothing_kept, 0, |panel, _| {
                let Panel { place, inputs, lines } = panel;
                panel_gradient(shards, place, inputs, 0, &mut lines[..=inputs]);
            });
        }
        let whole = self.gradient.as_deref();
        let factor = match (clipping, whole) {
            (Some(Clipping::Norm(norm)), Some(layers)) => clipping_factor(norm, &tables, layers),
            _ => 1.0,
        };
        let clip = |numbers: &mut [f32]| match clipping {
            None => {}
            Some(Clipping::Value(limit)) => {
                numbers.iter_mut().for_each(|g| *g = g.clamp(-limit, limit));
            }
            Some(Clipping::Norm(_)) => numbers.iter_mut().for_each(|g| *g *= factor),
        };

        let slots = self.slots;
        let of_tables = network.tables.iter_mut().zip(&mut self.tables).zip(&mut tables);
        for ((table, state), gradient) in of_tables {
            clip(gradient);
            let length = gradient.len();
            with_slots(state, length, [0, length], |state| {
                rule.apply(&mut table.values, gradient, state);
            });
        }
        for_each_panel(parallel, &mut network.layers, &mut self.layers, slots, |panel, state| {
            let Panel { place, inputs, lines } = panel;
            let length = lines.len();
            let mut block = [Line::ZERO; BLOCK];
            for first in (0..=inputs).step_by(BLOCK) {
                let block_lines = BLOCK.min(inputs + 1 - first);
                let gradient = &mut block[..block_lines];
                match whole {
                    None => panel_gradient(shards, place, inputs, first, gradient),
                    Some(layers) => {
                        let [layer, at] = place;
                        let whole = &layers[layer].lines[at * length + first..];
                        gradient.copy_from_slice(&whole[..block_lines]);
                    }
                }
                clip(numbers_mut(gradient));
                let parameters = numbers_mut(&mut lines[first..first + block_lines]);
                let part = [first * WIDTH, block_lines * WIDTH];
                with_slots(numbers_mut(state), length * WIDTH, part, |state| {
                    rule.apply(parameters, numbers(gradient), state);
                });
            }
        });
    }
}

/// What a gradient is multiplied by so that its norm is at most `norm`.
fn clipping_factor(norm: f64, tables: &[Vec<f32>], layers: &[Panels]) -> f32 {
    let squares =
        |numbers: &[f32]| -> f64 { numbers.iter().map(|g| f64::from(*g) * f64::from(*g)).sum() };
    let tables: f64 = tables.iter().map(|table| squares(table)).sum();
    let layers: f64 = layers.iter().map(|layer| squares(numbers(&layer.lines))).sum();
    // An infinite norm gives the factor 0, and 0·∞ is NaN: the run then stops with a diverged loss,
    // as it should.
    (norm / ((tables + layers).sqrt() + f64::from(f32::MIN_POSITIVE))).min(1.0) as f32
}

/// The gradient of each embedding: the rows of the batch are added to the categories they have.
fn table_gradients(network: &Network, shards: &[Shard], batch: &Batch<'_>) -> Vec<Vec<f32>> {
    let (first, mut at) = (network.dense_inputs(), network.dense_inputs());
    let gradient = |(column, table): (usize, &Table)| {
        let mut gradient = vec![0.0; table.values.len()];
        for shard in shards {
            for (place, row) in shard.rows_of(batch).iter().enumerate() {
                let category = batch.features(network, *row)[first + column];
                let of_row = &shard.input_gradient(place)[at..][..table.width];
                let sums = &mut gradient[table.vector(category)];
                sums.iter_mut().zip(of_row).for_each(|(sum, g)| *sum += g);
            }
        }
        at += table.width;
        gradient
    };
    network.tables.iter().enumerate().map(gradient).collect()
}

/// The gradient of some lines of a panel, from `first` on: of weights, and of the biases, which are
/// the line `inputs`.
fn panel_gradient(
    shards: &[Shard],
    [layer, at]: [usize; 2],
    inputs: usize,
    first: usize,
    gradient: &mut [Line],
) {
    let parts = shards.iter().map(|shard| shard.part(layer));
    let weights = gradient.len().min(inputs - first);
    let (weights, biases) = gradient.split_at_mut(weights);
    weight_gradient(parts.clone(), at, first, weights);
    if let [biases] = biases {
        *biases = bias_gradient(parts, at);
    }
}

/// 16 outputs of a layer.
struct Panel<'a> {
    /// `[layer, place in the layer]`.
    place: [usize; 2],
    /// Of the layer.
    inputs: usize,
    lines: &'a mut [Line],
}

/// Calls `work` with each panel and what is kept of it.
fn for_each_panel(
    parallel: bool,
    layers: &mut [Panels],
    states: &mut [Vec<Line>],
    slots: usize,
    work: impl Fn(Panel<'_>, &mut [Line]) + Sync,
) {
    let of_layer = |(layer, (panels, state)): (usize, (&mut Panels, &mut Vec<Line>))| {
        let (inputs, length) = (panels.inputs, panels.panel_lines());
        let mut rest = state.as_mut_slice();
        let states = std::iter::repeat_with(|| {
            rest.split_off_mut(..slots * length).expect("a state for each panel")
        });
        let panels = panels.lines.chunks_exact_mut(length).zip(states).enumerate();
        let work = |(at, (lines, state)): (usize, (&mut [Line], &mut [Line]))| {
            work(Panel { place: [layer, at], inputs, lines }, state);
        };
        if parallel {
            panels.collect::<Vec<_>>().into_par_iter().for_each(work);
        } else {
            panels.for_each(work);
        }
    };
    if parallel {
        layers.par_iter_mut().zip(states).enumerate().for_each(of_layer);
    } else {
        layers.iter_mut().zip(states).enumerate().for_each(of_layer);
    }
}

/// Calls `work` with the part `[first, count]` of each slot of a state, whose slots are `length` long.
fn with_slots(
    state: &mut [f32],
    length: usize,
    [first, count]: [usize; 2],
    work: impl FnOnce(&mut [&mut [f32]]),
) {
    // At most four, of `Optimizer::Adan`.
    let mut parts: [&mut [f32]; 4] = Default::default();
    let mut slots = 0;
    for slot in state.chunks_exact_mut(length) {
        parts[slots] = &mut slot[first..first + count];
        slots += 1;
    }
    work(&mut parts[..slots]);
}
