use burn::tensor::backend::Backend;
use kiln_data::{Dataset, permutation};
use kiln_kernels::{Batch, Clipping, Loss, Network, Trainer, TrainerConfig};
use kiln_model::{Mlp, MlpConfig, Task};

use super::{Learner, Step, mean};
use crate::{
    clip::GradientClipping, config::TrainConfig, error::TrainError, objective::kernel_targets,
    random::dropout_rng,
};

/// Training by the kernels, on rows that stay where the dataset has them.
pub(crate) struct HostLearner<'a, B: Backend> {
    trainer: Trainer,
    model: &'a MlpConfig,
    data: &'a Dataset,
    batch_size: usize,
    device: &'a B::Device,
    /// The rows in the order of the epoch.
    order: Vec<u32>,
    /// How many of them have been taken.
    taken: usize,
    losses: Vec<f64>,
    /// What each of the losses stands for: rows, or the sum of their weights.
    weights: Vec<f64>,
}

impl<'a, B: Backend> HostLearner<'a, B> {
    /// `network` is what `model` starts from.
    ///
    /// # Errors
    ///
    /// If the loss is out of range.
    pub(crate) fn new(
        network: Network,
        model: &'a MlpConfig,
        task: Task,
        config: &TrainConfig,
        data: &'a Dataset,
        device: &'a B::Device,
    ) -> Result<Self, TrainError> {
        let batch_size = config.batch_size.rows_of(data.rows());
        let clipping = config.clipping.map(|clipping| match clipping {
            GradientClipping::Norm(norm) => Clipping::Norm(norm),
            GradientClipping::Value(limit) => Clipping::Value(limit as f32),
        });
        let trainer = Trainer::new(
            network,
            TrainerConfig {
                loss: Loss::new(task, &config.loss)?,
                optimizer: config.optimizer.kernel(),
                clipping,
                dropout: model.dropout,
                batch_size,
            },
        );
        Ok(Self {
            trainer,
            model,
            data,
            batch_size,
            device,
            order: Vec::new(),
            taken: 0,
            losses: Vec::new(),
            weights: Vec::new(),
        })
    }
}

impl<B: Backend> Learner<B> for HostLearner<'_, B> {
    fn start_epoch(&mut self, seed: u64, epoch: usize) {
        let rows = self.data.rows();
        self.order.clear();
        // As `Batches::shuffled`: a single batch keeps the dataset's order.
        if self.batch_size < rows {
            let order = permutation(rows, seed, epoch as u64);
            self.order.extend(order.into_iter().map(|row| row as u32));
        } else {
            self.order.extend(0..rows as u32);
        }
        self.taken = 0;
        self.losses.clear();
        self.weights.clear();
    }

    fn step(&mut self, at: Step) -> usize {
        let rest = &self.order[self.taken..];
        let rows = &rest[..self.batch_size.min(rest.len())];
        let targets = kernel_targets(self.data);
        let batch = Batch::new(self.data.features(), targets, self.data.weights(), rows);
        let rng = dropout_rng(at.seed, at.iteration);
        let loss = self.trainer.step(&batch, at.learning_rate, &rng);
        self.losses.push(f64::from(loss));
        self.weights.push(batch.weight());
        self.taken += rows.len();
        rows.len()
    }

    fn end_epoch(&mut self) -> (Vec<f64>, f64) {
        let mean = mean(&self.losses, &self.weights);
        (std::mem::take(&mut self.losses), mean)
    }

    fn model(&self) -> Option<Mlp<B>> {
        self.trainer.network().to_model(self.model, self.device).ok()
    }
}
