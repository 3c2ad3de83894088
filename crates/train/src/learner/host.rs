use std::ops::Range;

use burn::tensor::{TensorData, backend::Backend};
use kiln_data::{Dataset, Share, permutation};
use kiln_kernels::{Batch, Clipping, Loss, Network, Targets, Trainer, TrainerConfig};
use kiln_model::{Mlp, MlpConfig, Task};
use rayon::prelude::*;

use super::{
    batch_losses::BatchLosses,
    members::{Member, step_of},
    reading::Reading,
    step::{Learner, Step},
};
use crate::{
    clip::GradientClipping,
    config::TrainConfig,
    error::TrainError,
    objective::kernel_targets,
    random::dropout_rng,
    ranks::Group,
    tensors::{Tensors, take},
    train_data::TrainData,
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
    group: Option<&'a Group<'a>>,
    /// How many rows of the epoch are at hand, those of other ranks included.
    rows: usize,
    /// Those that this process trains on, in the order of the epoch.
    order: Vec<u32>,
    /// Where each of them stands among all that are at hand.
    places: Vec<u32>,
    /// How many of all have been taken.
    done: usize,
    /// How many of this process's.
    taken: usize,
    /// The last batch, as a range of `order`.
    last: Range<usize>,
    losses: BatchLosses,
}

/// Where rows come from.
enum Rows<'a> {
    /// These of a dataset, or all.
    Memory(&'a Dataset, Option<&'a [u32]>),
    /// What has been read last.
    Streamed(Reading<'a>, Option<Dataset>),
}

impl Rows<'_> {
    /// The rows that are there.
    fn present(&self) -> Option<&Dataset> {
        match self {
            Self::Memory(data, _) => Some(data),
            Self::Streamed(_, data) => data.as_ref(),
        }
    }
}

impl<'a, B: Backend> HostLearner<'a, B> {
    /// `network` is what `model` starts from; it is trained on some rows of the data, or `None` for
    /// all.
    ///
    /// # Errors
    ///
    /// If the loss is out of range.
    pub(crate) fn new(
        network: Network,
        model: &MlpConfig,
        task: Task,
        config: &TrainConfig,
        (data, rows): (&'a TrainData, Option<&'a [u32]>),
        device: &'a B::Device,
        group: Option<&'a Group<'a>>,
    ) -> Result<Self, TrainError> {
        let batch_size = config.batch_size.rows_of(rows.map_or(data.rows(), <[u32]>::len));
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
                input_dropout: model.input_dropout,
                dropout: model.dropout,
                batch_size,
            },
        );
        Ok(Self {
            trainer,
            slots: config.optimizer.kernel().slots(),
            model: model.clone(),
            data: match data {
                TrainData::Memory(data) => Rows::Memory(data, rows),
                TrainData::Streamed(rows) => {
                    let share = group.map_or(Share::WHOLE, Group::share);
                    Rows::Streamed(Reading::new(rows.as_ref(), batch_size, share), None)
                }
            },
            batch_size,
            device,
            group,
            rows: 0,
            order: Vec::new(),
            places: Vec::new(),
            done: 0,
            taken: 0,
            last: 0..0,
            losses: BatchLosses::default(),
        })
    }
}

impl<B: Backend> Member<B> for HostLearner<'_, B> {
    const PARALLEL: bool = true;

    fn steps(members: &mut [Self], at: Step) -> Result<usize, TrainError> {
        let members = members.par_iter_mut().enumerate();
        members.map(|(member, learner)| learner.step(step_of(member, at))).sum()
    }
}

impl<B: Backend> Learner<B> for HostLearner<'_, B> {
    fn start_epoch(&mut self, seed: u64, epoch: usize) {
        self.order.clear();
        self.places.clear();
        (self.rows, self.done, self.taken, self.last) = (0, 0, 0, 0..0);
        self.losses = BatchLosses::default();
        match &mut self.data {
            Rows::Memory(data, of) => {
                self.rows = of.map_or(data.rows(), <[u32]>::len);
                // As `Batches::shuffled`: a single batch keeps the dataset's order.
                let order = (self.batch_size < self.rows)
                    .then(|| permutation(self.rows, seed, epoch as u64));
                let share = self.group.map_or(Share::WHOLE, Group::share);
                let places = (0..self.rows).filter(|at| share.takes(at % self.batch_size));
                self.places.extend(places.map(|place| place as u32));
                let row = |place: &u32| {
                    let at = order.as_ref().map_or(*place, |order| order[*place as usize] as u32);
                    of.map_or(at, |of| of[at as usize])
                };
                self.order.extend(self.places.iter().map(row));
            }
            Rows::Streamed(reading, _) => reading.start_epoch(seed, epoch),
        }
    }

    fn step(&mut self, at: Step) -> Result<usize, TrainError> {
        if let Rows::Streamed(reading, present) = &mut self.data
            && self.done == self.rows
        {
            // The last first, so that both are never there at a time.
            *present = None;
            let next = reading.next()?;
            (self.rows, self.places) = (next.rows, next.places);
            self.order = (0..self.places.len() as u32).collect();
            (self.done, self.taken) = (0, 0);
            *present = next.data;
        }
        let batch_rows = self.batch_size.min(self.rows - self.done);
        if batch_rows == 0 {
            return Ok(0);
        }
        let end = self.done + batch_rows;
        let own = self.places[self.taken..].partition_point(|place| (*place as usize) < end);
        self.last = self.taken..self.taken + own;
        let rng = dropout_rng(at.seed, at.iteration);
        let rows = &self.order[self.last.clone()];
        let (features, targets, weights) = match self.data.present() {
            Some(data) => (data.features(), kernel_targets(data.targets()), data.weights()),
            // All of these batches are other ranks'.
            None => (&[][..], Targets::Classes(&[]), None),
        };
        let (loss, weight, right) = match self.group {
            None => {
                let batch = Batch::new(features, targets, weights, rows);
                let loss = self.trainer.step(&batch, at.learning_rate, &rng);
                (loss, batch.weight(), self.trainer.right())
            }
            Some(group) => {
                let places = &self.places[self.last.clone()];
                let positions: Vec<u32> =
                    places.iter().map(|place| place - self.done as u32).collect();
                let part = Batch::part(features, targets, weights, rows, &positions, batch_rows);
                let sum = &mut |numbers: &mut Vec<f32>| group.sum(numbers);
                let of_all = self.trainer.step_distributed(&part, at.learning_rate, &rng, sum);
                (of_all.loss, of_all.weight, of_all.right)
            }
        };
        self.losses.losses.push(f64::from(loss));
        self.losses.weights.push(weight);
        self.losses.right.push(right as f64);
        (self.done, self.taken) = (end, self.last.end);
        Ok(batch_rows)
    }

    fn waiting(&self) -> f64 {
        match &self.data {
            Rows::Memory(..) => 0.0,
            Rows::Streamed(reading, _) => reading.waited(),
        }
    }

    fn end_epoch(&mut self) -> (Vec<f64>, f64, f64) {
        self.losses.take()
    }

    fn models(&self) -> Option<Vec<Mlp<B>>> {
        Some(vec![self.trainer.network().to_model(&self.model, self.device).ok()?])
    }

    fn networks(&self) -> Vec<&Network> {
        vec![self.trainer.network()]
    }

    fn gradients(&self) -> Vec<(String, Vec<f32>)> {
        let rows = &self.order[self.last.clone()];
        let Some(data) = self.data.present().filter(|_| !rows.is_empty()) else {
            return Vec::new();
        };
        let batch =
            Batch::new(data.features(), kernel_targets(data.targets()), data.weights(), rows);
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
            Rows::Memory(..) => {
                self.done = self.rows.min(batches * self.batch_size);
                self.taken = self.places.partition_point(|place| (*place as usize) < self.done);
            }
            Rows::Streamed(reading, _) => reading.skip(batches),
        }
        Ok(())
    }
}
