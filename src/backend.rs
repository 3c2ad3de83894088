//! Which backends there are, and the only place that names a concrete one.
//!
//! Code that computes is generic over [`TrainBackend`] and is handed to [`run`] as a [`Job`].

use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

pub use kiln_kernels::KilnBackend;
pub use kiln_train::{TrainBackend, TrainLoop};

/// A backend by name, whether it is compiled in or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendName {
    /// NVIDIA GPUs.
    Cuda,
    /// AMD GPUs.
    Rocm,
    /// GPUs through Vulkan, Metal, DX12 or WebGPU.
    Wgpu,
    /// The CPU, in pure Rust.
    Flex,
    /// The CPU, on the `ndarray` crate.
    Ndarray,
}

impl BackendName {
    /// All names. The first that is compiled in is the one used where none is asked for, so that
    /// turning on a feature swaps the backend.
    pub const ALL: [Self; 5] = [Self::Cuda, Self::Rocm, Self::Wgpu, Self::Flex, Self::Ndarray];

    /// The name, which is also that of the Cargo feature.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::Wgpu => "wgpu",
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
        }
    }

    /// Whether the Cargo feature of this name was on.
    pub fn is_compiled_in(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Rocm => cfg!(feature = "rocm"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Flex => cfg!(feature = "flex"),
            Self::Ndarray => cfg!(feature = "ndarray"),
        }
    }

    /// The backend used where none is asked for.
    ///
    /// # Errors
    ///
    /// [`BackendError::None`] if none is compiled in.
    pub fn preferred() -> Result<Self, BackendError> {
        Self::ALL.into_iter().find(|name| name.is_compiled_in()).ok_or(BackendError::None)
    }
}

impl std::fmt::Display for BackendName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BackendName {
    type Err = BackendError;

    fn from_str(name: &str) -> Result<Self, BackendError> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| BackendError::Unknown { name: name.to_owned() })
    }
}

/// Why a backend can't be had.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BackendError {
    /// No backend has this name.
    #[error("there is no backend \"{name}\", expected one of {}", names(BackendName::ALL))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// It exists, but not in this build.
    #[error("the backend {name} is not compiled in, expected one of: {}", names(compiled_in()))]
    NotCompiledIn {
        /// What was asked for.
        name: BackendName,
    },
    /// A build without a backend's Cargo feature.
    #[error("no backend is compiled in")]
    None,
    /// It is compiled in, but there is nothing for it to run on.
    #[error("the backend {name} can't start: {reason}; {fix}")]
    NoDevice {
        /// What was asked for.
        name: BackendName,
        /// What was found.
        reason: String,
        /// What would help.
        fix: &'static str,
    },
}

fn names(names: impl IntoIterator<Item = BackendName>) -> String {
    names.into_iter().map(BackendName::as_str).collect::<Vec<_>>().join(", ")
}

fn compiled_in() -> impl Iterator<Item = BackendName> {
    BackendName::ALL.into_iter().filter(|name| name.is_compiled_in())
}

/// Code that runs on any backend.
pub trait Job {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output;
}

/// Runs a job on the named backend, on its first device; without a name, on the preferred backend.
///
/// `wgpu` takes the adapter that the system calls fastest. `CUBECL_WGPU_DEFAULT_DEVICE`, set to
/// `DiscreteGpu(1)`, say, chooses another.
///
/// # Errors
///
/// [`BackendError`] if the backend is not compiled in or finds no device. Never falls back to
/// another one.
pub fn run<J: Job>(name: Option<BackendName>, job: J) -> Result<J::Output, BackendError> {
    run_on(name, None, job)
}

/// As [`run`], where several processes of a machine, counted from 0, have a device each.
///
/// `wgpu` takes the discrete GPU of the process's number, in turns where there are fewer, and where there
/// is none what [`run`] takes; CUDA and ROCm take the device of that number.
///
/// # Errors
///
/// As [`run`].
pub fn run_on<J: Job>(
    name: Option<BackendName>,
    process: Option<usize>,
    job: J,
) -> Result<J::Output, BackendError> {
    let name = match name {
        Some(name) => name,
        None => BackendName::preferred()?,
    };
    // With no backend compiled in, the job is not used, and with no GPU the number.
    let _ = (&job, process);
    match name {
        #[cfg(feature = "ndarray")]
        BackendName::Ndarray => Ok(job.run::<Autodiff<burn_ndarray::NdArray>>(Default::default())),
        #[cfg(feature = "flex")]
        BackendName::Flex => Ok(job.run::<Autodiff<burn_flex::Flex>>(Default::default())),
        #[cfg(feature = "wgpu")]
        BackendName::Wgpu => {
            let adapters = adapters();
            if adapters.is_empty() {
                return Err(BackendError::NoDevice {
                    name,
                    reason: format!("no {:?} adapter was found", graphics_api()),
                    fix: "install a graphics driver (for a software one on Debian: \
                          `apt install mesa-vulkan-drivers`)",
                });
            }
            let gpus = adapters.iter().filter(|adapter| adapter.kind == DISCRETE_GPU).count();
            let device = match process {
                Some(process) if gpus > 0 => burn_wgpu::WgpuDevice::DiscreteGpu(process % gpus),
                _ => Default::default(),
            };
            Ok(job.run::<Autodiff<burn_wgpu::Wgpu>>(device))
        }
        #[cfg(feature = "cuda")]
        BackendName::Cuda => {
            let device = process.map_or_else(Default::default, burn_cuda::CudaDevice::new);
            let fix = "install the NVIDIA driver and the CUDA toolkit";
            starts::<burn_cuda::Cuda>(name, &device, fix)?;
            Ok(job.run::<Autodiff<burn_cuda::Cuda>>(device))
        }
        #[cfg(feature = "rocm")]
        BackendName::Rocm => {
            let device = process.map_or_else(Default::default, burn_rocm::RocmDevice::new);
            starts::<burn_rocm::Rocm>(name, &device, "install the AMD driver and ROCm")?;
            Ok(job.run::<Autodiff<burn_rocm::Rocm>>(device))
        }
        #[allow(unreachable_patterns, reason = "which arms are above depends on the features")]
        name => Err(BackendError::NotCompiledIn { name }),
    }
}

#[cfg(any(
    feature = "ndarray",
    feature = "flex",
    feature = "wgpu",
    feature = "cuda",
    feature = "rocm"
))]
use burn::backend::Autodiff;

/// Whether a first tensor can be made. These backends have no call that looks for a device: where
/// there is none, they panic.
#[cfg(any(feature = "cuda", feature = "rocm"))]
fn starts<B: burn::tensor::backend::Backend>(
    name: BackendName,
    device: &B::Device,
    fix: &'static str,
) -> Result<(), BackendError> {
    let first_tensor = std::panic::AssertUnwindSafe(|| {
        burn::tensor::Tensor::<B, 1>::zeros([1], device).into_data();
    });
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let started = std::panic::catch_unwind(first_tensor);
    std::panic::set_hook(hook);
    started.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let reason = text.unwrap_or("it found no device").to_owned();
        BackendError::NoDevice { name, reason, fix }
    })
}

#[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
const DISCRETE_GPU: &str = "discrete gpu";

/// Something a backend can run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// As the driver calls it.
    pub name: String,
    /// `cpu`, `discrete gpu`, `integrated gpu`, `virtual gpu` or `other`.
    pub kind: &'static str,
    /// Threads that a CPU backend works with.
    pub threads: Option<usize>,
    /// The driver of a GPU.
    pub driver: Option<String>,
}

/// A backend, and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackendInfo {
    /// Its name.
    pub name: BackendName,
    /// Whether its Cargo feature was on.
    pub compiled_in: bool,
    /// Whether it is used where none is asked for.
    pub preferred: bool,
    /// What it can run on; for CUDA and ROCm the first device only.
    pub devices: Vec<DeviceInfo>,
}

/// All backends, compiled in or not, and the devices that were found.
pub fn list() -> Vec<BackendInfo> {
    let preferred = BackendName::preferred().ok();
    let info = |name: BackendName| BackendInfo {
        name,
        compiled_in: name.is_compiled_in(),
        preferred: preferred == Some(name),
        devices: if name.is_compiled_in() { devices(name) } else { Vec::new() },
    };
    BackendName::ALL.into_iter().map(info).collect()
}

fn devices(name: BackendName) -> Vec<DeviceInfo> {
    match name {
        BackendName::Ndarray | BackendName::Flex => vec![DeviceInfo {
            name: "CPU".to_owned(),
            kind: "cpu",
            threads: Some(rayon::current_num_threads()),
            driver: None,
        }],
        #[cfg(feature = "wgpu")]
        BackendName::Wgpu => adapters(),
        #[cfg(feature = "cuda")]
        BackendName::Cuda => {
            first_gpu(starts::<burn_cuda::Cuda>(name, &Default::default(), ""), "CUDA device 0")
        }
        #[cfg(feature = "rocm")]
        BackendName::Rocm => {
            first_gpu(starts::<burn_rocm::Rocm>(name, &Default::default(), ""), "ROCm device 0")
        }
        #[allow(unreachable_patterns, reason = "which arms are above depends on the features")]
        _ => Vec::new(),
    }
}

#[cfg(any(feature = "cuda", feature = "rocm"))]
fn first_gpu(started: Result<(), BackendError>, name: &str) -> Vec<DeviceInfo> {
    let device =
        DeviceInfo { name: name.to_owned(), kind: DISCRETE_GPU, threads: None, driver: None };
    started.map(|()| device).into_iter().collect()
}

/// The graphics API that Burn's wgpu backend uses on this system.
#[cfg(feature = "wgpu")]
fn graphics_api() -> wgpu::Backend {
    use burn_wgpu::graphics::{AutoGraphicsApi, GraphicsApi};
    AutoGraphicsApi::backend()
}

#[cfg(feature = "wgpu")]
fn adapters() -> Vec<DeviceInfo> {
    let api = graphics_api();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: api.into(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(api.into()));
    let info = |adapter: wgpu::Adapter| {
        let info = adapter.get_info();
        let driver = format!("{api:?}, {} {}", info.driver, info.driver_info);
        DeviceInfo {
            name: info.name,
            kind: match info.device_type {
                wgpu::DeviceType::Cpu => "cpu",
                wgpu::DeviceType::DiscreteGpu => DISCRETE_GPU,
                wgpu::DeviceType::IntegratedGpu => "integrated gpu",
                wgpu::DeviceType::VirtualGpu => "virtual gpu",
                wgpu::DeviceType::Other => "other",
            },
            threads: None,
            driver: Some(driver.trim_end().to_owned()),
        }
    };
    adapters.into_iter().map(info).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = "tpu".parse::<BackendName>().unwrap_err();
        let message =
            "there is no backend \"tpu\", expected one of cuda, rocm, wgpu, flex, ndarray";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn a_backend_without_a_device_says_what_would_help() {
        let error = BackendError::NoDevice {
            name: BackendName::Wgpu,
            reason: "no Vulkan adapter was found".to_owned(),
            fix: "install a graphics driver",
        };
        assert_eq!(
            error.to_string(),
            "the backend wgpu can't start: no Vulkan adapter was found; \
             install a graphics driver"
        );
        let error = BackendError::None.to_string();
        assert_eq!(error, "no backend is compiled in");
    }

    #[test]
    fn a_backend_that_is_not_compiled_in_names_its_feature() {
        struct Nothing;
        impl Job for Nothing {
            type Output = ();
            fn run<B: TrainBackend>(self, _: B::Device) {}
        }
        let missing = BackendName::ALL.into_iter().filter(|name| !name.is_compiled_in());
        for name in missing {
            let error = run(Some(name), Nothing).unwrap_err();
            let message = format!(
                "the backend {name} is not compiled in, expected one of: {}",
                names(compiled_in())
            );
            assert_eq!(error.to_string(), message);
        }
    }
}
