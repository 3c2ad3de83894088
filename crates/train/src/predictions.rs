use kiln_data::Targets;
use kiln_kernels::Loss;
use kiln_model::Task;

use crate::{decision::decide, objective::kernel_targets};

/// What a network says about the rows of a dataset, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Row-major, `[rows, d_output]`.
    pub logits: Vec<f32>,
    /// The loss of each row, in nats, class weights and smoothing included, row weights not.
    pub losses: Vec<f32>,
    /// The decision for each row: a class index, or, row-major, a 0 or 1 for each label.
    pub decisions: Vec<u32>,
}

impl Predictions {
    /// What follows from the logits of all rows, which have these targets.
    pub(crate) fn of_logits(task: Task, loss: &Loss, targets: &Targets, logits: Vec<f32>) -> Self {
        let losses = loss.of_rows(&logits, kernel_targets(targets));
        let decisions = decide(task, &logits, 0.0);
        Self { logits, losses, decisions }
    }
}
