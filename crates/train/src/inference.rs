//! Rows through a network, without gradients.

use std::borrow::Cow;

use burn::tensor::{Tensor, backend::Backend};
use kiln_data::{Batches, Dataset};
use kiln_kernels::{KilnBackend, Loss, Network};
use kiln_model::{LossConfig, Mlp, Task};

use crate::{
    error::TrainError,
    objective::{Objective, check_data, check_head},
    predictions::Predictions,
};

/// Rows that go through the network at once where no gradient is wanted.
const BATCH_SIZE: usize = 4096;

/// [`predict`](crate::predict), compiled where it is called.
pub(crate) fn predict_rows<B: KilnBackend>(
    model: &Mlp<B>,
    task: Task,
    loss: &LossConfig,
    dataset: &Dataset,
    device: &B::Device,
) -> Result<Predictions, TrainError> {
    check_data(task, model.d_input(), (dataset.d_input(), dataset.targets()))?;
    check_head(task, model.d_output())?;
    let network = if B::HOST { Network::of(model) } else { None };
    Ok(match network {
        Some(network) => predict_on_host(&network, task, &Loss::new(task, loss)?, dataset),
        None => {
            let objective = Objective::new(task, loss, dataset.targets(), device)?;
            let batches = Batches::new(dataset.clone(), BATCH_SIZE, device)?;
            predict_batches(model, task, &objective, &batches)
        }
    })
}

/// Rows to be predicted again and again, as validation rows are.
pub(crate) enum Rows<B: Backend> {
    Host(Dataset, Loss),
    Device(Batches<B>, Objective<B>),
}

impl<B: Backend> Rows<B> {
    /// `host`: the kernels have all that the networks to come consist of.
    pub(crate) fn new(
        host: bool,
        task: Task,
        loss: &LossConfig,
        dataset: Dataset,
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        if host {
            return Ok(Self::Host(dataset, Loss::new(task, loss)?));
        }
        let objective = Objective::new(task, loss, dataset.targets(), device)?;
        Ok(Self::Device(Batches::new(dataset, BATCH_SIZE, device)?, objective))
    }

    /// `network`: the same as the kernels have it, if that is at hand.
    pub(crate) fn predict(
        &self,
        model: &Mlp<B>,
        network: Option<&Network>,
        task: Task,
    ) -> Predictions {
        match self {
            Self::Host(dataset, loss) => {
                let copied = || Network::of(model).expect("the kernels have all of it");
                let network = network.map_or_else(|| Cow::Owned(copied()), Cow::Borrowed);
                predict_on_host(&network, task, loss, dataset)
            }
            Self::Device(batches, objective) => predict_batches(model, task, objective, batches),
        }
    }
}

fn predict_on_host(network: &Network, task: Task, loss: &Loss, dataset: &Dataset) -> Predictions {
    Predictions::of_logits(task, loss, dataset.targets(), network.logits(dataset.features()))
}

/// All results cross to the host in one transfer, behind the last batch.
fn predict_batches<B: Backend>(
    model: &Mlp<B>,
    task: Task,
    objective: &Objective<B>,
    batches: &Batches<B>,
) -> Predictions {
    let parts = batches.in_order().map(|batch| {
        let logits = model.forward(batch.features);
        let losses = objective.forward(logits.clone(), batch.targets).unsqueeze_dim(1);
        let decisions = task.decide(logits.clone()).float();
        Tensor::cat(vec![logits, losses, decisions], 1)
    });
    let table: Tensor<B, 2> = Tensor::cat(parts.collect(), 0);
    let [rows, width] = table.dims();
    let values: Vec<f32> = table.into_data().iter().collect();
    let d_output = task.d_output();
    let mut predictions = Predictions {
        logits: Vec::with_capacity(rows * d_output),
        losses: Vec::with_capacity(rows),
        decisions: Vec::with_capacity(rows * (width - d_output - 1)),
    };
    for row in values.chunks_exact(width) {
        let (logits, rest) = row.split_at(d_output);
        predictions.logits.extend_from_slice(logits);
        predictions.losses.push(rest[0]);
        predictions.decisions.extend(rest[1..].iter().map(|decision| *decision as u32));
    }
    predictions
}
