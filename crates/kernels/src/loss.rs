use kiln_model::{LossConfig, ModelError, Task};

use crate::elementary::{LEAST_SLOPE, cut_off, exp_negative, sigmoids, softplus};
use crate::simd::{Kernel, Simd, dispatch};

/// The loss of a task, with its [`LossConfig`] written out.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// Fraction in [0, 1].
    label_smoothing: f32,
    kind: Kind,
}

/// The factors of what each output adds.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// Independent yes-or-no outputs, averaged over the outputs of a row.
    Binary { positive: Vec<f32>, negative: Vec<f32> },
    /// A distribution over the outputs.
    Softmax { weights: Vec<f32> },
}

impl Loss {
    /// The loss that a config asks for.
    ///
    /// # Errors
    ///
    /// As [`LossConfig::validate_for`].
    pub fn new(task: Task, config: &LossConfig) -> Result<Self, ModelError> {
        config.validate_for(task)?;
        let outputs = task.d_output();
        let kind = match (task, &config.class_weights) {
            (Task::Multiclass { .. }, Some(weights)) => Kind::Softmax { weights: rounded(weights) },
            (Task::Multiclass { .. }, None) => Kind::Softmax { weights: vec![1.0; outputs] },
            (Task::Binary | Task::MultiLabel { .. }, _) => {
                let [negative, positive] = config.binary_weights(outputs);
                Kind::Binary { positive: rounded(&positive), negative: rounded(&negative) }
            }
        };
        Ok(Self { label_smoothing: config.label_smoothing as f32, kind })
    }

    /// One loss per row, in nats.
    ///
    /// # Shapes
    ///
    /// logits: row-major `[rows, d_output]`, result: `[rows]`
    pub fn of_rows(&self, logits: &[f32], targets: Targets<'_>) -> Vec<f32> {
        let outputs = match &self.kind {
            Kind::Binary { positive, .. } => positive.len(),
            Kind::Softmax { weights } => weights.len(),
        };
        // Of no use here; for some rows at a time, as there may be many.
        let mut gradient = vec![0.0; 64 * outputs];
        let mut losses = Vec::with_capacity(logits.len() / outputs);
        for logits in logits.chunks(gradient.len()) {
            let first = losses.len();
            let rows = logits.chunks_exact(outputs).zip(gradient.chunks_exact_mut(outputs));
            let rows = rows.enumerate().map(|(row, (logits, gradient))| {
                (LossRow { logits, targets, row: first + row, share: 1.0 }, gradient)
            });
            self.rows(rows, &mut losses);
        }
        losses
    }
}

fn rounded(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|number| *number as f32).collect()
}

/// What the rows of a dataset should be.
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a> {
    /// One class index per row; with one output, 0 or 1.
    Classes(&'a [u32]),
    /// Row-major, one number in [0, 1] per output.
    Dense(&'a [f32]),
}

impl Targets<'_> {
    /// The target of an output, before smoothing.
    #[inline(always)]
    fn at(self, row: usize, output: usize, outputs: usize) -> f32 {
        match self {
            Self::Classes(classes) if outputs == 1 => classes[row] as f32,
            Self::Classes(classes) => f32::from(classes[row] as usize == output),
            Self::Dense(values) => values[row * outputs + output],
        }
    }
}

/// One row of a batch.
#[derive(Clone, Copy)]
pub(crate) struct LossRow<'a> {
    pub(crate) logits: &'a [f32],
    pub(crate) targets: Targets<'a>,
    /// Its place in the dataset.
    pub(crate) row: usize,
    /// Its share of the mean.
    pub(crate) share: f32,
}

impl Loss {
    /// Whether a row's decision is right, in every label; of a target that is a distribution, its first
    /// largest class counts.
    pub(crate) fn is_right(&self, logits: &[f32], targets: Targets<'_>, row: usize) -> bool {
        let outputs = logits.len();
        match (&self.kind, targets) {
            (Kind::Binary { .. }, _) => logits.iter().enumerate().all(|(output, logit)| {
                (*logit >= 0.0) == (targets.at(row, output, outputs) >= 0.5)
            }),
            (Kind::Softmax { .. }, Targets::Classes(classes)) => {
                first_largest(logits) == classes[row] as usize
            }
            (Kind::Softmax { .. }, Targets::Dense(values)) => {
                first_largest(logits) == first_largest(&values[row * outputs..][..outputs])
            }
        }
    }

    /// Appends the loss of each row, in nats; the slices get its slopes by the row's logits, times its
    /// share.
    pub(crate) fn rows<'a>(
        &self,
        rows: impl Iterator<Item = (LossRow<'a>, &'a mut [f32])>,
        losses: &mut Vec<f32>,
    ) {
        struct Task<'a, R>(&'a Loss, R, &'a mut Vec<f32>);
        impl<'a, R: Iterator<Item = (LossRow<'a>, &'a mut [f32])>> Kernel for Task<'_, R> {
            #[inline(always)]
            fn run<S: Simd>(self, _: S) {
                let Self(loss, rows, losses) = self;
                let smoothing = loss.label_smoothing;
                for (row, gradient) in rows {
                    losses.push(match &loss.kind {
                        Kind::Binary { positive, negative } => {
                            binary::<S>(smoothing, positive, negative, row, gradient)
                        }
                        Kind::Softmax { weights } => {
                            softmax::<S>(smoothing, weights, row, gradient)
                        }
                    });
                }
            }
        }
        dispatch(Task(self, rows, losses));
    }
}

fn first_largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = at;
        }
    }
    best
}

#[inline(always)]
fn binary<S: Simd>(
    smoothing: f32,
    positive: &[f32],
    negative: &[f32],
    LossRow { logits, targets, row, share }: LossRow<'_>,
    gradient: &mut [f32],
) -> f32 {
    let outputs = logits.len();
    let weights = positive.iter().zip(negative);
    let mut sum = 0.0;
    for (output, ((&z, slope), (positive, negative))) in
        logits.iter().zip(gradient.iter_mut()).zip(weights).enumerate()
    {
        let target = (1.0 - smoothing) * targets.at(row, output, outputs) + 0.5 * smoothing;
        let (yes, no) = (positive * target, negative * (1.0 - target));
        let (sigmoid, rest) = sigmoids::<S>(z);
        sum += yes * softplus::<S>(-z) + no * softplus::<S>(z);
        *slope = cut_off(share / outputs as f32 * (no * sigmoid - yes * rest), LEAST_SLOPE);
    }
    sum / outputs as f32
}

#[inline(always)]
fn softmax<S: Simd>(
    smoothing: f32,
    weights: &[f32],
    LossRow { logits, targets, row, share }: LossRow<'_>,
    gradient: &mut [f32],
) -> f32 {
    let outputs = logits.len();
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (power, &z) in gradient.iter_mut().zip(logits) {
        *power = exp_negative::<S>(z - largest);
        sum += *power;
    }
    let ln_sum = sum.ln();
    let (mut loss, mut mass) = (0.0, 0.0);
    let target = |output: usize| {
        weights[output]
            * ((1.0 - smoothing) * targets.at(row, output, outputs) + smoothing / outputs as f32)
    };
    for (output, &z) in logits.iter().enumerate() {
        let target = target(output);
        mass += target;
        // Nothing of a class that is not asked for: its logarithm may be infinite.
        if target != 0.0 {
            loss += target * (ln_sum - (z - largest));
        }
    }
    let scale = share * mass / sum;
    for (output, slope) in gradient.iter_mut().enumerate() {
        *slope = cut_off(*slope * scale - share * target(output), LEAST_SLOPE);
    }
    loss
}
