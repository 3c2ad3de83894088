use burn::tensor::backend::Backend;
use kiln_model::{Mlp, MlpConfig};

use crate::observer::{EpochRecord, StopReason};

/// A trained network and how it came about.
#[derive(Debug, Clone)]
pub struct Trained<B: Backend> {
    /// With the weights of `kept_epoch`, on the backend without gradients.
    pub model: Mlp<B>,
    /// What the network was made from; its `seed` is that of the restart that won.
    pub config: MlpConfig,
    /// One record per epoch of the restart that won.
    pub history: Vec<EpochRecord>,
    /// The epoch whose weights these are, counted from 1.
    pub kept_epoch: usize,
    /// Why training ended.
    pub stop: StopReason,
}

/// Several networks of one shape, trained side by side, and how they came about.
#[derive(Debug, Clone)]
pub struct TrainedMembers<B: Backend> {
    /// With the weights of `kept_epoch`, on the backend without gradients.
    pub models: Vec<Mlp<B>>,
    /// What each was made from; its `seed` is that of the first.
    pub config: MlpConfig,
    /// One record per epoch of the restart that won, of all networks together.
    pub history: Vec<EpochRecord>,
    /// The epoch whose weights these are, the same for all, counted from 1.
    pub kept_epoch: usize,
    /// Why training ended.
    pub stop: StopReason,
}
