//! The decision rule, on the host: from the outputs of a row to a class, or to a 0 or 1 for each label.

use kiln_model::Task;

/// What is decided for each row of `outputs`, row-major `[rows, d_output]`: the first of the most probable
/// classes, or 1 where an output reaches `threshold`. That is 0 for logits, 0.5 for probabilities.
///
/// [`Task::decide`] is the same rule for tensors.
pub(crate) fn decide<T: PartialOrd>(task: Task, outputs: &[T], threshold: T) -> Vec<u32> {
    match task {
        Task::Multiclass { num_classes } => outputs.chunks_exact(num_classes).map(argmax).collect(),
        Task::Binary | Task::MultiLabel { .. } => {
            outputs.iter().map(|output| u32::from(*output >= threshold)).collect()
        }
    }
}

/// The first of the largest values.
pub(crate) fn argmax<T: PartialOrd>(row: &[T]) -> u32 {
    let mut best = 0;
    for (i, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = i;
        }
    }
    best as u32
}
