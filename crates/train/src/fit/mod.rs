mod best_restart;
pub(crate) mod hooks;
pub(crate) mod members;
mod restart;
mod run;
pub(crate) mod trained;
mod validation;

use kiln_data::Dataset;
use kiln_model::{MlpConfig, Task};

pub use self::{
    hooks::Hooks,
    trained::{Trained, TrainedMembers},
};
use crate::{
    backend::{TrainBackend, TrainLoop},
    config::TrainConfig,
    ensemble::Members,
    error::TrainError,
    observer::Observer,
    train_data::TrainData,
};

/// Trains a network.
///
/// `train` is a [`Dataset`], or a [`RowStream`](kiln_data::RowStream) of rows that do not fit into memory.
/// On a CPU backend of `f32` Kiln's kernels ([`kiln_kernels`]) do the work, unless the network has
/// normalization; else Burn's operations do, and the datasets go to the device once. An iteration
/// takes one batch: forward pass, mean loss (weighted where rows carry weights), backward pass,
/// update. Losses stay on the device until the epoch is over. The seed of `config` decides initial
/// weights, order of rows and dropout, in place of the one in `model`.
///
/// Validation rows choose, where the config asks for it: when to stop and which epoch to keep (early
/// stopping), the learning rate (reduction on plateau), and which restart wins. Else they are
/// reported only. Observers hear of every event, in their order.
///
/// # Errors
///
/// * A config out of its range; network, task and data that do not fit together; a batch of one row
///   with batch normalization.
/// * [`TrainError::NoValidation`]: early stopping, the best epoch or restarts without validation rows.
/// * [`TrainError::Diverged`]: the loss is NaN or infinite; with restarts, in all of them.
/// * What an observer returned.
pub fn fit<B: TrainBackend>(
    model: &MlpConfig,
    task: Task,
    config: &TrainConfig,
    train: impl Into<TrainData>,
    valid: Option<Dataset>,
    device: &B::Device,
    observers: &mut [&mut dyn Observer],
) -> Result<Trained<B::InnerBackend>, TrainError> {
    let hooks = Hooks { observers, ..Hooks::default() };
    fit_with::<B>(model, task, config, train, valid, device, hooks)
}

/// Trains a network as [`fit`] does, with checkpoints.
///
/// With [`Checkpoints::resume`](crate::Checkpoints::resume) the run goes on where its newest intact
/// checkpoint was written. On the CPU it then ends, bit for bit, with the weights and the history (but for its clock) that it would have ended
/// with had it never been cut off. Everything that decides the result must be what it was: the data, the
/// network, the config, and what computes, which is Kiln's kernels or a backend. Only `num_epochs` may
/// grow, if there are no restarts: the run is then the longer one from the start, unless its schedule asks
/// how many epochs there are.
///
/// A checkpoint that can't be written is told to the observers, and the run goes on; only the first one of
/// a new run must be written.
///
/// # Errors
///
/// As [`fit`], and:
///
/// * [`TrainError::ResumeDiffers`]: something is not what it was.
/// * [`TrainError::Checkpoint`]: the checkpoint is not one of such a run.
/// * [`TrainError::CheckpointFolder`]: the first checkpoint can't be written.
/// * [`TrainError::Interrupted`] or [`TrainError::InterruptedUnsaved`]: the run was asked to stop.
///
/// # Several processes
///
/// With [`Hooks::ranks`], each of which calls this with the same arguments, every batch is divided among
/// them. Which rows it has, the order of rows and dropout are what they are in one process, and so is, but
/// for rounding, the result; only batch normalization takes means and variances over the rows of a rank.
/// Rank 0 starts the network or reads the checkpoint, and hands it to the others; it alone has observers and
/// checkpoints. A run may be resumed with another number of ranks.
///
/// * [`TrainError::RanksDiffer`]: data, settings or, before a checkpoint, weights are not the same on all.
/// * On another rank than 0, [`TrainError::Interrupted`] names no file.
pub fn fit_with<B: TrainBackend>(
    model: &MlpConfig,
    task: Task,
    config: &TrainConfig,
    train: impl Into<TrainData>,
    valid: Option<Dataset>,
    device: &B::Device,
    hooks: Hooks<'_, '_>,
) -> Result<Trained<B::InnerBackend>, TrainError> {
    let trained =
        fit_members::<B>(model, task, config, &Members::ONE, train, valid, device, hooks)?;
    let TrainedMembers { mut models, config, history, kept_epoch, stop } = trained;
    Ok(Trained { model: models.swap_remove(0), config, history, kept_epoch, stop })
}

/// Trains several networks side by side, as [`fit_with`] trains one.
///
/// An iteration is one step of each of them, on a batch of its own rows; an epoch has as many as the
/// network with the most rows needs. Validation rows are predicted by all networks together
/// ([`predict_members`](crate::predict_members)). Without them, and with [`Members::Folds`], the training
/// rows are, each by the networks that are not trained on it ([`Members::predict_held_out`]): what early
/// stopping compares, and what is reported of an epoch, is of these. One epoch is kept for all.
///
/// # Errors
///
/// As [`fit_with`]; several networks on streamed rows, or in several processes.
#[expect(clippy::too_many_arguments, reason = "each is a part of the run, as for one network")]
pub fn fit_members<B: TrainBackend>(
    model: &MlpConfig,
    task: Task,
    config: &TrainConfig,
    members: &Members,
    train: impl Into<TrainData>,
    valid: Option<Dataset>,
    device: &B::Device,
    hooks: Hooks<'_, '_>,
) -> Result<TrainedMembers<B::InnerBackend>, TrainError> {
    let train = train.into();
    B::InnerBackend::fit_members(model, task, config, members, train, valid, device, hooks)
}
