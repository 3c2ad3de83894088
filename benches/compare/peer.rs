//! The processes: Kiln's own and those of its peers.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::cases::THREADS;

/// Something to compare Kiln with, in Python.
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// What its script imports.
    modules: &'static str,
    script: &'static str,
}

pub(super) const TRAINERS: [Peer; 2] = [
    Peer { name: "JAX", modules: "numpy, jax", script: "jax_train.py" },
    Peer { name: "PyTorch", modules: "numpy, torch", script: "torch_train.py" },
];
pub(super) const ONNXRUNTIME: Peer =
    Peer { name: "onnxruntime", modules: "numpy, onnx, onnxruntime", script: "onnx_predict.py" };

/// The answer of a process that trained.
#[derive(Serialize, Deserialize)]
pub(super) struct Trained {
    pub(super) rows_per_second: f64,
    pub(super) test_accuracy: f64,
    pub(super) version: String,
}

/// The answer of a process that predicted.
#[derive(Serialize, Deserialize)]
pub(super) struct Predicted {
    pub(super) rows_per_second: f64,
    pub(super) one_row_microseconds: f64,
    /// The largest, of a logit from Kiln's.
    pub(super) difference: f64,
    pub(super) version: String,
}

impl Peer {
    /// Whether it can run, else why not and what would help.
    pub(super) fn check(&self, python: &Path) -> Result<(), String> {
        let import = format!("import {}", self.modules);
        let output = Command::new(python)
            .args(["-c", &import])
            .output()
            .map_err(|error| format!("{} can't be started: {error}", python.display()))?;
        if output.status.success() {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "{}; {} -m pip install -r benches/compare/requirements.txt",
            stderr.trim_end().lines().last().unwrap_or_default(),
            python.display()
        ))
    }

    pub(super) fn run<T: DeserializeOwned>(
        &self,
        python: &Path,
        folder: &Path,
        times: u32,
    ) -> anyhow::Result<T> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/compare");
        let mut command = Command::new(python);
        // No compiled files beside the sources.
        command.arg("-B").arg(scripts.join(self.script));
        run(&mut command, folder, times)
    }
}

pub(super) fn run_kiln<T: DeserializeOwned>(
    what: &str,
    folder: &Path,
    times: u32,
) -> anyhow::Result<T> {
    let mut command = Command::new(env::current_exe()?);
    command.args([super::KILN_SIDE, what]);
    run(&mut command, folder, times)
}

/// The line of JSON that the command answers.
fn run<T: DeserializeOwned>(command: &mut Command, folder: &Path, times: u32) -> anyhow::Result<T> {
    command.arg(folder).arg(times.to_string()).envs(environment());
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{command:?}: {}", output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{command:?}"))
}

/// The CPU, and as many threads of it, for whatever library a competitor works with.
fn environment() -> impl Iterator<Item = (&'static str, String)> {
    let threads = [
        "RAYON_NUM_THREADS",
        "MATMUL_NUM_THREADS", // matrixmultiply, under ndarray
        "NPROC",              // XLA
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    ];
    threads
        .map(|name| (name, THREADS.to_string()))
        .into_iter()
        .chain([("JAX_PLATFORMS", "cpu".to_owned())])
}
