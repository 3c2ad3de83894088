use burn::tensor::backend::Backend;
use kiln_kernels::Network;
use kiln_model::Mlp;

use crate::{error::TrainError, tensors::Tensors};

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
