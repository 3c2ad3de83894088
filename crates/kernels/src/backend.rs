use burn::tensor::backend::Backend;

/// A backend that Kiln trains on and predicts with.
///
/// On one that computes with `f32` on the CPU, as `Flex` and `NdArray` do, Kiln's own kernels do that
/// work ([`crate::Trainer`], [`crate::Network`]). Any other backend runs the ordinary Burn operations,
/// and joins with one line, `impl KilnBackend for MyBackend {}`.
pub trait KilnBackend: Backend {
    /// Whether the backend computes with `f32` on the CPU, so that the kernels can do its work.
    const HOST: bool = false;
}

#[cfg(feature = "flex")]
impl KilnBackend for burn_flex::Flex {
    const HOST: bool = true;
}

#[cfg(feature = "ndarray")]
impl KilnBackend for burn_ndarray::NdArray {
    const HOST: bool = true;
}

/// On Burn's operations: the kernels know `f32` only.
#[cfg(feature = "ndarray")]
impl KilnBackend for burn_ndarray::NdArray<f64> {}

#[cfg(feature = "wgpu")]
impl KilnBackend for burn_wgpu::Wgpu {}

#[cfg(feature = "cuda")]
impl KilnBackend for burn_cuda::Cuda {}

#[cfg(feature = "rocm")]
impl KilnBackend for burn_rocm::Rocm {}
