//! Several networks, each with a learner of its own.

use std::collections::BTreeMap;

use burn::tensor::{TensorData, backend::Backend};
use kiln_kernels::Network;
use kiln_model::{Mlp, member_tensor_name};
use rayon::prelude::*;

use super::step::{Learner, Step};
use crate::{error::TrainError, random::member_seed, tensors::Tensors};

/// What is one of several.
pub(crate) trait Member<B: Backend>: Learner<B> + Send + Sized {
    /// Whether the networks are divided among threads: where each of them is too small for that.
    const PARALLEL: bool;

    /// A step of each, with a seed of its own; the rows of all batches together.
    ///
    /// # Errors
    ///
    /// As [`Learner::step`].
    fn steps(members: &mut [Self], at: Step) -> Result<usize, TrainError>;
}

/// Takes a step of all networks at a time.
pub(crate) struct MembersLearner<M> {
    members: Vec<M>,
}

impl<M> MembersLearner<M> {
    pub(crate) fn new(members: Vec<M>) -> Self {
        Self { members }
    }

    fn each<B: Backend, T: Send>(&mut self, run: impl Fn(usize, &mut M) -> T + Sync) -> Vec<T>
    where
        M: Member<B>,
    {
        match M::PARALLEL {
            true => self.members.par_iter_mut().enumerate().map(|(at, of)| run(at, of)).collect(),
            false => self.members.iter_mut().enumerate().map(|(at, of)| run(at, of)).collect(),
        }
    }
}

/// The step of one of several, counted from 0.
pub(super) fn step_of(member: usize, at: Step) -> Step {
    Step { seed: member_seed(at.seed, member), ..at }
}

impl<B: Backend, M: Member<B>> Learner<B> for MembersLearner<M> {
    fn start_epoch(&mut self, seed: u64, epoch: usize) {
        self.each(|at, member| member.start_epoch(member_seed(seed, at), epoch));
    }

    fn step(&mut self, at: Step) -> Result<usize, TrainError> {
        M::steps(&mut self.members, at)
    }

    /// The mean loss over all networks of each batch, and of the epoch; the rows of all that were decided
    /// right.
    fn end_epoch(&mut self) -> (Vec<f64>, f64, f64) {
        let ends = self.each(|_, member| member.end_epoch());
        let iterations = ends.iter().map(|(losses, ..)| losses.len()).max().unwrap_or(0);
        let mean = |losses: &mut dyn Iterator<Item = f64>| {
            let (sum, count) = losses.fold((0.0, 0), |(sum, count), loss| (sum + loss, count + 1));
            sum / count as f64
        };
        let losses = (0..iterations)
            .map(|at| mean(&mut ends.iter().filter_map(|(losses, ..)| losses.get(at).copied())));
        let whole = mean(&mut ends.iter().map(|(_, whole, _)| *whole));
        (losses.collect(), whole, ends.iter().map(|(.., right)| right).sum())
    }

    fn waiting(&self) -> f64 {
        0.0
    }

    fn models(&self) -> Option<Vec<Mlp<B>>> {
        let models = self.members.iter().map(|member| member.models());
        models.collect::<Option<Vec<_>>>().map(|models| models.into_iter().flatten().collect())
    }

    fn networks(&self) -> Vec<&Network> {
        self.members.iter().flat_map(|member| member.networks()).collect()
    }

    fn gradients(&self) -> Vec<(String, Vec<f32>)> {
        joined(self.members.iter().map(|member| member.gradients()).collect()).collect()
    }

    fn save(&mut self) -> Tensors {
        joined(self.each(|_, member| member.save().into_iter().collect())).collect()
    }

    fn load(
        &mut self,
        iterations: usize,
        batches: usize,
        tensors: &mut Tensors,
    ) -> Result<(), String> {
        let all = split(std::mem::take(tensors), self.members.len());
        for (member, mut tensors) in self.members.iter_mut().zip(all) {
            member.load(iterations, batches, &mut tensors)?;
        }
        Ok(())
    }
}

/// Tensors of several networks, under one name each.
pub(crate) fn joined<T>(members: Vec<Vec<(String, T)>>) -> impl Iterator<Item = (String, T)> {
    let count = members.len();
    members.into_iter().enumerate().flat_map(move |(member, tensors)| {
        let named = tensors.into_iter();
        named.map(move |(name, tensor)| (member_tensor_name(count, member, &name), tensor))
    })
}

/// The opposite: what has no place is left out.
pub(crate) fn split(mut tensors: Tensors, members: usize) -> Vec<Tensors> {
    if members == 1 {
        return vec![tensors];
    }
    let of = |member| {
        let prefix = member_tensor_name(members, member, "");
        let mut own: BTreeMap<String, TensorData> = tensors.split_off(&prefix);
        let others: Vec<String> =
            own.keys().filter(|name| !name.starts_with(&prefix)).cloned().collect();
        for name in others {
            let tensor = own.remove(&name).expect("just seen");
            tensors.insert(name, tensor);
        }
        own.into_iter().map(|(name, of)| (name[prefix.len()..].to_owned(), of)).collect()
    };
    (0..members).map(of).collect()
}
