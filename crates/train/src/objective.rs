use burn::tensor::{Tensor, backend::Backend};
use kiln_data::{BatchTargets, Targets};
use kiln_model::{
    BinaryCrossEntropy, CategoricalCrossEntropy, LossConfig, SparseCategoricalCrossEntropy, Task,
};

use crate::error::TrainError;

/// The loss that belongs to a task and the form of its targets.
#[derive(Debug)]
pub(crate) enum Objective<B: Backend> {
    Binary(BinaryCrossEntropy<B>),
    Categorical(CategoricalCrossEntropy<B>),
    Sparse(SparseCategoricalCrossEntropy<B>),
}

impl<B: Backend> Objective<B> {
    pub(crate) fn new(
        task: Task,
        config: &LossConfig,
        targets: &Targets,
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        Ok(match (task, targets) {
            (Task::Binary | Task::MultiLabel { .. }, _) => {
                Self::Binary(config.init_binary(task.d_output(), device)?)
            }
            (Task::Multiclass { num_classes }, Targets::Dense { .. }) => {
                Self::Categorical(config.init_categorical(num_classes, device)?)
            }
            (Task::Multiclass { num_classes }, Targets::Classes { .. }) => {
                Self::Sparse(config.init_sparse(num_classes, device)?)
            }
        })
    }

    /// One loss per row.
    ///
    /// # Shapes
    ///
    /// logits: `[batch_size, d_output]`, result: `[batch_size]`
    pub(crate) fn forward(&self, logits: Tensor<B, 2>, targets: BatchTargets<B>) -> Tensor<B, 1> {
        match (self, targets) {
            (Self::Binary(loss), BatchTargets::Dense(targets)) => loss.forward(logits, targets),
            (Self::Binary(loss), BatchTargets::Classes(targets)) => {
                loss.forward(logits, targets.float().unsqueeze_dim(1))
            }
            (Self::Categorical(loss), BatchTargets::Dense(targets)) => {
                loss.forward(logits, targets)
            }
            (Self::Sparse(loss), BatchTargets::Classes(targets)) => loss.forward(logits, targets),
            (Self::Categorical(_), BatchTargets::Classes(_))
            | (Self::Sparse(_), BatchTargets::Dense(_)) => {
                unreachable!("the objective was made for this form of targets")
            }
        }
    }
}

/// Targets, for the kernels.
pub(crate) fn kernel_targets(targets: &Targets) -> kiln_kernels::Targets<'_> {
    match targets {
        Targets::Classes { indices, .. } => kiln_kernels::Targets::Classes(indices),
        Targets::Dense { values, .. } => kiln_kernels::Targets::Dense(values),
    }
}

/// Checks that the data has the features that the network takes and the targets that the task asks
/// for. Of the data: how many features a row has, and the targets.
pub(crate) fn check_data(
    task: Task,
    d_input: usize,
    (found, targets): (usize, &Targets),
) -> Result<(), TrainError> {
    task.validate()?;
    if found != d_input {
        return Err(TrainError::Mismatch {
            what: "data",
            found: format!("{found} features wide"),
            other: "network",
            expected: format!("{d_input}"),
        });
    }
    let (fits, expected) = match (task, targets) {
        (Task::Binary, Targets::Classes { num_classes, .. }) => {
            (*num_classes == 2, "binary, with 2 classes or one column".to_owned())
        }
        (Task::Binary, Targets::Dense { width, .. }) => {
            (*width == 1, "binary, with 2 classes or one column".to_owned())
        }
        (Task::Multiclass { num_classes }, targets) => (
            targets.num_outputs() == num_classes,
            format!("multiclass, with {num_classes} classes"),
        ),
        (Task::MultiLabel { num_labels }, targets) => (
            matches!(targets, Targets::Dense { width, .. } if *width == num_labels),
            format!("multi-label, with {num_labels} columns"),
        ),
    };
    if fits {
        return Ok(());
    }
    let found = match targets {
        Targets::Classes { num_classes, .. } => format!("an index of {num_classes} classes"),
        Targets::Dense { width, .. } => format!("{width} columns wide"),
    };
    Err(TrainError::Mismatch { what: "target", found, other: "task", expected })
}

/// The network's head must be as wide as the task asks.
pub(crate) fn check_head(task: Task, d_output: usize) -> Result<(), TrainError> {
    if d_output == task.d_output() {
        return Ok(());
    }
    Err(TrainError::Mismatch {
        what: "network",
        found: format!("{d_output} outputs wide"),
        other: "task",
        expected: format!("{task:?}, with {}", task.d_output()),
    })
}
