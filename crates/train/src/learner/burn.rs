use burn::{
    module::AutodiffModule,
    tensor::{
        Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use burn_optim::GradientsParams;
use kiln_data::{Batch, Batches};
use kiln_model::{Mlp, weighted_mean};

use super::{Learner, Step, mean};
use crate::{
    clip::GradientClipping, config::TrainConfig, objective::Objective, optimizer,
    random::dropout_rng,
};

/// Training by Burn's operations and optimizers, on rows that lie on the device.
pub(crate) struct BurnLearner<'a, B: AutodiffBackend> {
    /// `None` during a step only.
    model: Option<Mlp<B>>,
    optimizer: Box<dyn optimizer::Step<B>>,
    clipping: Option<GradientClipping>,
    objective: &'a Objective<B>,
    data: &'a Batches<B>,
    batches: Box<dyn Iterator<Item = Batch<B>> + 'a>,
    losses: Losses<B::InnerBackend>,
}

impl<'a, B: AutodiffBackend> BurnLearner<'a, B> {
    pub(crate) fn new(
        config: &TrainConfig,
        objective: &'a Objective<B>,
        data: &'a Batches<B>,
        start: Mlp<B>,
    ) -> Self {
        Self {
            model: Some(start),
            optimizer: config.optimizer.init(),
            clipping: config.clipping,
            objective,
            data,
            batches: Box::new(std::iter::empty()),
            losses: Losses::new(),
        }
    }
}

impl<B: AutodiffBackend> Learner<B::InnerBackend> for BurnLearner<'_, B> {
    fn start_epoch(&mut self, seed: u64, epoch: usize) {
        self.batches = Box::new(self.data.shuffled(seed, epoch as u64));
        self.losses = Losses::new();
    }

    fn step(&mut self, at: Step) -> usize {
        let batch = self.batches.next().expect("a batch for each iteration of the epoch");
        let model = self.model.take().expect("put back after each step");
        let rows = batch.rows();
        let rng = &mut dropout_rng(at.seed, at.iteration);
        let logits = model.forward_train(batch.features, rng);
        let loss =
            weighted_mean(self.objective.forward(logits, batch.targets), batch.weights.clone());
        self.losses.push(loss.clone().inner(), rows, batch.weights.map(Tensor::inner));
        let mut gradients = GradientsParams::from_grads(loss.backward(), &model);
        if let Some(clipping) = &self.clipping {
            gradients = clipping.apply(&model, gradients);
        }
        self.model = Some(self.optimizer.step(at.learning_rate, model, gradients));
        rows
    }

    fn end_epoch(&mut self) -> (Vec<f64>, f64) {
        std::mem::replace(&mut self.losses, Losses::new()).read()
    }

    fn model(&self) -> Option<Mlp<B::InnerBackend>> {
        self.model.as_ref().map(AutodiffModule::valid)
    }
}

/// The losses of an epoch, left on the device until it is over: reading one waits for all that a GPU
/// has been given to do.
struct Losses<B: Backend> {
    /// The mean loss of each batch and, where rows carry weights, their sum after it.
    numbers: Vec<Tensor<B, 1>>,
    /// Earlier numbers, joined.
    joined: Vec<Tensor<B, 1>>,
    rows: Vec<f64>,
    weighted: bool,
}

impl<B: Backend> Losses<B> {
    /// So many single numbers are joined into one tensor as soon as they are there: a GPU binds only
    /// a few buffers to a kernel, and holding 60,000 of them has its price everywhere.
    const JOIN: usize = 256;

    fn new() -> Self {
        Self { numbers: Vec::new(), joined: Vec::new(), rows: Vec::new(), weighted: false }
    }

    fn push(&mut self, loss: Tensor<B, 1>, rows: usize, weights: Option<Tensor<B, 1>>) {
        self.numbers.push(loss);
        self.rows.push(rows as f64);
        if let Some(weights) = weights {
            self.weighted = true;
            self.numbers.push(weights.sum());
        }
        if self.numbers.len() >= Self::JOIN {
            self.joined.push(Tensor::cat(std::mem::take(&mut self.numbers), 0));
        }
    }

    /// The loss of each batch, and the mean over all rows.
    fn read(mut self) -> (Vec<f64>, f64) {
        self.joined.append(&mut self.numbers);
        let values: Vec<f64> = Tensor::cat(self.joined, 0).into_data().iter().collect();
        let (losses, weights): (Vec<f64>, Vec<f64>) = if self.weighted {
            values.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip()
        } else {
            (values, self.rows)
        };
        let mean = mean(&losses, &weights);
        (losses, mean)
    }
}
