//! What takes batches and gets better: on Burn's operations, or on the CPU kernels.

mod burn;
mod host;
mod members;
mod reading;
mod together;

use std::collections::BTreeMap;

use ::burn::tensor::{DType, TensorData, backend::Backend};
use kiln_kernels::Network;
use kiln_model::Mlp;

use crate::error::TrainError;

pub(crate) use self::{
    burn::BurnLearner,
    host::HostLearner,
    members::{Member, MembersLearner, joined, split},
};

/// Tensors by name.
pub(crate) type Tensors = BTreeMap<String, TensorData>;

/// A network in training, or several.
pub(crate) trait Learner<B: Backend> {
    /// Puts the rows in the order of an epoch, counted from 0.
    fn start_epoch(&mut self, seed: u64, epoch: usize);

    /// One iteration, on the next batch of the epoch: forward pass, mean loss, backward pass, update.
    /// Returns the rows of the batch: none if this network has had all of its own.
    ///
    /// # Errors
    ///
    /// Streamed rows can't be read.
    fn step(&mut self, at: Step) -> Result<usize, TrainError>;

    /// The loss of each batch since the start of the epoch, their mean over all rows, and how many rows were
    /// decided right. A GPU has by then done all that it was given to do.
    fn end_epoch(&mut self) -> (Vec<f64>, f64, f64);

    /// Seconds since the start of the epoch in which no step could be made, for its rows had not been read.
    fn waiting(&self) -> f64;

    /// The networks as they are now; `None` if a weight is not finite.
    fn models(&self) -> Option<Vec<Mlp<B>>>;

    /// The same as the kernels have them; none where Burn trains.
    fn networks(&self) -> Vec<&Network> {
        Vec::new()
    }

    /// The slope of the mean loss of the last batch of the epoch by each weight, as the network is now, by the
    /// names of [`Mlp::tensors`]: without dropout and clipping. Empty before the first step.
    fn gradients(&self) -> Vec<(String, Vec<f32>)>;

    /// All but the networks and the order of rows that the rest of the run depends on.
    fn save(&mut self) -> Tensors;

    /// Goes on, after `start_epoch` and with the network as it was, where [`Learner::save`] was called:
    /// after `iterations` of the run, `batches` of them in this epoch.
    ///
    /// # Errors
    ///
    /// What does not fit.
    fn load(
        &mut self,
        iterations: usize,
        batches: usize,
        tensors: &mut Tensors,
    ) -> Result<(), String>;
}

/// Where a run is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Of the run.
    pub(crate) seed: u64,
    /// Counted from 0 over the whole run.
    pub(crate) iteration: usize,
    pub(crate) learning_rate: f64,
}

/// The losses of an epoch's batches, on the host.
#[derive(Debug, Default)]
struct BatchLosses {
    losses: Vec<f64>,
    /// What each of them stands for: rows, or the sum of their weights.
    weights: Vec<f64>,
    /// How many rows of each batch were decided right.
    right: Vec<f64>,
}

impl BatchLosses {
    /// All of them, the mean, and the rows that were decided right.
    fn take(&mut self) -> (Vec<f64>, f64, f64) {
        let Self { losses, weights, right } = std::mem::take(self);
        let sum: f64 = losses.iter().zip(&weights).map(|(loss, weight)| loss * weight).sum();
        let mean = sum / weights.iter().sum::<f64>();
        (losses, mean, right.iter().sum())
    }

    fn save(&self, tensors: &mut Tensors) {
        let Self { losses, weights, right } = self;
        let named = [("epoch.losses", losses), ("epoch.weights", weights), ("epoch.right", right)];
        for (name, values) in named {
            tensors.insert(name.to_owned(), TensorData::new(values.clone(), [values.len()]));
        }
    }

    fn load(batches: usize, tensors: &mut Tensors) -> Result<Self, String> {
        let mut values = |name| take::<f64>(tensors, name, batches);
        Ok(Self {
            losses: values("epoch.losses")?,
            weights: values("epoch.weights")?,
            right: values("epoch.right")?,
        })
    }
}

/// A tensor of so many numbers.
fn take<E: ::burn::tensor::Element>(
    tensors: &mut Tensors,
    name: &str,
    len: usize,
) -> Result<Vec<E>, String> {
    let data = tensors.remove(name).ok_or_else(|| format!("there is no tensor `{name}`"))?;
    let (found, dtype): (usize, DType) = (data.num_elements(), data.dtype);
    match data.into_vec() {
        Ok(values) if found == len => Ok(values),
        _ => Err(format!("tensor `{name}` has {found} numbers of {dtype:?}, expected {len}")),
    }
}
