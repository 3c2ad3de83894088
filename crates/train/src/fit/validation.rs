use burn::tensor::backend::Backend;
use kiln_data::{Dataset, Share, Targets};
use kiln_kernels::{Loss, Network};
use kiln_model::{LossConfig, Mlp, Task};

use crate::{
    ensemble::{HeldOut, Members, predict_all},
    error::TrainError,
    evaluation::{actual, exact_match, mean_loss},
    inference::Rows,
    metrics::ConfusionMatrix,
    predictions::Predictions,
    ranks::Group,
};

/// The validation rows: to be predicted, and to be compared with.
pub(super) struct Validation<'a, B: Backend> {
    who: Who<'a, B>,
    loss: Loss,
    /// What is right for the rows, their targets and weights, of all.
    actual: Vec<u32>,
    targets: Targets,
    weights: Option<Vec<f32>>,
    num_rows: usize,
}

/// Who predicts which rows.
enum Who<'a, B: Backend> {
    /// All networks predict all rows.
    All(Rows<B>),
    /// Each predicts those that it is not trained on.
    HeldOut(HeldOut<B>),
    /// Each process predicts some.
    Group {
        group: &'a Group<'a>,
        /// Those of this one, if there are any.
        rows: Option<Rows<B>>,
        /// The first of them, among all.
        first: usize,
    },
}

impl<'a, B: Backend> Validation<'a, B> {
    pub(super) fn new(
        host: bool,
        task: Task,
        loss: &LossConfig,
        dataset: Dataset,
        device: &B::Device,
        group: Option<&'a Group<'a>>,
    ) -> Result<Self, TrainError> {
        let this = |who| Self::of(who, task, loss, &dataset);
        let Some(group) = group else {
            return this(Who::All(Rows::new(host, task, loss, dataset.clone(), device)?));
        };
        let (num_rows, Share { rank, ranks }) = (dataset.rows(), group.share());
        let own = num_rows * rank / ranks..num_rows * (rank + 1) / ranks;
        let (first, own) = (own.start, own.collect::<Vec<usize>>());
        let rows = match own.is_empty() {
            true => None,
            false => {
                // Weights count when all losses are there; a part may have none above 0.
                let (features, targets, _) = dataset.clone().into_parts();
                let all = Dataset::new(features, dataset.d_input(), targets)?;
                Some(Rows::new(host, task, loss, all.select(&own)?, device)?)
            }
        };
        this(Who::Group { group, rows, first })
    }

    /// The training rows, each of which is foreign to some of the networks.
    pub(super) fn held_out(
        members: &Members,
        host: bool,
        task: Task,
        loss: &LossConfig,
        dataset: &Dataset,
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        let held_out = HeldOut::new(members, host, task, loss, dataset, device)?;
        Self::of(Who::HeldOut(held_out), task, loss, dataset)
    }

    fn of(
        who: Who<'a, B>,
        task: Task,
        loss: &LossConfig,
        dataset: &Dataset,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            who,
            loss: Loss::new(task, loss)?,
            actual: actual(task, dataset.targets()),
            targets: dataset.targets().clone(),
            weights: dataset.weights().map(<[f32]>::to_vec),
            num_rows: dataset.rows(),
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.num_rows
    }

    /// Loss, accuracy, and the decisions; `networks` are the same as the kernels have them, or none.
    pub(super) fn score(
        &self,
        models: &[Mlp<B>],
        networks: &[&Network],
        task: Task,
    ) -> (f64, f64, Vec<u32>) {
        let Self { who, loss, actual, targets, weights, num_rows } = self;
        // A decision for each row, or one for each label.
        let width = actual.len() / num_rows;
        let (losses, decisions) = match who {
            Who::All(rows) => {
                let found = predict_all(rows, models, networks, task, loss, targets);
                (found.losses, found.decisions)
            }
            Who::HeldOut(rows) => {
                let found = rows.predict(models, networks, task, loss, targets);
                (found.losses, found.decisions)
            }
            Who::Group { group, rows, first } => {
                let own = rows
                    .as_ref()
                    .map(|rows| rows.predict(&models[0], networks.first().copied(), task));
                of_all(group, own, *first, *num_rows, width)
            }
        };
        (mean_loss(&losses, weights.as_deref()), exact_match(actual, &decisions, width), decisions)
    }

    /// What was decided for which class; of a multi-label task, over all labels.
    pub(super) fn confusion(&self, task: Task, decisions: &[u32]) -> ConfusionMatrix {
        let classes = match task {
            Task::Multiclass { num_classes } => num_classes,
            Task::Binary | Task::MultiLabel { .. } => 2,
        };
        ConfusionMatrix::from_classes(&self.actual, decisions, classes)
    }
}

/// The losses and the decisions of all ranks' rows, `num_rows` of `width` decisions each; `first` is the
/// first of this one's own.
fn of_all(
    group: &Group<'_>,
    own: Option<Predictions>,
    first: usize,
    num_rows: usize,
    width: usize,
) -> (Vec<f32>, Vec<u32>) {
    // All but the own ones are 0: the sums are exact.
    let mut numbers = vec![0.0; num_rows * (1 + width)];
    if let Some(own) = own {
        numbers[first..][..own.losses.len()].copy_from_slice(&own.losses);
        let decisions = &mut numbers[num_rows + first * width..];
        decisions.iter_mut().zip(own.decisions).for_each(|(to, from)| *to = from as f32);
    }
    group.sum(&mut numbers);
    let decisions = numbers.split_off(num_rows);
    (numbers, decisions.into_iter().map(|decision| decision as u32).collect())
}
