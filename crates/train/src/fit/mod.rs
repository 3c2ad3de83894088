mod data;
mod restart;
mod run;

use burn::tensor::{
    Element,
    backend::{AutodiffBackend, Backend},
};
use kiln_data::Dataset;
use kiln_kernels::KilnBackend;
use kiln_model::{Mlp, MlpConfig, Normalization, Task};

pub(crate) use self::data::DeviceRows;
pub use self::data::TrainData;
use self::{
    data::{TrainRows, Validation},
    run::Run,
};
use crate::{
    backend::{TrainBackend, TrainLoop},
    checkpoint::{Checkpoints, Fingerprint, Identity},
    config::{BatchSize, Keep, TrainConfig},
    ensemble::Members,
    error::TrainError,
    objective::check_data,
    observer::{EpochRecord, Observer, StopReason},
    predict::check_head,
    ranks::{Group, Ranks},
};

/// Most bytes of the features of a batch of streamed rows.
const STREAMED_BATCH_BYTES: usize = 128 << 20;

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

/// What accompanies a run.
#[derive(Default)]
pub struct Hooks<'a, 'b> {
    /// They hear of every event.
    pub observers: &'a mut [&'b mut dyn Observer],
    /// They are kept, and the run goes on from the newest.
    pub checkpoints: Option<&'a mut Checkpoints>,
    /// The processes that train together; `None` if this one trains alone.
    pub ranks: Option<&'a dyn Ranks>,
}

/// Trains a network as [`fit`] does, with checkpoints.
///
/// With [`Checkpoints::resume`] the run goes on where its newest intact checkpoint was written. On the CPU
/// it then ends, bit for bit, with the weights and the history (but for its clock) that it would have ended
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
/// ([`predict_together`](crate::predict_together)). Without them, and with [`Members::Folds`], the training
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

/// [`fit_members`], compiled where it is called.
#[expect(clippy::too_many_arguments, reason = "those of `fit_members`")]
pub(crate) fn train_members<B: AutodiffBackend<InnerBackend: KilnBackend>>(
    model: &MlpConfig,
    task: Task,
    config: &TrainConfig,
    members: &Members,
    train: TrainData,
    valid: Option<Dataset>,
    device: &B::Device,
    hooks: Hooks<'_, '_>,
) -> Result<TrainedMembers<B::InnerBackend>, TrainError> {
    let Hooks { observers, checkpoints, ranks } = hooks;
    let group = ranks.map(|ranks| Group::new(ranks, checkpoints.is_some())).transpose()?;
    check_run(model, task, config, members, &train, valid.as_ref())?;
    if group.is_some() && members.count() > 1 {
        let expected = "1 where several processes train one network";
        return Err(TrainError::field("members", members.count(), expected));
    }
    // The kernels have no normalization, and number rows by 32 bits.
    let host = B::InnerBackend::HOST
        && model.normalization == Normalization::None
        && u32::try_from(train.rows()).is_ok();
    let identity = (checkpoints.is_some() || group.is_some()).then(|| {
        let engine = if host {
            "kiln-kernels".to_owned()
        } else {
            let number = <B::FloatElem as Element>::dtype();
            format!("{}, {number:?}", B::InnerBackend::name(device))
        };
        Identity {
            engine,
            task,
            network: model.clone().with_seed(config.seed),
            config: config.clone(),
            members: members.identity(),
            train: Fingerprint::of_train(&train),
            valid: valid.as_ref().map(Fingerprint::of),
        }
    });
    if let (Some(group), Some(identity)) = (&group, &identity) {
        let bytes = serde_json::to_vec(identity).expect("plain data with text keys");
        group.check_same("data and settings", &bytes)?;
    }
    let loss = &config.loss;
    let valid = match (valid, &train) {
        (Some(valid), _) => {
            let group = group.as_ref();
            Some(Validation::<B::InnerBackend>::new(host, task, loss, valid, device, group)?)
        }
        (None, TrainData::Memory(data)) if matches!(members, Members::Folds { .. }) => {
            Some(Validation::held_out(members, host, task, loss, data, device)?)
        }
        (None, _) => None,
    };
    let rows = train.rows();
    let train = TrainRows::<B>::new(host, task, config, train, device)?;
    let trained_on: Vec<Option<Vec<u32>>> =
        (0..members.count()).map(|member| members.trained_on(member)).collect();
    let (model, group) = (model.clone(), group.as_ref());
    let run = Run { model, task, config, trained_on, rows, train, valid, device, identity, group };
    if host {
        // In the pool, where the kernels' work is divided: from outside, each step would wake two threads
        // of it instead of one, twice.
        rayon::scope(|_| run.best_restart(observers, checkpoints))
    } else {
        run.best_restart(observers, checkpoints)
    }
}

fn check_run(
    model: &MlpConfig,
    task: Task,
    config: &TrainConfig,
    members: &Members,
    train: &TrainData,
    valid: Option<&Dataset>,
) -> Result<(), TrainError> {
    config.validate()?;
    members.check(train.rows())?;
    model.validate()?;
    check_head(task, model.d_output)?;
    train.with_targets(|of| check_data(task, model.d_input, (train.d_input(), of)))?;
    if let Some(valid) = valid {
        check_data(task, model.d_input, (valid.d_input(), valid.targets()))?;
    }
    if let TrainData::Streamed(rows) = train {
        if !members.is_one() {
            return Err(TrainError::field("members", members.count(), "1 for streamed rows"));
        }
        let most = STREAMED_BATCH_BYTES / (size_of::<f32>() * rows.d_input());
        let batch_size = config.batch_size.rows_of(rows.rows());
        if batch_size > most.max(1) {
            let expected = format!("at most {most} rows of {} features", rows.d_input());
            let expected = expected + ", for a batch of streamed rows is to fit into memory";
            return Err(TrainError::field("batch_size", batch_size, expected));
        }
    }
    if valid.is_none() && matches!(members, Members::All(_)) {
        if config.early_stopping.is_some() {
            return Err(TrainError::NoValidation { field: "early_stopping" });
        }
        if config.keep == Keep::Best {
            return Err(TrainError::NoValidation { field: "keep" });
        }
        if config.restarts > 1 {
            return Err(TrainError::NoValidation { field: "restarts" });
        }
    }
    if config.batch_size == BatchSize::Rows(1) && model.normalization == Normalization::Batch {
        let expected = "at least 2 with batch normalization";
        return Err(TrainError::field("batch_size", 1, expected));
    }
    Ok(())
}
