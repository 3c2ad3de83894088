use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use crate::line::WIDTH;
use crate::loss::{Loss, Targets};
use crate::network::Network;
use crate::optimizer::{Optimizer, Rule};
use crate::shard::{Dropout, Shard};
use crate::threads::threads_for;
use crate::update::{Clipping, State};

/// All that a training run does not change.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainerConfig {
    /// The loss of a row.
    pub loss: Loss,
    /// How the gradient changes the weights.
    pub optimizer: Optimizer,
    /// What is done to the gradient before that.
    pub clipping: Option<Clipping>,
    /// Fraction in [0, 1) of the features set to zero, but those that are category indices.
    pub input_dropout: f64,
    /// Fraction in [0, 1) of each hidden layer's outputs set to zero.
    pub dropout: f64,
    /// The most rows in a batch.
    pub batch_size: usize,
}

/// Some rows of a dataset in host memory: a batch, or one process's part of one.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Row-major, of the whole dataset.
    pub features: &'a [f32],
    /// Of the whole dataset.
    pub targets: Targets<'a>,
    /// Of the whole dataset, where rows carry weights.
    pub weights: Option<&'a [f32]>,
    /// The rows of this batch, or part.
    pub rows: &'a [u32],
    /// Where each of them stands in the batch, if not one behind the other from its beginning.
    positions: Option<&'a [u32]>,
    /// Of the whole batch.
    batch_rows: usize,
    weight: f64,
    /// What the loss of a row is multiplied by, beside its weight.
    scale: f32,
}

impl<'a> Batch<'a> {
    /// The given rows of a dataset.
    pub fn new(
        features: &'a [f32],
        targets: Targets<'a>,
        weights: Option<&'a [f32]>,
        rows: &'a [u32],
    ) -> Self {
        let weight = weight(weights, rows);
        // A batch may by chance hold rows of weight 0 only; they ask for no update.
        let scale = (1.0 / weight.max(f64::from(f32::MIN_POSITIVE))) as f32;
        let (positions, batch_rows) = (None, rows.len());
        Self { features, targets, weights, rows, positions, batch_rows, weight, scale }
    }

    /// The rows of a dataset that one process takes of a batch of `batch_rows`, where other processes take
    /// the others: for [`Trainer::step_together`].
    ///
    /// `positions` says where each of them stands in the batch, which decides its dropout. There may be no row.
    ///
    /// # Panics
    ///
    /// If there are not as many positions as rows.
    pub fn part(
        features: &'a [f32],
        targets: Targets<'a>,
        weights: Option<&'a [f32]>,
        rows: &'a [u32],
        positions: &'a [u32],
        batch_rows: usize,
    ) -> Self {
        assert_eq!(rows.len(), positions.len(), "a position for each row");
        // What all rows of the batch weigh is known only when all have been asked.
        let scale = (1.0 / batch_rows as f64) as f32;
        let (weight, positions) = (weight(weights, rows), Some(positions));
        Self { features, targets, weights, rows, positions, batch_rows, weight, scale }
    }

    /// The number of rows, or the sum of their weights: of a part, its own.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    pub(crate) fn features(&self, network: &Network, row: u32) -> &'a [f32] {
        let width = network.d_input();
        &self.features[row as usize * width..][..width]
    }

    /// The part that a row's loss has in the mean.
    pub(crate) fn share(&self, row: u32) -> f32 {
        self.weights.map_or(1.0, |weights| weights[row as usize]) * self.scale
    }

    pub(crate) fn batch_rows(&self) -> usize {
        self.batch_rows
    }

    /// Where the rows of a range of this part stand in the batch.
    pub(crate) fn places(&self, first: usize, rows: usize) -> Places<'a> {
        match self.positions {
            None => Places::From(first),
            Some(positions) => Places::At(&positions[first..][..rows]),
        }
    }
}

/// Where rows stand in a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Places<'a> {
    /// One behind the other.
    From(usize),
    /// Each by itself.
    At(&'a [u32]),
}

fn weight(weights: Option<&[f32]>, rows: &[u32]) -> f64 {
    match weights {
        None => rows.len() as f64,
        Some(weights) => rows.iter().map(|row| f64::from(weights[*row as usize])).sum(),
    }
}

/// What a step of several processes has found in its whole batch, before the update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Together {
    /// The mean loss, in nats.
    pub loss: f32,
    /// The number of rows, or the sum of their weights.
    pub weight: f64,
    /// How many rows were decided right, in every label.
    pub right: usize,
}

/// A network in training: its weights, and what the optimizer keeps of them.
///
/// The same numbers come out whatever the number of threads.
#[derive(Debug)]
pub struct Trainer {
    network: Network,
    config: TrainerConfig,
    state: State,
    shards: Vec<Shard>,
    /// Steps so far.
    time: usize,
}

impl Trainer {
    /// A run from the network's present weights.
    pub fn new(network: Network, config: TrainerConfig) -> Self {
        // Forward, to the inputs' and to the weights' gradient.
        let threads = threads_for(3 * network.flops() * config.batch_size);
        let shard_rows = config.batch_size.div_ceil(threads).next_multiple_of(WIDTH);
        let shards = config.batch_size.div_ceil(shard_rows);
        Self {
            state: State::new(&network, config.optimizer, config.clipping),
            shards: (0..shards).map(|_| Shard::new(&network, shard_rows)).collect(),
            time: 0,
            network,
            config,
        }
    }

    /// The network with its present weights.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What the optimizer keeps of the parameters: for each of its slots ([`Optimizer::slots`]) one number
    /// for each parameter, in the order of [`kiln_model::MlpConfig::tensor_shapes`].
    pub fn slots(&mut self) -> Vec<Vec<f32>> {
        self.state.slots(&self.network)
    }

    /// Makes it as if `steps` steps had led to the network's present weights and left `slots`: the next step
    /// is then, bit for bit, the one that would have followed.
    ///
    /// # Panics
    ///
    /// If the slots are not as many, or not as long, as those of [`Trainer::slots`].
    pub fn go_on_after(&mut self, steps: usize, slots: &[Vec<f32>]) {
        self.state.set_slots(&self.network, slots);
        self.time = steps;
    }

    /// One iteration: forward pass, mean loss (weighted where rows carry weights), backward pass,
    /// update. Returns the mean loss before the update, in nats.
    ///
    /// `dropout` stands where the iteration's draws start; without dropout it is not used.
    ///
    /// # Panics
    ///
    /// If the batch is larger than `batch_size`, has no rows, or does not fit the network.
    pub fn step(&mut self, batch: &Batch<'_>, learning_rate: f64, dropout: &ChaCha8Rng) -> f32 {
        assert!(!batch.rows.is_empty(), "a batch of 0 rows");
        let rule = self.run(batch, learning_rate, dropout);
        let Self { network, config, state, shards, .. } = self;
        state.update(network, shards, batch, &rule, config.clipping, None);
        self.loss(batch) as f32
    }

    /// As [`Trainer::step`], with other processes, each of which has a part of the batch ([`Batch::part`]).
    ///
    /// `sum` is to put in the place of each number its sum over all processes, the same on each of them bit
    /// for bit; there are as many numbers as the network has parameters, and a few more. As long as all
    /// processes begin alike and keep step, their networks stay the same, and are but for rounding what a
    /// single process makes of the whole batches.
    ///
    /// # Panics
    ///
    /// If the part is larger than `batch_size`, or does not fit the network.
    pub fn step_together(
        &mut self,
        part: &Batch<'_>,
        learning_rate: f64,
        dropout: &ChaCha8Rng,
        sum: &mut dyn FnMut(&mut Vec<f32>),
    ) -> Together {
        let rule = self.run(part, learning_rate, dropout);
        let own = [self.loss(part) as f32, part.weight as f32, self.right() as f32];
        let Self { network, config, state, shards, .. } = self;
        let mut of_all = [0.0; 3];
        let mut sum = |numbers: &mut Vec<f32>| {
            numbers.extend(own);
            sum(numbers);
            of_all.copy_from_slice(&numbers[numbers.len() - 3..]);
            numbers.truncate(numbers.len() - 3);
            // The scale of a part is made for rows that weigh 1.
            let scale = part.batch_rows as f32 / of_all[1].max(f32::MIN_POSITIVE);
            if scale != 1.0 {
                numbers.iter_mut().chain(&mut of_all[..1]).for_each(|number| *number *= scale);
            }
        };
        state.update(network, shards, part, &rule, config.clipping, Some(&mut sum));
        let [loss, weight, right] = of_all;
        Together { loss, weight: f64::from(weight), right: right as usize }
    }

    /// The forward and the backward pass of a step, and the rule of its update.
    fn run(&mut self, batch: &Batch<'_>, learning_rate: f64, dropout: &ChaCha8Rng) -> Rule {
        let rows = batch.rows.len();
        assert!(rows <= self.config.batch_size, "a batch of {rows} rows");
        let Self { network, config, shards, time, .. } = self;
        *time += 1;
        let shard_rows = rows.div_ceil(shards.len()).next_multiple_of(WIDTH);
        let dropout = Dropout {
            input_rate: config.input_dropout,
            rate: config.dropout,
            rng: dropout.clone(),
        };
        for (at, shard) in shards.iter_mut().enumerate() {
            let first = rows.min(at * shard_rows);
            shard.take(first, shard_rows.min(rows - first));
        }
        let run = |shard: &mut Shard| shard.run(&*network, &config.loss, &dropout, batch);
        match shards.as_mut_slice() {
            [shard] => run(shard),
            shards => shards.par_iter_mut().for_each(run),
        }
        config.optimizer.rule(*time, learning_rate)
    }

    /// How many rows of the last step were decided right, in every label, before its update and with its
    /// dropout; 0 before the first.
    pub fn right(&self) -> usize {
        self.shards.iter().map(|shard| shard.right).sum()
    }

    /// The slope of the mean loss of a batch by each parameter, in the order of
    /// [`kiln_model::MlpConfig::tensor_shapes`], at the present weights: without dropout and clipping.
    ///
    /// A step never has the whole gradient at hand, it is used up panel by panel; so this costs more than a
    /// step, and memory for a second network.
    ///
    /// # Panics
    ///
    /// As [`Trainer::step`].
    pub fn gradient(&self, batch: &Batch<'_>) -> Vec<f32> {
        let config = TrainerConfig {
            // Its first velocity is the gradient.
            optimizer: Optimizer::Sgd { momentum: 0.5, nesterov: false, weight_decay: 0.0 },
            clipping: None,
            input_dropout: 0.0,
            dropout: 0.0,
            batch_size: batch.rows.len(),
            loss: self.config.loss.clone(),
        };
        let mut once = Self::new(self.network.clone(), config);
        once.step(batch, 0.0, &ChaCha8Rng::seed_from_u64(0));
        once.slots().swap_remove(0)
    }

    fn loss(&self, batch: &Batch<'_>) -> f64 {
        let losses = self.shards.iter().flat_map(|shard| &shard.losses);
        let shares = batch.rows.iter().map(|row| batch.share(*row));
        losses.zip(shares).map(|(loss, share)| f64::from(loss * share)).sum()
    }
}
