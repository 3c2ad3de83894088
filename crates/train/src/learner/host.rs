use burn::tensor::{TensorData, backend::Backend};
use kiln_data::{Dataset, permutation};
use kiln_kernels::{Batch, Clipping, Loss, Network, Trainer, TrainerConfig};
use kiln_model::{Mlp, MlpConfig, Task};

use super::{BatchLosses, Learner, Step, Tensors, take};
use crate::{
    clip::GradientClipping, config::TrainConfig, error::TrainError, objective::kernel_targets,
    random::dropout_rng,
};

/// Training by the kernels, on rows that stay where the dataset has them.
pub(crate) struct HostLearner<'a, B: Backend> {
    trainer: Trainer,
    /// Numbers that the optimizer keeps for each parameter.
    slots: usize,
    model: MlpConfig,
    data: &'a Dataset,
    batch_size: usize,
    device: &'a B::Device,
    /// The rows in the order of the epoch.
    order: Vec<u32>,
    /// How many of them have been taken.
    taken: usize,
    losses: BatchLosses,
}

impl<'a, B: Backend> HostLearner<'a, B> {
    /// `network` is what `model` starts from.
    ///
    /// # Errors
    ///
    /// If the loss is out of range.
    pub(crate) fn new(
        network: Network,
        model: &MlpConfig,
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
            slots: config.optimizer.kernel().slots(),
            model: model.clone(),
            data,
            batch_size,
            device,
            order: Vec::new(),
            taken: 0,
            losses: BatchLosses::default(),
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
        self.losses = BatchLosses::default();
    }

    fn step(&mut self, at: Step) -> usize {
        let rest = &self.order[self.taken..];
        let rows = &rest[..self.batch_size.min(rest.len())];
        let targets = kernel_targets(self.data);
        let batch = Batch::new(self.data.features(), targets, self.data.weights(), rows);
        let rng = dropout_rng(at.seed, at.iteration);
        let loss = self.trainer.step(&batch, at.learning_rate, &rng);
        self.losses.losses.push(f64::from(loss));
        self.losses.weights.push(batch.weight());
        self.losses.right.push(self.trainer.right() as f64);
        self.taken += rows.len();
        rows.len()
    }

    fn end_epoch(&mut self) -> (Vec<f64>, f64, f64) {
        self.losses.take()
    }

    fn model(&self) -> Option<Mlp<B>> {
        self.trainer.network().to_model(&self.model, self.device).ok()
    }

    fn gradients(&self) -> Vec<(String, Vec<f32>)> {
        let rows = match self.taken {
            0 => return Vec::new(),
            taken => &self.order[(taken - 1) / self.batch_size * self.batch_size..taken],
        };
        let targets = kernel_targets(self.data);
        let batch = Batch::new(self.data.features(), targets, self.data.weights(), rows);
        let mut all = self.trainer.gradient(&batch).into_iter();
        let shapes = self.model.tensor_shapes().into_iter();
        shapes
            .map(|(name, shape)| (name, all.by_ref().take(shape.iter().product()).collect()))
            .collect()
    }

    fn save(&mut self) -> Tensors {
        let mut tensors = Tensors::new();
        for (slot, numbers) in self.trainer.slots().into_iter().enumerate() {
            let shape = [numbers.len()];
            tensors.insert(format!("optimizer.{slot}"), TensorData::new(numbers, shape));
        }
        self.losses.save(&mut tensors);
        tensors
    }

    fn load(
        &mut self,
        iterations: usize,
        batches: usize,
        tensors: &mut Tensors,
    ) -> Result<(), String> {
        let parameters = self.model.num_parameters();
        let slots =
            (0..self.slots).map(|slot| take(tensors, &format!("optimizer.{slot}"), parameters));
        let slots: Vec<Vec<f32>> = slots.collect::<Result<_, _>>()?;
        self.trainer.go_on_after(iterations, &slots);
        self.losses = BatchLosses::load(batches, tensors)?;
        self.taken = self.order.len().min(batches * self.batch_size);
        Ok(())
    }
}
