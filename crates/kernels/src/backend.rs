use burn::tensor::backend::{AutodiffBackend, Backend};

/// A backend that Kiln trains on and predicts with.
///
/// On one that computes with `f32` on the CPU, Kiln's own kernels do that work ([`crate::Trainer`],
/// [`crate::Network`]), and `burn-flex` and `burn-ndarray` say so. Any other backend runs the ordinary Burn
/// operations; it joins with one line:
///
/// ```ignore
/// impl kiln_kernels::KilnBackend for MyBackend {}
/// ```
pub trait KilnBackend: Backend {
    /// Whether the backend computes with `f32` on the CPU, so that the kernels can do its work.
    const HOST: bool = false;
}

/// A backend with gradients on top of one that is a [`KilnBackend`].
pub trait TrainBackend: AutodiffBackend<InnerBackend: KilnBackend> {}

impl<B: AutodiffBackend<InnerBackend: KilnBackend>> TrainBackend for B {}

#[cfg(feature = "flex")]
impl KilnBackend for burn_flex::Flex {
    const HOST: bool = true;
}

#[cfg(feature = "ndarray")]
impl KilnBackend for burn_ndarray::NdArray {
    const HOST: bool = true;
}

/// Stands in the kernels' tests for a backend that has none.
#[cfg(feature = "ndarray")]
impl KilnBackend for burn_ndarray::NdArray<f64> {}

#[cfg(feature = "wgpu")]
impl KilnBackend for burn_wgpu::Wgpu {}

#[cfg(feature = "cuda")]
impl KilnBackend for burn_cuda::Cuda {}

#[cfg(feature = "rocm")]
impl KilnBackend for burn_rocm::Rocm {}
