use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use crate::batch::Batch;
use crate::lane::WIDTH;
use crate::loss::Loss;
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

/// What a step of several processes has found in its whole batch, before the update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DistributedStep {
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
    pub fn step_distributed(
        &mut self,
        part: &Batch<'_>,
        learning_rate: f64,
        dropout: &ChaCha8Rng,
        sum: &mut dyn FnMut(&mut Vec<f32>),
    ) -> DistributedStep {
        let rule = self.run(part, learning_rate, dropout);
        let own = [self.loss(part) as f32, part.weight() as f32, self.right() as f32];
        let Self { network, config, state, shards, .. } = self;
        let mut of_all = [0.0; 3];
        let mut sum = |numbers: &mut Vec<f32>| {
            numbers.extend(own);
            sum(numbers);
            of_all.copy_from_slice(&numbers[numbers.len() - 3..]);
            numbers.truncate(numbers.len() - 3);
            // The scale of a part is made for rows that weigh 1.
            let scale = part.batch_rows() as f32 / of_all[1].max(f32::MIN_POSITIVE);
            if scale != 1.0 {
                numbers.iter_mut().chain(&mut of_all[..1]).for_each(|number| *number *= scale);
            }
        };
        state.update(network, shards, part, &rule, config.clipping, Some(&mut sum));
        let [loss, weight, right] = of_all;
        DistributedStep { loss, weight: f64::from(weight), right: right as usize }
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
