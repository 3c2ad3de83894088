use burn::tensor::{
    Element,
    backend::{AutodiffBackend, Backend},
};
use kiln_data::Dataset;
use kiln_kernels::KilnBackend;
use kiln_model::{MlpConfig, Normalization, Task};

use super::{hooks::Hooks, run::Run, trained::TrainedMembers, validation::Validation};
use crate::{
    checkpoint::{Fingerprint, Identity},
    config::{BatchSize, Keep, TrainConfig},
    ensemble::Members,
    error::TrainError,
    objective::{check_data, check_head},
    ranks::Group,
    train_data::{TrainData, TrainRows},
};

/// Most bytes of the features of a batch of streamed rows.
const STREAMED_BATCH_BYTES: usize = 128 << 20;

/// [`fit_members`](crate::fit_members), compiled where it is called.
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
