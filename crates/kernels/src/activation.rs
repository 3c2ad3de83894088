use kiln_model::Activation;

use crate::elementary::{cut_off, exp_negative, normal, sigmoids, softplus, tanh};
use crate::simd::{Kernel, Simd, dispatch};

/// An [`Activation`] with the constants that the kernels need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Function {
    Identity,
    /// ReLU has the slope 0 left of zero.
    Rectifier {
        negative_slope: f32,
    },
    Gelu,
    Silu,
    /// All is multiplied by `scale`, which is 1 but for SELU.
    Elu {
        alpha: f32,
        scale: f32,
    },
    Mish,
    Softplus,
    Tanh,
    Sigmoid,
}

/// Far below zero most functions are as small as eˣ, of which the products in the layer above would be subnormal.
const LEAST_VALUE: f32 = 1e-15;

impl Function {
    /// `None` for an activation that the kernels lack.
    pub(crate) fn of(activation: Activation) -> Option<Self> {
        Some(match activation {
            Activation::Identity => Self::Identity,
            Activation::Relu => Self::Rectifier { negative_slope: 0.0 },
            Activation::LeakyRelu { negative_slope } => {
                Self::Rectifier { negative_slope: negative_slope as f32 }
            }
            Activation::Gelu => Self::Gelu,
            Activation::Silu => Self::Silu,
            Activation::Elu { alpha } => Self::Elu { alpha: alpha as f32, scale: 1.0 },
            Activation::Selu => Self::Elu {
                alpha: Activation::SELU_ALPHA as f32,
                scale: Activation::SELU_SCALE as f32,
            },
            Activation::Mish => Self::Mish,
            Activation::Softplus => Self::Softplus,
            Activation::Tanh => Self::Tanh,
            Activation::Sigmoid => Self::Sigmoid,
            _ => return None,
        })
    }

    /// Replaces each x by f(x), or 0 where that is smaller than 1e-15, and the number at the same place in
    /// `slopes` by f′(x).
    pub(crate) fn forward(self, values: &mut [f32], slopes: &mut [f32]) {
        struct Task<'a>(Function, &'a mut [f32], &'a mut [f32]);
        impl Kernel for Task<'_> {
            #[inline(always)]
            fn run<S: Simd>(self, _: S) {
                let Self(function, values, slopes) = self;
                with_formula!(function, S, |formula| {
                    for (value, slope) in values.iter_mut().zip(slopes) {
                        let (found, own) = formula(*value);
                        (*value, *slope) = (cut_off(found, LEAST_VALUE), own);
                    }
                });
            }
        }
        dispatch(Task(self, values, slopes));
    }

    /// Replaces each x by f(x), or 0 where that is smaller than 1e-15.
    pub(crate) fn apply(self, values: &mut [f32]) {
        struct Task<'a>(Function, &'a mut [f32]);
        impl Kernel for Task<'_> {
            #[inline(always)]
            fn run<S: Simd>(self, _: S) {
                let Self(function, values) = self;
                with_formula!(function, S, |formula| {
                    for value in values.iter_mut() {
                        *value = cut_off(formula(*value).0, LEAST_VALUE);
                    }
                });
            }
        }
        dispatch(Task(self, values));
    }
}

/// Runs a loop with the value and the slope of one function, so that it is chosen once and not for
/// each number.
macro_rules! with_formula {
    ($function:expr, $simd:ident, |$formula:ident| $loop:block) => {
        match $function {
            Function::Identity => {
                let $formula = |x: f32| (x, 1.0);
                $loop
            }
            Function::Rectifier { negative_slope } => {
                let $formula = |x: f32| {
                    let slope = if x > 0.0 { 1.0 } else { negative_slope };
                    (if x > 0.0 { x } else { negative_slope * x }, slope)
                };
                $loop
            }
            Function::Gelu => {
                let $formula = |x: f32| {
                    let (below, density) = normal::<$simd>(x);
                    (x * below, below + x * density)
                };
                $loop
            }
            Function::Silu => {
                let $formula = |x: f32| {
                    let (sigmoid, rest) = sigmoids::<$simd>(x);
                    (x * sigmoid, sigmoid * (1.0 + x * rest))
                };
                $loop
            }
            Function::Elu { alpha, scale } => {
                let $formula = |x: f32| {
                    let e = exp_negative::<$simd>(if x > 0.0 { 0.0 } else { x });
                    let value = if x > 0.0 { x } else { alpha * (e - 1.0) };
                    (scale * value, scale * if x > 0.0 { 1.0 } else { alpha * e })
                };
                $loop
            }
            Function::Mish => {
                let $formula = |x: f32| mish::<$simd>(x);
                $loop
            }
            Function::Softplus => {
                let $formula = |x: f32| (softplus::<$simd>(x), sigmoids::<$simd>(x).0);
                $loop
            }
            Function::Tanh => {
                let $formula = |x: f32| tanh::<$simd>(x);
                $loop
            }
            Function::Sigmoid => {
                let $formula = |x: f32| {
                    let (sigmoid, rest) = sigmoids::<$simd>(x);
                    (sigmoid, sigmoid * rest)
                };
                $loop
            }
        }
    };
}
use with_formula;

/// tanh(ln(1 + eˣ)) is n/d with n = eˣ(eˣ + 2), d = n + 2; for positive x both are divided by e²ˣ, which
/// might overflow. Its square from 1 is (d − n)(d + n)/d², with no digits lost. Beyond 43 the square of e would be
/// subnormal.
#[inline(always)]
fn mish<S: Simd>(x: f32) -> (f32, f32) {
    let distance = x.abs();
    let e = exp_negative::<S>(if distance > 43.0 { -43.0 } else { -distance });
    let (n, half) = if x > 0.0 { (1.0 + 2.0 * e, e * e) } else { (e * (e + 2.0), 1.0) };
    let d = n + 2.0 * half;
    let tanh = n / d;
    let slope = 4.0 * half * (n + half) / (d * d);
    (x * tanh, tanh + x * slope * sigmoids::<S>(x).0)
}
