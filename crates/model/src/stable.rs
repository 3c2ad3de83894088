//! ln(1 + eˣ) and ln softmax, with value and gradient exact however large the input.
//!
//! Burn 0.21 takes the slope of ln, and of a quotient, from `recip`, which on the ndarray backend
//! with SIMD is the processor's estimate: off by up to 4e-4, and not the same from run to run, as
//! what is not aligned in memory is done without SIMD. So the slopes are written out here: `x − c`,
//! where `c` is `x` without its gradient, is zero and has slope 1.

use burn::tensor::{Tensor, activation, backend::Backend};

/// ln(1 + eˣ), which is −ln sigmoid(−x). Its slope is sigmoid(x).
pub(crate) fn softplus<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let fixed = x.clone().detach();
    // (|x| ± x)/2 is exact: nothing small is lost in something large, and e^−|x| can't overflow.
    let abs = fixed.clone().abs();
    let tail = abs.clone().neg().exp().log1p();
    let below = (abs.clone() - fixed.clone()).mul_scalar(0.5) + tail.clone(); // −ln sigmoid(x)
    let value = (abs + fixed.clone()).mul_scalar(0.5) + tail;
    value + (x - fixed) * below.neg().exp()
}

/// ln softmax of each row. The slope of its element i by xⱼ is [i = j] − softmax(x)ⱼ.
///
/// # Shapes
///
/// `[batch_size, num_classes]` → `[batch_size, num_classes]`
pub(crate) fn log_softmax<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let fixed = x.clone().detach();
    let value = activation::log_softmax(fixed.clone(), 1);
    let step = x - fixed;
    let mean_step = (value.clone().exp() * step.clone()).sum_dim(1);
    value + (step - mean_step)
}
