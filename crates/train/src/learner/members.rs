//! Several networks, each with a learner of its own.

use std::collections::BTreeMap;

use burn::tensor::{TensorData, backend::Backend};
use kiln_model::{Mlp, member_tensor_name};
use rayon::prelude::*;

use super::{Learner, Step, Tensors};
use crate::{error::TrainError, random::member_seed};

type Boxed<'a, B> = Box<dyn Learner<B> + Send + 'a>;

/// Takes a step of all networks at a time.
pub(crate) struct MembersLearner<'a, B: Backend> {
    members: Vec<Boxed<'a, B>>,
    /// Whether the networks are divided among threads: where each of them is too small for that.
    parallel: bool,
}

impl<'a, B: Backend> MembersLearner<'a, B> {
    pub(crate) fn new(members: Vec<Boxed<'a, B>>, parallel: bool) -> Self {
        Self { members, parallel }
    }

    fn each<T: Send>(&mut self, run: impl Fn(usize, &mut Boxed<'a, B>) -> T + Sync) -> Vec<T> {
        match self.parallel {
            true => self.members.par_iter_mut().enumerate().map(|(at, of)| run(at, of)).collect(),
            false => self.members.iter_mut().enumerate().map(|(at, of)| run(at, of)).collect(),
        }
    }
}

impl<B: Backend> Learner<B> for MembersLearner<'_, B> {
    fn start_epoch(&mut self, seed: u64, epoch: usize) {
        self.each(|at, member| member.start_epoch(member_seed(seed, at), epoch));
    }

    fn step(&mut self, at: Step) -> Result<usize, TrainError> {
        let rows = self.each(|member, learner| {
            learner.step(Step { seed: member_seed(at.seed, member), ..at })
        });
        rows.into_iter().sum()
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
