use std::{collections::VecDeque, marker::PhantomData};

use burn::optim::GradientsParams;
use burn::{
    module::{AutodiffModule, Module, ModuleMapper, Param},
    tensor::{
        Int, Tensor, TensorData,
        backend::{AutodiffBackend, Backend},
    },
};
use kiln_data::{Batch, BatchTargets, Batches, Portion, Share};
use kiln_model::{Mlp, Task, forward_train_members, weighted_mean};
use rand_chacha::ChaCha8Rng;

use super::{
    all_reduce::{OfAll, Own, all_reduce},
    batch_losses::BatchLosses,
    members::{Member, step_of},
    reading::Reading,
    step::{Learner, Step},
};
use crate::{
    config::TrainConfig,
    error::TrainError,
    objective::Objective,
    optimizer,
    random::dropout_rng,
    ranks::Group,
    tensors::{Tensors, take},
    train_data::DeviceRows,
};

/// Training by Burn's operations and optimizers, on rows that lie on the device or are brought there.
pub(crate) struct BurnLearner<'a, B: AutodiffBackend> {
    /// `None` during a step only.
    model: Option<Mlp<B>>,
    task: Task,
    config: &'a TrainConfig,
    optimizer: Box<dyn optimizer::Step<B>>,
    objective: &'a Objective<B>,
    data: Rows<'a, B>,
    batch_size: usize,
    device: &'a B::Device,
    group: Option<&'a Group<'a>>,
    /// The last of the epoch so far.
    batch: Option<Batch<B>>,
    losses: Losses<B::InnerBackend>,
}

/// Where batches come from.
enum Rows<'a, B: Backend> {
    /// These of them, or all; then the parts of the epoch that are left.
    Device(&'a Batches<B>, Option<&'a [u32]>, Box<dyn Iterator<Item = Part<B>> + Send + 'a>),
    /// And those that are on the device.
    Streamed(Reading<'a>, VecDeque<Part<B>>),
}

/// What this process trains on of a batch.
struct Part<B: Backend> {
    /// `None` if all rows are other ranks'.
    batch: Option<Batch<B>>,
    /// Where the rows stand in the whole batch.
    places: Vec<u32>,
    /// Of the whole batch.
    rows: usize,
}

impl<B: Backend> Rows<'_, B> {
    /// `None` when the epoch has no more.
    fn next(
        &mut self,
        batch_size: usize,
        device: &B::Device,
    ) -> Result<Option<Part<B>>, TrainError> {
        Ok(match self {
            Self::Device(_, _, parts) => parts.next(),
            Self::Streamed(reading, present) => {
                if present.is_empty() {
                    present.extend(parts(reading.next()?, batch_size, device)?);
                }
                present.pop_front()
            }
        })
    }
}

/// Brings rows to the device, and parts them into batches.
fn parts<B: Backend>(
    portion: Portion,
    batch_size: usize,
    device: &B::Device,
) -> Result<Vec<Part<B>>, TrainError> {
    let Portion { rows: all, data, places } = portion;
    let data = data.map(|data| Batches::new(data, batch_size, device)).transpose()?;
    let mut taken = 0;
    let parts = (0..all).step_by(batch_size).map(|start| {
        let rows = batch_size.min(all - start);
        let own = places[taken..].partition_point(|place| (*place as usize) < start + rows);
        let own = taken..taken + own;
        taken = own.end;
        Part {
            batch: data.as_ref().filter(|_| !own.is_empty()).map(|data| data.rows_at(own.clone())),
            places: places[own].iter().map(|place| place - start as u32).collect(),
            rows,
        }
    });
    Ok(parts.collect())
}

impl<'a, B: AutodiffBackend> BurnLearner<'a, B> {
    /// From `start`, on some rows of the data, or `None` for all.
    pub(crate) fn new(
        task: Task,
        config: &'a TrainConfig,
        objective: &'a Objective<B>,
        (data, rows): (&'a DeviceRows<B>, Option<&'a [u32]>),
        start: Mlp<B>,
        device: &'a B::Device,
        group: Option<&'a Group<'a>>,
    ) -> Self {
        let (data, batch_size) = match data {
            DeviceRows::All(batches) => {
                (Rows::Device(batches, rows, Box::new(std::iter::empty())), batches.batch_size())
            }
            DeviceRows::Streamed(rows) => {
                let batch_size = config.batch_size.rows_of(rows.rows());
                let share = group.map_or(Share::WHOLE, Group::share);
                (
                    Rows::Streamed(Reading::new(rows.as_ref(), batch_size, share), VecDeque::new()),
                    batch_size,
                )
            }
        };
        Self {
            model: Some(start),
            task,
            config,
            optimizer: config.optimizer.init(),
            objective,
            data,
            batch_size,
            device,
            group,
            batch: None,
            losses: Losses::new(),
        }
    }
}

impl<B: AutodiffBackend> Learner<B::InnerBackend> for BurnLearner<'_, B> {
    fn start_epoch(&mut self, seed: u64, epoch: usize) {
        match &mut self.data {
            Rows::Device(data, rows, parts) => {
                let epoch = epoch as u64;
                let whole = |batch: Batch<B>| {
                    let (rows, places) = (batch.rows(), Vec::new());
                    Part { batch: Some(batch), places, rows }
                };
                *parts = match (self.group, *rows) {
                    (None, None) => Box::new(data.shuffled(seed, epoch).map(whole)),
                    (None, Some(of)) => Box::new(data.shuffled_of(of, seed, epoch).map(whole)),
                    (Some(group), _) => {
                        let parts = data.shuffled_share(seed, epoch, group.share());
                        Box::new(parts.map(|(batch, places, rows)| Part { batch, places, rows }))
                    }
                }
            }
            Rows::Streamed(reading, present) => {
                reading.start_epoch(seed, epoch);
                present.clear();
            }
        }
        self.losses = Losses::new();
    }

    fn step(&mut self, at: Step) -> Result<usize, TrainError> {
        let Some(part) = self.data.next(self.batch_size, self.device)? else { return Ok(0) };
        self.batch.clone_from(&part.batch);
        let model = self.model.take().expect("put back after each step");
        let (rows, rng) = (part.rows, dropout_rng(at.seed, at.iteration));
        let (model, gradients) = match self.group {
            None => self.alone(model, part.batch.expect("all rows are there"), rng),
            Some(group) => self.distributed(group, model, part, rng),
        };
        self.update(at.learning_rate, model, gradients);
        Ok(rows)
    }

    fn waiting(&self) -> f64 {
        match &self.data {
            Rows::Device(..) => 0.0,
            Rows::Streamed(reading, _) => reading.waited(),
        }
    }

    fn end_epoch(&mut self) -> (Vec<f64>, f64, f64) {
        self.losses.read().take()
    }

    fn models(&self) -> Option<Vec<Mlp<B::InnerBackend>>> {
        self.model.as_ref().map(|model| vec![model.valid()])
    }

    fn gradients(&self) -> Vec<(String, Vec<f32>)> {
        let Some(batch) = self.batch.clone() else { return Vec::new() };
        let model = self.model.as_ref().expect("put back after each step");
        let losses = self.objective.forward(model.forward(batch.features), batch.targets);
        let slopes = weighted_mean(losses, batch.weights).backward();
        let mut slopes = Slopes(GradientsParams::from_grads(slopes, model), PhantomData);
        let slopes = model.clone().map(&mut slopes).valid().tensors().into_iter();
        // Statistics are no weights.
        slopes
            .filter(|(name, _)| !name.contains("running"))
            .map(|(name, data)| (name, data.iter().collect()))
            .collect()
    }

    fn save(&mut self) -> Tensors {
        let model = self.model.as_ref().expect("put back after each step");
        let optimizer = self.optimizer.save(model);
        let shape = [optimizer.len()];
        let mut tensors =
            Tensors::from([("optimizer".to_owned(), TensorData::new(optimizer, shape))]);
        self.losses.read().save(&mut tensors);
        tensors
    }

    fn load(
        &mut self,
        _iterations: usize,
        batches: usize,
        tensors: &mut Tensors,
    ) -> Result<(), String> {
        let len = tensors.get("optimizer").map_or(0, TensorData::num_elements);
        let saved: Vec<u8> = take(tensors, "optimizer", len)?;
        let model = self.model.as_ref().expect("put back after each step");
        let optimizer = self.config.optimizer.init();
        self.optimizer =
            optimizer.load(&saved, model, self.device).map_err(|error| error.to_string())?;
        *self.losses.read() = BatchLosses::load(batches, tensors)?;
        match &mut self.data {
            Rows::Device(_, _, all) => drop(all.take(batches).last()),
            Rows::Streamed(reading, _) => reading.skip(batches),
        }
        Ok(())
    }
}

impl<B: AutodiffBackend> Member<B::InnerBackend> for BurnLearner<'_, B> {
    const PARALLEL: bool = false;

    /// Batches of as many rows go through the layers of all networks together.
    fn steps(members: &mut [Self], at: Step) -> Result<usize, TrainError> {
        let rngs = |member: usize| {
            let Step { seed, iteration, .. } = step_of(member, at);
            dropout_rng(seed, iteration)
        };
        let mut batches = Vec::with_capacity(members.len());
        for learner in members.iter_mut() {
            let part = learner.data.next(learner.batch_size, learner.device)?;
            batches.push(part.map(|part| part.batch.expect("all rows are there")));
        }
        let rows: Vec<usize> =
            batches.iter().map(|batch| batch.as_ref().map_or(0, Batch::rows)).collect();
        for (learner, batch) in members.iter_mut().zip(&batches) {
            if batch.is_some() {
                learner.batch.clone_from(batch);
            }
        }
        // At the end of an epoch some may have fewer rows than others, or none.
        if rows.iter().all(|of| *of == rows[0]) {
            let batches = batches.into_iter().flatten().collect();
            let rngs = (0..members.len()).map(rngs).collect();
            all_at_once(members, batches, rngs, at.learning_rate);
        } else {
            let own = members.iter_mut().zip(batches).enumerate();
            for (member, (learner, batch)) in own {
                if let Some(batch) = batch {
                    let model = learner.model.take().expect("put back after each step");
                    let (model, gradients) = learner.alone(model, batch, rngs(member));
                    learner.update(at.learning_rate, model, gradients);
                }
            }
        }
        Ok(rows.iter().sum())
    }
}

/// A step of several networks on a batch each, of as many rows.
fn all_at_once<B: AutodiffBackend>(
    members: &mut [BurnLearner<'_, B>],
    batches: Vec<Batch<B>>,
    mut rngs: Vec<ChaCha8Rng>,
    learning_rate: f64,
) {
    if batches.is_empty() {
        return;
    }
    let take = |learner: &mut BurnLearner<'_, B>| learner.model.take();
    let models: Option<Vec<Mlp<B>>> = members.iter_mut().map(take).collect();
    let models = models.expect("put back after each step");
    let features = batches.iter().map(|batch| batch.features.clone()).collect();
    let all: Vec<&Mlp<B>> = models.iter().collect();
    let logits = forward_train_members(&all, features, &mut rngs).split(1, 0);
    let mut sum = None;
    for ((learner, batch), logits) in members.iter_mut().zip(batches).zip(logits) {
        let loss = learner.loss(logits.squeeze_dim(0), batch);
        sum = Some(match sum.take() {
            Some(sum) => sum + loss,
            None => loss,
        });
    }
    // No network has a part in another's loss: the slopes of the sum are those of its own.
    let mut slopes = sum.expect("there is a network").backward();
    for (learner, model) in members.iter_mut().zip(models) {
        let gradients = GradientsParams::from_module(&mut slopes, &model);
        learner.update(learning_rate, model, gradients);
    }
}

impl<B: AutodiffBackend> BurnLearner<'_, B> {
    /// The gradients of a batch.
    fn alone(
        &mut self,
        model: Mlp<B>,
        batch: Batch<B>,
        mut rng: ChaCha8Rng,
    ) -> (Mlp<B>, GradientsParams) {
        let logits = model.forward_train(batch.features.clone(), &mut rng);
        let loss = self.loss(logits, batch);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        (model, gradients)
    }

    /// The mean loss of a batch, which is noted.
    fn loss(&mut self, logits: Tensor<B, 2>, batch: Batch<B>) -> Tensor<B, 1> {
        let rows = batch.rows();
        let right = right(self.task, logits.clone().inner(), &batch.targets);
        let losses = self.objective.forward(logits, batch.targets);
        let loss = weighted_mean(losses, batch.weights.clone());
        self.losses.push([loss.clone().inner(), right], rows, batch.weights.map(Tensor::inner));
        loss
    }

    fn update(&mut self, learning_rate: f64, model: Mlp<B>, mut gradients: GradientsParams) {
        if let Some(clipping) = &self.config.clipping {
            gradients = clipping.apply(&model, gradients);
        }
        self.model = Some(self.optimizer.step(learning_rate, model, gradients));
    }

    /// The gradients of a batch of which other ranks have a part.
    fn distributed(
        &mut self,
        group: &Group<'_>,
        model: Mlp<B>,
        part: Part<B>,
        mut rng: ChaCha8Rng,
    ) -> (Mlp<B>, GradientsParams) {
        let own = part.batch.map(|batch| {
            let rows = batch.rows();
            let logits =
                model.forward_train_part(batch.features, &mut rng, &part.places, part.rows);
            let right = right(self.task, logits.clone().inner(), &batch.targets);
            let mut losses = self.objective.forward(logits, batch.targets);
            let mut weight = right.ones_like().mul_scalar(rows as f32);
            if let Some(weights) = batch.weights {
                weight = weights.clone().inner().sum();
                losses = losses * weights;
            }
            let loss = losses.sum().div_scalar(part.rows as f32);
            let numbers = Tensor::cat(vec![loss.clone().inner(), weight, right], 0);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            Own { gradients, numbers, rows }
        });
        let OfAll { model, gradients, loss, weight, right } =
            all_reduce(group, model, own, part.rows);
        let of_epoch = self.losses.read();
        of_epoch.losses.push(loss);
        of_epoch.weights.push(weight);
        of_epoch.right.push(right);
        (model, gradients)
    }
}

/// How many rows are decided right, in every label: `[1]`.
fn right<B: AutodiffBackend>(
    task: Task,
    logits: Tensor<B::InnerBackend, 2>,
    targets: &BatchTargets<B>,
) -> Tensor<B::InnerBackend, 1> {
    let actual: Tensor<B::InnerBackend, 2, Int> = match (targets.clone(), task) {
        (BatchTargets::Classes(classes), _) => classes.inner().unsqueeze_dim(1),
        (BatchTargets::Dense(values), Task::Multiclass { .. }) => values.inner().argmax(1),
        (BatchTargets::Dense(values), _) => values.inner().greater_equal_elem(0.5).int(),
    };
    let wrong = task.decide(logits).not_equal(actual).int().sum_dim(1);
    wrong.equal_elem(0).int().sum().float()
}

/// Puts the slope in the place of each weight.
struct Slopes<B>(GradientsParams, PhantomData<B>);

impl<B: AutodiffBackend> ModuleMapper<B> for Slopes<B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let slope = self.0.remove::<B::InnerBackend, D>(param.id);
        param.map(|weights| slope.map_or_else(|| weights.zeros_like(), Tensor::from_inner))
    }
}

/// The losses of an epoch, left on the device until they are asked for: reading one waits for all that a
/// GPU has been given to do.
struct Losses<B: Backend> {
    read: BatchLosses,
    /// Not read yet: the mean loss of each batch, the rows that it has right and, where rows carry weights,
    /// their sum after these.
    numbers: Vec<Tensor<B, 1>>,
    /// Earlier numbers, joined.
    joined: Vec<Tensor<B, 1>>,
    /// Of each batch that is not read yet.
    rows: Vec<f64>,
    weighted: bool,
}

impl<B: Backend> Losses<B> {
    /// So many single numbers are joined into one tensor as soon as they are there: a GPU binds only
    /// a few buffers to a kernel, and holding 60,000 of them has its price everywhere.
    const JOIN: usize = 256;

    fn new() -> Self {
        Self {
            read: BatchLosses::default(),
            numbers: Vec::new(),
            joined: Vec::new(),
            rows: Vec::new(),
            weighted: false,
        }
    }

    fn push(&mut self, numbers: [Tensor<B, 1>; 2], rows: usize, weights: Option<Tensor<B, 1>>) {
        self.numbers.extend(numbers);
        self.rows.push(rows as f64);
        if let Some(weights) = weights {
            self.weighted = true;
            self.numbers.push(weights.sum());
        }
        if self.numbers.len() >= Self::JOIN {
            self.joined.push(Tensor::cat(std::mem::take(&mut self.numbers), 0));
        }
    }

    /// The losses, all of them read.
    fn read(&mut self) -> &mut BatchLosses {
        self.joined.append(&mut self.numbers);
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return &mut self.read;
        }
        let values = Tensor::cat(std::mem::take(&mut self.joined), 0).into_data();
        let values: Vec<f64> = values.iter().collect();
        for (batch, rows) in values.chunks_exact(if self.weighted { 3 } else { 2 }).zip(rows) {
            self.read.losses.push(batch[0]);
            self.read.right.push(batch[1]);
            self.read.weights.push(batch.get(2).copied().unwrap_or(rows));
        }
        &mut self.read
    }
}
