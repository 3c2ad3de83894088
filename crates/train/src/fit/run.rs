use std::path::Path;

use burn::tensor::backend::{AutodiffBackend, Backend};
use kiln_kernels::Network;
use kiln_model::{Mlp, MlpConfig, Task};
use kiln_store::{decode, encode};

use super::validation::Validation;
use crate::{
    checkpoint::{Checkpoints, Identity, Winner},
    config::TrainConfig,
    error::TrainError,
    learner::{BurnLearner, HostLearner, Learner, Member, MembersLearner, split},
    observer::{EpochRecord, Event, Observer},
    random::{member_seed, restart_seed},
    ranks::Group,
    tensors::Tensors,
    train_data::TrainRows,
};

/// What all restarts share.
pub(super) struct Run<'a, B: AutodiffBackend> {
    pub(super) model: MlpConfig,
    pub(super) task: Task,
    pub(super) config: &'a TrainConfig,
    /// The rows of each network, `None` for all.
    pub(super) trained_on: Vec<Option<Vec<u32>>>,
    /// Of the training data.
    pub(super) rows: usize,
    pub(super) train: TrainRows<B>,
    pub(super) valid: Option<Validation<'a, B::InnerBackend>>,
    pub(super) device: &'a B::Device,
    /// Where there are checkpoints or several processes.
    pub(super) identity: Option<Identity>,
    pub(super) group: Option<&'a Group<'a>>,
}

/// What earlier restarts have left, and those who hear of the run.
pub(super) struct Log<'a, 'b, B: Backend> {
    pub(super) observers: &'a mut [&'b mut dyn Observer],
    pub(super) checkpoints: Option<&'a mut Checkpoints>,
    /// Of all restarts.
    pub(super) records: Vec<EpochRecord>,
    pub(super) best: Option<Ended<B>>,
}

impl<B: Backend> Log<'_, '_, B> {
    pub(super) fn tell(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        tell(self.observers, event)
    }

    /// The epochs that a restart, counted from 0, has done.
    pub(super) fn records_of(&self, restart: usize) -> impl Iterator<Item = &EpochRecord> {
        self.records.iter().filter(move |record| record.is_of(restart))
    }

    /// The checkpoint that the run goes on from is not one of such a run.
    pub(super) fn unusable(&self, problem: impl ToString) -> TrainError {
        let from = self.checkpoints.as_ref().and_then(|checkpoints| checkpoints.resumed_from());
        let path = from.unwrap_or(Path::new("the checkpoint of rank 0")).to_owned();
        TrainError::Checkpoint { path, problem: problem.to_string() }
    }
}

pub(super) fn tell(
    observers: &mut [&mut dyn Observer],
    event: &Event<'_>,
) -> Result<(), TrainError> {
    observers.iter_mut().try_for_each(|observer| observer.observe(event))
}

/// A restart that is over.
pub(super) struct Ended<B: Backend> {
    pub(super) how: Winner,
    pub(super) models: Vec<Mlp<B>>,
}

impl<B: AutodiffBackend> Run<'_, B> {
    pub(super) fn iterations_per_epoch(&self) -> usize {
        let of = |rows: usize| rows.div_ceil(self.config.batch_size.rows_of(rows));
        self.rows_of_members().map(of).max().expect("there is a network")
    }

    /// How many rows each network is trained on.
    fn rows_of_members(&self) -> impl Iterator<Item = usize> {
        self.trained_on.iter().map(|rows| rows.as_ref().map_or(self.rows, Vec::len))
    }

    /// Rows that all networks together take in an epoch.
    pub(super) fn rows_of_epoch(&self) -> usize {
        self.rows_of_members().sum()
    }

    /// Rows that all networks together take in the first iterations of an epoch.
    pub(super) fn rows_of_batches(&self, batches: usize) -> usize {
        let of = |rows: usize| rows.min(batches * self.config.batch_size.rows_of(rows));
        self.rows_of_members().map(of).sum()
    }

    pub(super) fn identity(&self) -> &Identity {
        self.identity.as_ref().expect("there is one where there are checkpoints")
    }

    /// The network of a restart, counted from 0.
    pub(super) fn model_config(&self, restart: usize) -> MlpConfig {
        self.model.clone().with_seed(restart_seed(self.config.seed, restart))
    }

    /// All networks, with the weights from which they start, or those that were saved.
    pub(super) fn learner<'a>(
        &'a self,
        model: &MlpConfig,
        saved: Option<Tensors>,
    ) -> Result<Box<dyn Learner<B::InnerBackend> + 'a>, TrainError> {
        match &self.train {
            TrainRows::Host(data) => self.members(model, saved, |model, saved, rows| {
                let network = start::<B::InnerBackend>(model, saved, self.device)?;
                let network = Network::of(&network).expect("the kernels have all of it");
                let (task, config, device) = (self.task, self.config, self.device);
                let (rows, group) = ((data, rows), self.group);
                HostLearner::new(network, model, task, config, rows, device, group)
            }),
            TrainRows::Device(data, objective) => {
                self.members(model, saved, |model, saved, rows| {
                    let network = start::<B>(model, saved, self.device)?;
                    let (task, config, device) = (self.task, self.config, self.device);
                    let (rows, group) = ((data, rows), self.group);
                    Ok(BurnLearner::new(task, config, objective, rows, network, device, group))
                })
            }
        }
    }

    /// One network or all, each of which `member` makes from its shape, its weights if they were saved, and its
    /// rows, `None` for all.
    fn members<'a, M: Member<B::InnerBackend> + 'a>(
        &'a self,
        model: &MlpConfig,
        saved: Option<Tensors>,
        member: impl Fn(&MlpConfig, Option<Tensors>, Option<&'a [u32]>) -> Result<M, TrainError>,
    ) -> Result<Box<dyn Learner<B::InnerBackend> + 'a>, TrainError> {
        if let [None] = self.trained_on.as_slice() {
            let saved = match (self.group, saved) {
                (Some(group), None) => Some(self.start_of_root(group, model)?),
                (_, saved) => saved,
            };
            return Ok(Box::new(member(model, saved, None)?));
        }
        let count = self.trained_on.len();
        let mut saved = saved.map(|saved| split(saved, count));
        let mut members = Vec::with_capacity(count);
        for (at, rows) in self.trained_on.iter().enumerate() {
            let model = model.clone().with_seed(member_seed(model.seed, at));
            let saved = saved.as_mut().map(|saved| std::mem::take(&mut saved[at]));
            members.push(member(&model, saved, rows.as_deref())?);
        }
        Ok(Box::new(MembersLearner::new(members)))
    }

    /// The weights that rank 0 starts from: another machine's may differ in their last bits.
    fn start_of_root(&self, group: &Group<'_>, model: &MlpConfig) -> Result<Tensors, TrainError> {
        const FORMAT: &str = "kiln-start";
        let start = match group.is_root() {
            true => model.init::<B::InnerBackend>(self.device)?.exact_tensors(),
            false => Vec::new(),
        };
        let manifest = "{\"format_version\":1}";
        let bytes = group.of_root(|| encode(FORMAT, manifest, &start.into_iter().collect()));
        let received = decode(&bytes, FORMAT, 1).map_err(|error| TrainError::Checkpoint {
            path: "the weights of rank 0".into(),
            problem: error.to_string(),
        })?;
        Ok(received.tensors)
    }

    /// Networks of saved weights, without gradients.
    pub(super) fn networks(
        &self,
        config: &MlpConfig,
        tensors: Tensors,
    ) -> Result<Vec<Mlp<B::InnerBackend>>, String> {
        let network = |mut tensors: Tensors| {
            config
                .from_tensors(|name| tensors.remove(name), self.device)
                .map_err(|error| error.to_string())
        };
        split(tensors, self.trained_on.len()).into_iter().map(network).collect()
    }
}

fn start<B: Backend>(
    model: &MlpConfig,
    saved: Option<Tensors>,
    device: &B::Device,
) -> Result<Mlp<B>, TrainError> {
    Ok(match saved {
        Some(mut tensors) => model.from_tensors(|name| tensors.remove(name), device)?,
        None => model.init(device)?,
    })
}
