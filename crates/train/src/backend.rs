//! The training loop, compiled once for each backend of this crate's features.
//!
//! Code that is generic over the backend is compiled where it is used, and with it most of the backend:
//! more than a minute in every program that trains. What is implemented for one backend by name is
//! compiled here, and programs only link it.

use burn::backend::Autodiff;
use burn::tensor::backend::AutodiffBackend;
use kiln_data::Dataset;
use kiln_kernels::KilnBackend;
use kiln_model::{LossConfig, Mlp, MlpConfig, Task};

use crate::{
    config::TrainConfig,
    ensemble::Members,
    error::TrainError,
    fit::{hooks::Hooks, members::train_members, trained::TrainedMembers},
    inference::predict_rows,
    predictions::Predictions,
    train_data::TrainData,
};

/// A backend with gradients on top of one that has a [`TrainLoop`].
pub trait TrainBackend: AutodiffBackend<InnerBackend: TrainLoop> {}

impl<B: TrainLoop> TrainBackend for Autodiff<B> {}

/// A backend whose training loop is compiled: in this crate for those of its Cargo features.
///
/// Another backend joins with `impl TrainLoop for MyBackend {}`; its loop is compiled with the program.
pub trait TrainLoop: KilnBackend {
    /// What [`fit_members`](crate::fit_members) does.
    #[doc(hidden)]
    #[expect(clippy::too_many_arguments, reason = "those of `fit_members`")]
    fn fit_members(
        model: &MlpConfig,
        task: Task,
        config: &TrainConfig,
        members: &Members,
        train: TrainData,
        valid: Option<Dataset>,
        device: &Self::Device,
        hooks: Hooks<'_, '_>,
    ) -> Result<TrainedMembers<Self>, TrainError> {
        train_members::<Autodiff<Self>>(model, task, config, members, train, valid, device, hooks)
    }

    /// What [`predict`](crate::predict) does.
    #[doc(hidden)]
    fn predict(
        model: &Mlp<Self>,
        task: Task,
        loss: &LossConfig,
        dataset: &Dataset,
        device: &Self::Device,
    ) -> Result<Predictions, TrainError> {
        predict_rows(model, task, loss, dataset, device)
    }
}

/// The methods again, for one backend: a default method is compiled where it is called, this one here.
#[cfg(any(
    feature = "ndarray",
    feature = "flex",
    feature = "wgpu",
    feature = "cuda",
    feature = "rocm"
))]
macro_rules! compiled_here {
    ($backend:ty) => {
        impl TrainLoop for $backend {
            fn fit_members(
                model: &MlpConfig,
                task: Task,
                config: &TrainConfig,
                members: &Members,
                train: TrainData,
                valid: Option<Dataset>,
                device: &Self::Device,
                hooks: Hooks<'_, '_>,
            ) -> Result<TrainedMembers<Self>, TrainError> {
                train_members::<Autodiff<Self>>(
                    model, task, config, members, train, valid, device, hooks,
                )
            }

            fn predict(
                model: &Mlp<Self>,
                task: Task,
                loss: &LossConfig,
                dataset: &Dataset,
                device: &Self::Device,
            ) -> Result<Predictions, TrainError> {
                predict_rows(model, task, loss, dataset, device)
            }
        }
    };
}

#[cfg(feature = "ndarray")]
compiled_here!(burn_ndarray::NdArray);

/// Compiled where it is used: few programs train in `f64`.
#[cfg(feature = "ndarray")]
impl TrainLoop for burn_ndarray::NdArray<f64> {}

#[cfg(feature = "flex")]
compiled_here!(burn_flex::Flex);

#[cfg(feature = "wgpu")]
compiled_here!(burn_wgpu::Wgpu);

#[cfg(feature = "cuda")]
compiled_here!(burn_cuda::Cuda);

#[cfg(feature = "rocm")]
compiled_here!(burn_rocm::Rocm);
