//! Several networks of one shape that are trained side by side.

use std::borrow::Cow;

use burn::tensor::backend::Backend;
use kiln_data::{Dataset, Targets};
use kiln_kernels::{KilnBackend, Loss, Network};
use kiln_model::{LossConfig, Mlp, Task, pooled_logits};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{
    error::TrainError,
    inference::{Rows, predict_rows},
    objective::{check_data, check_head},
    predictions::Predictions,
};

/// The networks of an ensemble, and which rows each of them is trained on.
///
/// Each has initial weights, an order of rows and dropout of its own; the first has those of a single
/// network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// So many, at least 1, each on all training rows.
    All(usize),
    /// One for each fold of each partition, in this order: it is trained on the rows of the other folds,
    /// so that each row is foreign to one network for each partition (bagging by cross-validation, as in
    /// AutoGluon: Erickson et al. 2020, arXiv:2003.06505).
    Folds {
        /// Folds of each partition, at least 2.
        folds: usize,
        /// Partitions of the training rows: the fold of each row, below `folds`. There is one at least.
        partitions: Vec<Vec<u32>>,
    },
}

impl Members {
    /// A single network, on all training rows.
    pub const ONE: Self = Self::All(1);

    /// How many networks there are.
    pub fn count(&self) -> usize {
        match self {
            Self::All(count) => *count,
            Self::Folds { folds, partitions } => folds * partitions.len(),
        }
    }

    /// Whether it is one network on all rows.
    pub(crate) fn is_one(&self) -> bool {
        *self == Self::ONE
    }

    /// The rows that a network is not trained on, in order.
    pub fn held_out(&self, member: usize) -> Vec<u32> {
        self.rows(member, |of, fold| of == fold)
    }

    /// The rows that a network is trained on, in order; `None` if these are all.
    pub(crate) fn trained_on(&self, member: usize) -> Option<Vec<u32>> {
        match self {
            Self::All(_) => None,
            Self::Folds { .. } => Some(self.rows(member, |of, fold| of != fold)),
        }
    }

    fn rows(&self, member: usize, is_in: impl Fn(u32, u32) -> bool) -> Vec<u32> {
        let Self::Folds { folds, partitions } = self else { return Vec::new() };
        let fold = (member % folds) as u32;
        let of_row = partitions[member / folds].iter().enumerate();
        of_row.filter(|(_, of)| is_in(**of, fold)).map(|(row, _)| row as u32).collect()
    }

    /// What the networks say together about some rows (`rows`: of those trained on), each row left to those
    /// that are not trained on it; without partitions to all. `features` are row-major `[rows, d_input]`;
    /// `logits` asks one of the networks, counted from 0. Returns logits, row-major `[rows, d_output]`.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn held_out_logits(
        &self,
        task: Task,
        rows: &[usize],
        features: &[f32],
        mut logits: impl FnMut(usize, &[f32]) -> Vec<f32>,
    ) -> Vec<f32> {
        let Self::Folds { folds, partitions } = self else {
            let all: Vec<_> = (0..self.count()).map(|member| logits(member, features)).collect();
            return pooled_logits(task, &all);
        };
        let d_input = features.len() / rows.len().max(1);
        let of_member = |member: usize| {
            let (of, fold) = (&partitions[member / folds], (member % folds) as u32);
            let held_out = (0..rows.len()).filter(|at| of[rows[*at]] == fold);
            let places: Vec<u32> = held_out.map(|at| at as u32).collect();
            let of_row = |at: &u32| &features[*at as usize * d_input..][..d_input];
            let own: Vec<f32> = places.iter().flat_map(of_row).copied().collect();
            let found = if own.is_empty() { Vec::new() } else { logits(member, &own) };
            (places, found)
        };
        let found: Vec<_> = (0..self.count()).map(of_member).collect();
        let found = found.iter().map(|(places, found)| (places.as_slice(), found.as_slice()));
        pool_held_out(task, rows.len(), *folds, found)
    }

    /// # Errors
    ///
    /// No network; partitions that are none of so many rows.
    pub(crate) fn check(&self, rows: usize) -> Result<(), TrainError> {
        if self.count() == 0 {
            return Err(TrainError::field("members", 0, "at least 1"));
        }
        let Self::Folds { folds, partitions } = self else { return Ok(()) };
        if *folds < 2 {
            return Err(TrainError::field("folds", folds, "at least 2"));
        }
        for partition in partitions {
            let mut sizes = vec![0_usize; *folds];
            for fold in partition {
                match sizes.get_mut(*fold as usize) {
                    Some(size) => *size += 1,
                    None => return Err(TrainError::field("folds", fold, format!("below {folds}"))),
                }
            }
            if partition.len() != rows || sizes.contains(&0) {
                let found = format!("{folds} folds of {sizes:?} rows");
                return Err(TrainError::field(
                    "folds",
                    found,
                    format!("{rows} rows, in every fold some"),
                ));
            }
        }
        Ok(())
    }

    /// What tells one ensemble from another of the same shape, data and seed; `None` for a single network.
    pub(crate) fn identity(&self) -> Option<String> {
        match self {
            Self::All(1) => None,
            Self::All(count) => Some(count.to_string()),
            Self::Folds { folds, partitions } => {
                let mut sha = Sha256::new();
                partitions.iter().flatten().for_each(|fold| sha.update(fold.to_le_bytes()));
                let digest: String =
                    sha.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
                Some(format!("{} on {folds} folds ({digest})", self.count()))
            }
        }
    }

    /// What the networks say about the rows that they were trained on, each row left to those that were
    /// not trained on it: without partitions to all ([`predict_members`]).
    ///
    /// # Errors
    ///
    /// If networks, task and data do not fit together, or `loss` is out of range.
    pub fn predict_held_out<B: KilnBackend>(
        &self,
        models: &[Mlp<B>],
        task: Task,
        loss: &LossConfig,
        dataset: &Dataset,
        device: &B::Device,
    ) -> Result<Predictions, TrainError> {
        if let Self::All(_) = self {
            return predict_members(models, task, loss, dataset, device);
        }
        let host = check_models(models, task, dataset)?;
        self.check(dataset.rows())?;
        let held_out = HeldOut::new(self, host, task, loss, dataset, device)?;
        Ok(held_out.predict(models, &[], task, &Loss::new(task, loss)?, dataset.targets()))
    }
}

/// Whether the kernels have all that the networks consist of.
fn check_models<B: KilnBackend>(
    models: &[Mlp<B>],
    task: Task,
    dataset: &Dataset,
) -> Result<bool, TrainError> {
    for model in models {
        check_data(task, model.d_input(), (dataset.d_input(), dataset.targets()))?;
        check_head(task, model.d_output())?;
    }
    Ok(B::HOST && models.iter().all(|model| Network::of(model).is_some()))
}

/// Runs all rows of `dataset` through all networks, whose probabilities are averaged.
///
/// # Errors
///
/// If networks, task and data do not fit together, or `loss` is out of range.
///
/// # Panics
///
/// If there are no networks.
pub fn predict_members<B: KilnBackend>(
    models: &[Mlp<B>],
    task: Task,
    loss: &LossConfig,
    dataset: &Dataset,
    device: &B::Device,
) -> Result<Predictions, TrainError> {
    let predict = |model| predict_rows(model, task, loss, dataset, device);
    if let [model] = models {
        return predict(model);
    }
    let logits = models.iter().map(|model| Ok(predict(model)?.logits));
    let logits = logits.collect::<Result<Vec<_>, TrainError>>()?;
    let (loss, pooled) = (Loss::new(task, loss)?, pooled_logits(task, &logits));
    Ok(Predictions::of_logits(task, &loss, dataset.targets(), pooled))
}

/// What all networks say about the same rows; `networks` are the same as the kernels have them, or none.
pub(crate) fn predict_all<B: Backend>(
    rows: &Rows<B>,
    models: &[Mlp<B>],
    networks: &[&Network],
    task: Task,
    loss: &Loss,
    targets: &Targets,
) -> Predictions {
    let predict = |at: usize| rows.predict(&models[at], networks.get(at).copied(), task);
    if models.len() == 1 {
        return predict(0);
    }
    let logits: Vec<Vec<f32>> = (0..models.len()).map(|at| predict(at).logits).collect();
    Predictions::of_logits(task, loss, targets, pooled_logits(task, &logits))
}

/// The rows that each network of an ensemble is not trained on, to be predicted again and again.
pub(crate) struct HeldOut<B: Backend> {
    rows: usize,
    folds: usize,
    host: bool,
    members: Vec<(Vec<u32>, Rows<B>)>,
}

impl<B: Backend> HeldOut<B> {
    /// `host`: the kernels have all that the networks to come consist of.
    pub(crate) fn new(
        members: &Members,
        host: bool,
        task: Task,
        loss: &LossConfig,
        dataset: &Dataset,
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        let count = members.count();
        let folds = match members {
            Members::All(count) => *count,
            Members::Folds { folds, .. } => *folds,
        };
        // Weights are no matter of single predictions, and a fold may have none above 0.
        let unweighted = match dataset.weights() {
            None => Cow::Borrowed(dataset),
            Some(_) => {
                let (features, targets, _) = dataset.clone().into_parts();
                Cow::Owned(Dataset::new(features, dataset.d_input(), targets)?)
            }
        };
        let of = |member| {
            let rows = members.held_out(member);
            let places: Vec<usize> = rows.iter().map(|row| *row as usize).collect();
            Ok((rows, Rows::new(host, task, loss, unweighted.select(&places)?, device)?))
        };
        let members = (0..count).map(of).collect::<Result<_, TrainError>>()?;
        Ok(Self { rows: dataset.rows(), folds, host, members })
    }

    /// Of all rows of the dataset, in its order; `networks` are the same as the kernels have them, or none.
    pub(crate) fn predict(
        &self,
        models: &[Mlp<B>],
        networks: &[&Network],
        task: Task,
        loss: &Loss,
        targets: &Targets,
    ) -> Predictions {
        let of = |(at, (_, rows)): (usize, &(Vec<u32>, Rows<B>))| {
            rows.predict(&models[at], networks.get(at).copied(), task).logits
        };
        // A few rows each, too few to be divided among threads.
        let found: Vec<Vec<f32>> = match self.host {
            true => self.members.par_iter().enumerate().map(of).collect(),
            false => self.members.iter().enumerate().map(of).collect(),
        };
        let members = self.members.iter().map(|(rows, _)| rows.as_slice());
        let found = members.zip(found.iter().map(Vec::as_slice));
        Predictions::of_logits(
            task,
            loss,
            targets,
            pool_held_out(task, self.rows, self.folds, found),
        )
    }
}

/// Puts the logits of each network in the places of its rows, and pools the partitions.
fn pool_held_out<'a>(
    task: Task,
    rows: usize,
    folds: usize,
    members: impl ExactSizeIterator<Item = (&'a [u32], &'a [f32])>,
) -> Vec<f32> {
    let width = task.d_output();
    let mut partitions = vec![vec![0.0; rows * width]; members.len() / folds];
    for (member, (places, found)) in members.enumerate() {
        let logits = &mut partitions[member / folds];
        for (place, found) in places.iter().zip(found.chunks_exact(width)) {
            logits[*place as usize * width..][..width].copy_from_slice(found);
        }
    }
    pooled_logits(task, &partitions)
}
