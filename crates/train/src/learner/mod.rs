//! What takes batches and gets better: on Burn's operations, or on the CPU kernels.

mod burn;
mod host;

use ::burn::tensor::backend::Backend;
use kiln_model::Mlp;

pub(crate) use self::{burn::BurnLearner, host::HostLearner};

/// A network in training.
pub(crate) trait Learner<B: Backend> {
    /// Puts the rows in the order of an epoch, counted from 0.
    fn start_epoch(&mut self, seed: u64, epoch: usize);

    /// One iteration, on the next batch of the epoch: forward pass, mean loss, backward pass, update.
    /// Returns the rows of the batch.
    fn step(&mut self, at: Step) -> usize;

    /// The loss of each batch since the start of the epoch, and their mean over all rows. A GPU has by
    /// then done all that it was given to do.
    fn end_epoch(&mut self) -> (Vec<f64>, f64);

    /// The network as it is now; `None` if a weight is not finite.
    fn model(&self) -> Option<Mlp<B>>;
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

/// The mean of some losses, each of which stands for so much weight.
fn mean(losses: &[f64], weights: &[f64]) -> f64 {
    let sum: f64 = losses.iter().zip(weights).map(|(loss, weight)| loss * weight).sum();
    sum / weights.iter().sum::<f64>()
}
