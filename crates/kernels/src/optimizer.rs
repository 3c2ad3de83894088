use crate::elementary::cut_off;
use crate::simd::{Kernel, Simd, dispatch};

/// The least that an optimizer keeps of a gradient. Its mean square is taken the root of, to which `epsilon` is
/// added.
const LEAST: f32 = 1e-30;

/// How a gradient changes the numbers it belongs to. The rules are those of `burn-optim` 0.21, with all
/// that does not change from number to number taken out of the loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// Gradient descent.
    Sgd {
        /// Share of the last step that goes on.
        momentum: f32,
        /// Looks one step ahead.
        nesterov: bool,
        /// Added to the gradient, times the number.
        weight_decay: f32,
    },
    /// Adam; AdamW with `decoupled` decay.
    Adam {
        /// Memory of the mean gradient.
        beta_1: f32,
        /// Memory of the mean squared gradient.
        beta_2: f32,
        /// Added to the root of the latter.
        epsilon: f32,
        /// See `decoupled`.
        weight_decay: f32,
        /// The decay shrinks the number itself, instead of adding to its gradient.
        decoupled: bool,
    },
    /// RMSprop.
    RmsProp {
        /// Memory of the mean squared gradient.
        alpha: f32,
        /// Added to its root.
        epsilon: f32,
        /// Share of the last step that goes on.
        momentum: f32,
        /// Added to the gradient, times the number.
        weight_decay: f32,
    },
    /// AdaGrad.
    AdaGrad {
        /// Added to the root of the sum of squares.
        epsilon: f32,
        /// Added to the gradient, times the number.
        weight_decay: f32,
    },
    /// Adan.
    Adan {
        /// Memory of the mean gradient.
        beta_1: f32,
        /// Memory of the mean change of the gradient.
        beta_2: f32,
        /// Memory of the mean squared gradient.
        beta_3: f32,
        /// Added to the root of the latter.
        epsilon: f32,
        /// Shrinks the number after the step.
        weight_decay: f32,
    },
}

impl Optimizer {
    /// Numbers that are kept for each parameter, 0 before the first step.
    pub fn slots(self) -> usize {
        match self {
            Self::Sgd { momentum: 0.0, .. } => 0,
            Self::Sgd { .. } | Self::AdaGrad { .. } | Self::RmsProp { momentum: 0.0, .. } => 1,
            Self::Adam { .. } | Self::RmsProp { .. } => 2,
            Self::Adan { .. } => 4,
        }
    }

    /// The rule of step `time`, counted from 1.
    pub(crate) fn rule(self, time: usize, learning_rate: f64) -> Rule {
        let mass = |beta: f32| 1.0 - beta.powi(i32::try_from(time).unwrap_or(i32::MAX));
        let masses = match self {
            Self::Adam { beta_1, beta_2, .. } => [mass(beta_1), 1.0, mass(beta_2).sqrt()],
            Self::Adan { beta_1, beta_2, beta_3, .. } => {
                [mass(beta_1), mass(beta_2), mass(beta_3).sqrt()]
            }
            _ => [1.0; 3],
        };
        Rule { optimizer: self, first: time == 1, masses, learning_rate }
    }
}

/// An optimizer at one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    optimizer: Optimizer,
    first: bool,
    /// Of means that began at 0 the part that gradients have filled: of the mean gradient, of its mean
    /// change, and the root of that of the mean square. Once for all parameters, as a power is slow.
    masses: [f32; 3],
    learning_rate: f64,
}

impl Rule {
    /// One pass over parameters, gradient and state, in place. `state` holds the slots one after the
    /// other, each as long as `parameters`.
    pub(crate) fn apply(&self, parameters: &mut [f32], gradient: &[f32], state: &mut [&mut [f32]]) {
        struct Task<'a, 'b>(&'a Rule, &'a mut [f32], &'a [f32], &'a mut [&'b mut [f32]]);
        impl Kernel for Task<'_, '_> {
            #[inline(always)]
            fn run<S: Simd>(self, _: S) {
                let Self(rule, parameters, gradient, state) = self;
                rule.pass(parameters, gradient, state);
            }
        }
        dispatch(Task(self, parameters, gradient, state));
    }

    #[inline(always)]
    fn pass(&self, parameters: &mut [f32], gradient: &[f32], state: &mut [&mut [f32]]) {
        let rate = self.learning_rate as f32;
        let pairs = parameters.iter_mut().zip(gradient);
        match (self.optimizer, state) {
            (Optimizer::Sgd { weight_decay, .. }, []) => {
                for (p, &g) in pairs {
                    *p -= rate * (g + weight_decay * *p);
                }
            }
            (Optimizer::Sgd { momentum, nesterov, weight_decay }, [velocity]) => {
                for ((p, &g), v) in pairs.zip(velocity.iter_mut()) {
                    let g = g + weight_decay * *p;
                    *v = cut_off(momentum * *v + g, LEAST);
                    *p -= rate * if nesterov { momentum * *v + g } else { *v };
                }
            }
            (
                Optimizer::Adam { beta_1, beta_2, epsilon, weight_decay, decoupled },
                [moment_1, moment_2],
            ) => {
                let [mean_mass, _, correction] = self.masses;
                let step = rate * correction / mean_mass;
                let (epsilon, c1, c2) = (epsilon * correction, 1.0 - beta_1, 1.0 - beta_2);
                let (added, kept) = match decoupled {
                    true => (0.0, (1.0 - self.learning_rate * f64::from(weight_decay)) as f32),
                    false => (weight_decay, 1.0),
                };
                for (((p, &g), m), v) in pairs.zip(moment_1.iter_mut()).zip(moment_2.iter_mut()) {
                    let g = g + added * *p;
                    *m = cut_off(beta_1 * *m + c1 * g, LEAST);
                    *v = cut_off(beta_2 * *v + c2 * g * g, LEAST);
                    *p = kept * *p - step * *m / (v.sqrt() + epsilon);
                }
            }
            (Optimizer::RmsProp { alpha, epsilon, weight_decay, .. }, [square]) => {
                for ((p, &g), s) in pairs.zip(square.iter_mut()) {
                    let g = g + weight_decay * *p;
                    *s = cut_off(alpha * *s + (1.0 - alpha) * g * g, LEAST);
                    *p -= rate * g / (s.sqrt() + epsilon);
                }
            }
            (Optimizer::RmsProp { alpha, epsilon, momentum, weight_decay }, [square, velocity]) => {
                for (((p, &g), s), v) in pairs.zip(square.iter_mut()).zip(velocity.iter_mut()) {
                    let g = g + weight_decay * *p;
                    *s = cut_off(alpha * *s + (1.0 - alpha) * g * g, LEAST);
                    *v = cut_off(momentum * *v + g / (s.sqrt() + epsilon), LEAST);
                    *p -= rate * *v;
                }
            }
            (Optimizer::AdaGrad { epsilon, weight_decay }, [sum]) => {
                for ((p, &g), s) in pairs.zip(sum.iter_mut()) {
                    let g = g + weight_decay * *p;
                    *s += g * g;
                    *p -= rate * g / (s.sqrt() + epsilon);
                }
            }
            (
                Optimizer::Adan { beta_1, beta_2, beta_3, epsilon, weight_decay },
                [mean, change, square, last],
            ) => {
                let [mean_mass, change_mass, square_mass] = self.masses;
                let (c1, c2, c3) = (1.0 / mean_mass, beta_2 / change_mass, 1.0 / square_mass);
                let kept = (1.0 / (1.0 + self.learning_rate * f64::from(weight_decay))) as f32;
                let state = mean.iter_mut().zip(change.iter_mut());
                let state = state.zip(square.iter_mut()).zip(last.iter_mut());
                for ((p, &g), (((m, d), s), last)) in pairs.zip(state) {
                    let difference = if self.first { 0.0 } else { g - *last };
                    let ahead = beta_2 * difference + g;
                    *m = cut_off(beta_1 * *m + (1.0 - beta_1) * g, LEAST);
                    *d = cut_off(beta_2 * *d + (1.0 - beta_2) * difference, LEAST);
                    *s = cut_off(beta_3 * *s + (1.0 - beta_3) * ahead * ahead, LEAST);
                    *last = g;
                    *p = kept * (*p - rate * (c1 * *m + c2 * *d) / (c3 * s.sqrt() + epsilon));
                }
            }
            _ => unreachable!("`slots` says how many there are"),
        }
    }
}
