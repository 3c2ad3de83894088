//! From the shards' gradients to new weights.

use std::ops::Range;

use crate::batch::Batch;
use crate::lane::{Lane, numbers, numbers_mut};
use crate::network::{Network, Table};
use crate::optimizer::{Optimizer, Rule};
use crate::product::{Panels, bias_gradient, weight_gradient};
use crate::shard::Shard;

/// Lanes of a panel whose gradient is computed and used at once: it stays in the first-level cache, with
/// the rows it is made of.
const BLOCK: usize = 48;

/// What is done to the gradient before it is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clipping {
    /// Each element is limited to between minus this and this.
    Value(f32),
    /// The whole gradient is scaled down so that its Euclidean norm is at most this.
    Norm(f64),
}

/// Puts in the place of each number its sum over several processes.
pub(crate) type Sum<'a> = &'a mut dyn FnMut(&mut Vec<f32>);

/// What the optimizer keeps of each weight.
#[derive(Debug)]
pub(crate) struct State {
    slots: usize,
    /// One per embedding: the slots, one after the other.
    tables: Vec<Vec<f32>>,
    /// One per layer; for each block of a panel the slots, one after the other.
    layers: Vec<Vec<Lane>>,
    /// Room for the whole gradient, which is needed at once for its norm and for other processes only.
    gradient: Option<Vec<Panels>>,
    /// Room for what goes to other processes.
    exchanged: Vec<f32>,
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
                .map(|layer| vec![Lane::ZERO; slots * layer.lanes.len()])
                .collect(),
            gradient: by_norm.then(|| network.layers.clone()),
            exchanged: Vec::new(),
        }
    }

    /// The numbers of each slot: one for each parameter, tables first, then of each layer the weights and
    /// the biases.
    pub(crate) fn slots(&mut self, network: &Network) -> Vec<Vec<f32>> {
        let all = self.slots;
        let numbers = |slot: usize| {
            let tables = self.tables.iter().map(|table| {
                let len = table.len() / all;
                table[slot * len..][..len].to_vec()
            });
            let mut layers = network.layers.clone();
            for_each_block(
                1,
                &mut layers,
                &mut self.layers,
                all,
                |Block { lanes, state, .. }| {
                    lanes.copy_from_slice(&state[slot * lanes.len()..][..lanes.len()]);
                },
            );
            let tables: Vec<Vec<f32>> = tables.collect();
            tables.into_iter().chain(layers.iter().flat_map(Panels::unpack)).flatten().collect()
        };
        (0..all).map(numbers).collect()
    }

    /// Takes back what [`State::slots`] has given.
    pub(crate) fn set_slots(&mut self, network: &Network, slots: &[Vec<f32>]) {
        let all = self.slots;
        assert_eq!(slots.len(), all, "as many slots as the optimizer has");
        for (slot, mut numbers) in slots.iter().map(Vec::as_slice).enumerate() {
            let mut take = |len| numbers.split_off(..len).expect("a number for each parameter");
            for table in &mut self.tables {
                let len = table.len() / all;
                table[slot * len..][..len].copy_from_slice(take(len));
            }
            let panels = |layer: &Panels| {
                let (inputs, outputs) = (layer.inputs, layer.outputs);
                let weights = take(inputs * outputs);
                Panels::new(inputs, outputs, weights, take(outputs))
            };
            let mut layers: Vec<Panels> = network.layers.iter().map(panels).collect();
            assert!(numbers.is_empty(), "a number for each parameter");
            for_each_block(
                1,
                &mut layers,
                &mut self.layers,
                all,
                |Block { lanes, state, .. }| {
                    state[slot * lanes.len()..][..lanes.len()].copy_from_slice(lanes);
                },
            );
        }
    }

    /// One step of the optimizer, from what the shards hold; `sum` adds what other processes hold to the
    /// gradient.
    pub(crate) fn update(
        &mut self,
        network: &mut Network,
        shards: &[Shard],
        batch: &Batch<'_>,
        rule: &Rule,
        clipping: Option<Clipping>,
        sum: Option<Sum<'_>>,
    ) {
        let threads = shards.len();
        let mut tables = table_gradients(network, shards, batch);
        if sum.is_some() {
            self.gradient.get_or_insert_with(|| network.layers.clone());
        }
        if let Some(layers) = &mut self.gradient {
            let nothing_kept = &mut vec![Vec::new(); layers.len()];
            for_each_block(threads, layers, nothing_kept, 0, |block| {
                block_gradient(shards, &block.place, block.lanes);
            });
        }
        if let (Some(sum), Some(layers)) = (sum, &mut self.gradient) {
            exchange(sum, &mut self.exchanged, &mut tables, layers);
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

        let of_tables = network.tables.iter_mut().zip(&mut self.tables).zip(&mut tables);
        for ((table, state), gradient) in of_tables {
            clip(gradient);
            apply(rule, &mut table.values, gradient, state);
        }
        for_each_block(threads, &mut network.layers, &mut self.layers, self.slots, |block| {
            let Block { place, lanes, state } = block;
            let mut gradient = [Lane::ZERO; BLOCK];
            let gradient = &mut gradient[..lanes.len()];
            match whole {
                None => block_gradient(shards, &place, gradient),
                Some(layers) => {
                    let panels = &layers[place.layer];
                    let first = place.panel * panels.panel_lanes() + place.first;
                    gradient.copy_from_slice(&panels.lanes[first..][..gradient.len()]);
                }
            }
            clip(numbers_mut(gradient));
            apply(rule, numbers_mut(lanes), numbers(gradient), numbers_mut(state));
        });
    }
}

/// Adds up the gradients of several processes: tables first, then layers, as they are laid out here.
fn exchange(sum: Sum<'_>, buffer: &mut Vec<f32>, tables: &mut [Vec<f32>], layers: &mut [Panels]) {
    buffer.clear();
    tables.iter().for_each(|table| buffer.extend_from_slice(table));
    layers.iter().for_each(|layer| buffer.extend_from_slice(numbers(&layer.lanes)));
    sum(buffer);
    let mut rest = buffer.as_slice();
    let parts = tables.iter_mut().map(Vec::as_mut_slice);
    let parts = parts.chain(layers.iter_mut().map(|layer| numbers_mut(&mut layer.lanes)));
    for part in parts {
        let summed = rest.split_off(..part.len()).expect("as many numbers as before");
        part.copy_from_slice(summed);
    }
}

/// The optimizer's pass over some parameters; `state` holds their slots one after the other.
fn apply(rule: &Rule, parameters: &mut [f32], gradient: &[f32], state: &mut [f32]) {
    // At most four, of `Optimizer::Adan`.
    let mut parts: [&mut [f32]; 4] = Default::default();
    let mut slots = 0;
    for slot in state.chunks_exact_mut(parameters.len()) {
        parts[slots] = slot;
        slots += 1;
    }
    rule.apply(parameters, gradient, &mut parts[..slots]);
}

/// What a gradient is multiplied by so that its norm is at most `norm`.
fn clipping_factor(norm: f64, tables: &[Vec<f32>], layers: &[Panels]) -> f32 {
    let squares =
        |numbers: &[f32]| -> f64 { numbers.iter().map(|g| f64::from(*g) * f64::from(*g)).sum() };
    let tables: f64 = tables.iter().map(|table| squares(table)).sum();
    let layers: f64 = layers.iter().map(|layer| squares(numbers(&layer.lanes))).sum();
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

/// The gradient of a block's weights and, where it has them, of the biases.
fn block_gradient(shards: &[Shard], place: &Place, gradient: &mut [Lane]) {
    let parts = shards.iter().map(|shard| shard.part(place.layer));
    let weights = gradient.len().min(place.inputs - place.first);
    let (weights, biases) = gradient.split_at_mut(weights);
    weight_gradient(parts.clone(), place.panel, place.first, weights);
    if let [biases] = biases {
        *biases = bias_gradient(parts, place.panel);
    }
}

/// Some lanes of a panel.
struct Block<'a> {
    place: Place,
    lanes: &'a mut [Lane],
    /// What is kept of them.
    state: &'a mut [Lane],
}

/// Where a block's lanes are. The biases of a panel are the lane after those of its inputs.
struct Place {
    layer: usize,
    panel: usize,
    /// Lane of the panel.
    first: usize,
    /// Of the layer.
    inputs: usize,
}

/// Calls `work` with each block.
///
/// Each thread always takes the same blocks, if it can: what it has changed at the last step is in its own
/// core's cache, and costs several times as much to fetch from there into another's.
fn for_each_block(
    threads: usize,
    layers: &mut [Panels],
    states: &mut [Vec<Lane>],
    slots: usize,
    work: impl Fn(Block<'_>) + Sync,
) {
    let layers = layers.iter_mut().zip(states).enumerate();
    let layers = layers.map(|(layer, (panels, state))| Blocks::new(layer, panels, state, slots));
    // One thread needs no list of the layers: its steps allocate nothing.
    if threads > 1 {
        in_parts(threads, layers.collect(), &work);
    } else {
        layers.flatten().for_each(work);
    }
}

fn in_parts(threads: usize, layers: Vec<Blocks<'_>>, work: &(impl Fn(Block<'_>) + Sync)) {
    if threads == 1 {
        return layers.into_iter().flatten().for_each(work);
    }
    let half = threads / 2;
    let (left, right) = layers.into_iter().map(|blocks| blocks.split(half, threads)).unzip();
    rayon::join(|| in_parts(half, left, work), || in_parts(threads - half, right, work));
}

/// Successive blocks of a layer.
struct Blocks<'a> {
    layer: usize,
    inputs: usize,
    panel_lanes: usize,
    slots: usize,
    /// Of the blocks in all panels.
    range: Range<usize>,
    lanes: &'a mut [Lane],
    state: &'a mut [Lane],
}

impl<'a> Blocks<'a> {
    /// All of a layer.
    fn new(layer: usize, panels: &'a mut Panels, state: &'a mut [Lane], slots: usize) -> Self {
        let (inputs, panel_lanes) = (panels.inputs, panels.panel_lanes());
        let lanes = panels.lanes.as_mut_slice();
        let panels = lanes.len() / panel_lanes;
        let mut blocks = Self { layer, inputs, panel_lanes, slots, range: 0..0, lanes, state };
        blocks.range.end = panels * blocks.of_panel();
        blocks
    }

    /// Blocks in a panel.
    fn of_panel(&self) -> usize {
        (self.inputs + 1).div_ceil(BLOCK)
    }

    /// The lane of the layer at which a block begins.
    fn lane(&self, block: usize) -> usize {
        let of_panel = self.of_panel();
        block / of_panel * self.panel_lanes + block % of_panel * BLOCK
    }

    /// The first `part` of `whole` parts, and the rest.
    fn split(self, part: usize, whole: usize) -> (Self, Self) {
        let Range { start, end } = self.range;
        let middle = start + (end - start) * part / whole;
        let at = self.lane(middle) - self.lane(start);
        let (lanes, later_lanes) = self.lanes.split_at_mut(at);
        let (state, later_state) = self.state.split_at_mut(self.slots * at);
        (
            Self { range: start..middle, lanes, state, ..self },
            Self { range: middle..end, lanes: later_lanes, state: later_state, ..self },
        )
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        let block = self.range.next()?;
        // Up to the next block, and so with what fills up a panel.
        let taken = self.lane(block + 1) - self.lane(block);
        let lanes = self.lanes.split_off_mut(..taken)?;
        let state = self.state.split_off_mut(..self.slots * taken)?;
        let (panel, first) = (block / self.of_panel(), block % self.of_panel() * BLOCK);
        let place = Place { layer: self.layer, panel, first, inputs: self.inputs };
        let filled = taken.min(self.inputs + 1 - first);
        Some(Block { place, lanes: &mut lanes[..filled], state: &mut state[..self.slots * filled] })
    }
}
