use burn::tensor::{Int, Tensor, activation, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// What is predicted. It fixes the width of the network's head, the probabilities and the decision
/// rule, and with them the loss and the metrics, so that these can't disagree.
///
/// | Task | `d_output` | Probabilities | Decision | Loss |
/// |---|---|---|---|---|
/// | `Binary` | 1 | sigmoid | positive where p ≥ ½ | binary |
/// | `Multiclass` | `num_classes` | softmax | the largest; the first of equals | sparse or categorical |
/// | `MultiLabel` | `num_labels` | sigmoid, each label | each label where p ≥ ½ | binary |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of two classes, negative (0) and positive (1).
    Binary,
    /// One of several classes.
    Multiclass {
        /// How many, at least 1.
        num_classes: usize,
    },
    /// Any number of labels at once.
    MultiLabel {
        /// How many, at least 1.
        num_labels: usize,
    },
}

impl Task {
    /// Logits per row.
    pub fn d_output(&self) -> usize {
        match *self {
            Self::Binary => 1,
            Self::Multiclass { num_classes } => num_classes,
            Self::MultiLabel { num_labels } => num_labels,
        }
    }

    /// Checks the number of classes or labels.
    ///
    /// # Errors
    ///
    /// [`ModelError::Field`] if there are none.
    pub fn validate(&self) -> Result<(), ModelError> {
        let field = match self {
            Self::Multiclass { num_classes: 0 } => "num_classes",
            Self::MultiLabel { num_labels: 0 } => "num_labels",
            _ => return Ok(()),
        };
        Err(ModelError::field(field, 0, "at least 1"))
    }

    /// Sigmoid or softmax of the logits. For a binary task: of the positive class.
    ///
    /// # Shapes
    ///
    /// `[batch_size, d_output]` → `[batch_size, d_output]`
    pub fn probabilities<B: Backend>(&self, logits: Tensor<B, 2>) -> Tensor<B, 2> {
        match self {
            Self::Multiclass { .. } => activation::softmax(logits, 1),
            Self::Binary | Self::MultiLabel { .. } => activation::sigmoid(logits),
        }
    }

    /// The decision for each row: a class index, or a 0 or 1 per label.
    ///
    /// # Shapes
    ///
    /// `[batch_size, d_output]` → `[batch_size, 1]`, or `[batch_size, num_labels]`
    pub fn decide<B: Backend>(&self, logits: Tensor<B, 2>) -> Tensor<B, 2, Int> {
        match self {
            Self::Multiclass { .. } => logits.argmax(1),
            // sigmoid(z) ≥ ½ where z ≥ 0
            Self::Binary | Self::MultiLabel { .. } => logits.greater_equal_elem(0.0).int(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_flex::Flex;

    fn decide(task: Task, logits: [[f32; 3]; 2]) -> Vec<i64> {
        let logits = Tensor::<Flex, 2>::from_floats(logits, &Default::default());
        task.decide(logits).into_data().iter().collect()
    }

    #[test]
    fn decisions_follow_the_probabilities() {
        let logits = [[1.0, 2.0, -1.0], [0.0, -0.1, -3.0]];
        assert_eq!(decide(Task::Multiclass { num_classes: 3 }, logits), [1, 0]);
        assert_eq!(decide(Task::MultiLabel { num_labels: 3 }, logits), [1, 1, 0, 1, 0, 0]);
    }

    #[test]
    fn probabilities_of_a_multiclass_row_sum_to_one() {
        let logits = Tensor::<Flex, 2>::from_floats([[1.0, 2.0, 4.0]], &Default::default());
        let p: Vec<f32> = Task::Multiclass { num_classes: 3 }
            .probabilities(logits.clone())
            .into_data()
            .to_vec()
            .unwrap();
        assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((p[2] - 0.84379).abs() < 1e-5);
        let p = Task::MultiLabel { num_labels: 3 }.probabilities(logits);
        assert!((p.into_data().iter::<f64>().next().unwrap() - 0.73106).abs() < 1e-5);
    }

    #[test]
    fn a_task_without_classes_is_an_error() {
        let error = Task::Multiclass { num_classes: 0 }.validate().unwrap_err();
        assert_eq!(error.to_string(), "`num_classes` is 0, expected at least 1");
        let error = Task::MultiLabel { num_labels: 0 }.validate().unwrap_err();
        assert_eq!(error.to_string(), "`num_labels` is 0, expected at least 1");
    }
}
