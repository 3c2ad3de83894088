use burn::tensor::{TensorData, backend::Backend};
use kiln_data::{Dataset, permutation};
use kiln_kernels::{Batch, Clipping, Loss, Network, Trainer, TrainerConfig};
use kiln_model::{Mlp, MlpConfig, Task};

use super::{BatchLosses, Learner, Step, Tensors, reading::Reading, take};
use crate::{
    clip::GradientClipping, config::TrainConfig, error::TrainError, fit::TrainData,
    objective::kernel_targets, random::dropout_rng,
};

/// Training by the kernels, on rows that stay where the dataset has them, or are read.
pub(crate) struct HostLearner<'a, B: Backend> {
    trainer: Trainer,
    /// Numbers that the optimizer keeps for each parameter.
    slots: usize,
    model: MlpConfig,
    data: Rows<'a>,
    batch_size: usize,
    device: &'a B::Device,
    /// The rows that are there, in the order of the epoch.
    order: Vec<u32>,
    /// How many of them have been taken.
    taken: usize,
    losses: BatchLosses,
}

/// Where rows come from.
enum Rows<'a> {
    Memory(&'a Dataset),
    /// What has been read last.
    Streamed(Reading<'a>, Option<Dataset>),
}

impl Rows<'_> {
    /// The rows that are there.
    fn present(&self) -> Option<&Dataset> {
        match self {
            Self::Memory(data) => Some(data),
            Self::Streamed(_, data) => data.as_ref(),
        }
    }
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
        data: &'a TrainData,
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
            data: match data {
                TrainData::Memory(data) => Rows::Memory(data),
                TrainData::Streamed(rows) => Rows::Streamed(Reading::new(rows, batch_size), None),
            },
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
        self.order.clear();
        match &mut self.data {
            // As `Batches::shuffled`: a single batch keeps the dataset's order.
            Rows::Memory(data) if self.batch_size < data.rows() => {
                let order = permutation(data.rows(), seed, epoch as u64);
                self.order.extend(order.into_iter().map(|row| row as u32));
            }
            Rows::Memory(data) => self.order.extend(0..data.rows() as u32),
            Rows::Streamed(reading, _) => reading.start_epoch(seed, epoch),
        }
        self.taken = 0;
        self.losses = BatchLosses::default();
    }

    fn step(&mut self, at: Step) -> Result<usize, TrainError> {
        if let Rows::Streamed(reading, present) = &mut self.data
            && self.taken == self.order.len()
        {
            // The last first, so that both are never there at a time.
            *present = None;
            let next = reading.next()?;
            self.order = (0..next.rows() as u32).collect();
            self.taken = 0;
            *present = Some(next);
        }
        let data = self.data.present().expect("rows for each iteration");
        let rest = &self.order[self.taken..];
        let rows = &rest[..self.batch_size.min(rest.len())];
        let batch = Batch::new(data.features(), kernel_targets(data), data.weights(), rows);
        let rng = dropout_rng(at.seed, at.iteration);
        let loss = self.trainer.step(&batch, at.learning_rate, &rng);
        self.losses.losses.push(f64::from(loss));
        self.losses.weights.push(batch.weight());
        self.losses.right.push(self.trainer.right() as f64);
        self.taken += rows.len();
        Ok(rows.len())
    }

    fn waiting(&self) -> f64 {
        match &self.data {
            Rows::Memory(_) => 0.0,
            Rows::Streamed(reading, _) => reading.waited(),
        }
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
        let data = self.data.present().expect("the rows of the last step");
        let batch = Batch::new(data.features(), kernel_targets(data), data.weights(), rows);
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
        match &mut self.data {
            Rows::Memory(data) => self.taken = data.rows().min(batches * self.batch_size),
            Rows::Streamed(reading, _) => reading.skip(batches),
        }
        Ok(())
    }
}
