//! The networks that are compared, and their rows.

use std::{env, path::PathBuf};

use kiln::data::{Dataset, Targets, mnist};
use kiln::table::TableError;
use rand::{Rng, RngExt};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::problem::Problem;

/// Of each competitor.
pub(super) const THREADS: usize = 2;

/// A network to train, and on what.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) data: Source,
    pub(super) layers: &'static [usize],
    pub(super) batch_size: usize,
    /// Beside each of `TRAINERS`, so many that these take some seconds. One more goes before, untimed.
    pub(super) epochs: [u32; 2],
}

pub(super) const CASES: [Case; 5] = [
    Case {
        name: "synthetic",
        data: Source::Synthetic,
        layers: &[SYNTHETIC_WIDTH, 64, 64, 2],
        batch_size: 32,
        epochs: [120, 12],
    },
    Case {
        name: "mnist-64",
        data: Source::Mnist,
        layers: &[784, 64, 10],
        batch_size: 32,
        epochs: [12, 5],
    },
    Case {
        name: "mnist-128-64",
        data: Source::Mnist,
        layers: &[784, 128, 64, 10],
        batch_size: 64,
        epochs: [10, 5],
    },
    Case {
        name: "mnist-512-256",
        data: Source::Mnist,
        layers: &[784, 512, 256, 10],
        batch_size: 128,
        epochs: [4, 3],
    },
    Case {
        name: "mnist-1024x3",
        data: Source::Mnist,
        layers: &[784, 1024, 1024, 1024, 10],
        batch_size: 256,
        epochs: [1, 1],
    },
];

impl Case {
    pub(super) fn problem(&self) -> Problem {
        let Self { layers, batch_size, .. } = *self;
        Problem { layers: layers.to_vec(), batch_size, threads: THREADS }
    }

    /// Floating-point operations that one row of training takes in matrix products: forward, for the
    /// gradient of the weights, and for that of the inputs, which the first layer's need none of.
    pub(super) fn flop_per_row(&self) -> f64 {
        let products = self.layers.windows(2).map(|ends| ends[0] * ends[1]).sum::<usize>();
        (6 * products - 2 * self.layers[0] * self.layers[1]) as f64
    }
}

pub(super) enum Source {
    Synthetic,
    Mnist,
}

impl Source {
    /// Rows to train on, and rows to test.
    pub(super) fn rows(&self) -> Result<(Dataset, Dataset), TableError> {
        match self {
            Self::Synthetic => Ok(synthetic()),
            Self::Mnist => {
                let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/mnist");
                let folder = env::var_os("KILN_DATA_DIR").map_or(shared.into(), PathBuf::from);
                let images = mnist(Some(&folder))?;
                Ok((images.train, images.test))
            }
        }
    }
}

const SYNTHETIC_WIDTH: usize = 30;
const SYNTHETIC_ROWS: [usize; 2] = [20_000, 5_000];
/// Share of the labels that are drawn instead of computed.
const NOISE: f64 = 0.1;

/// Two classes, which products of features part and no line can; some features say nothing.
fn synthetic() -> (Dataset, Dataset) {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let [train, test] = SYNTHETIC_ROWS.map(|rows| {
        let features = uniform(rows * SYNTHETIC_WIDTH, rng);
        let label = |x: &[f32]| {
            let score = 2.0 * (x[0] * x[1] + x[2] * x[3] - x[4] * x[5]) + x[6] - x[7] * x[7] * x[8];
            if rng.random_bool(NOISE) { rng.random_range(0..2) } else { u32::from(score > 0.0) }
        };
        let indices = features.chunks_exact(SYNTHETIC_WIDTH).map(label).collect();
        let targets = Targets::Classes { indices, num_classes: 2 };
        Dataset::new(features, SYNTHETIC_WIDTH, targets).expect("finite features")
    });
    (train, test)
}

/// Of mean 0 and variance 1.
fn uniform(len: usize, rng: &mut impl Rng) -> Vec<f32> {
    let limit = 3_f32.sqrt();
    (0..len).map(|_| rng.random_range(-limit..limit)).collect()
}

/// The name of the comparison in inference.
pub(super) const PREDICT: &str = "predict";
/// Calls for all rows in one process; a hundred times as many for one row.
pub(super) const PREDICT_CALLS: u32 = 30;
pub(super) const PREDICT_ROWS: usize = 10_000;

pub(super) fn prediction_problem() -> Problem {
    Problem { layers: vec![784, 512, 256, 10], batch_size: PREDICT_ROWS, threads: THREADS }
}

/// Drawn, as the time of a prediction does not depend on what it is made from.
pub(super) fn prediction_rows() -> Dataset {
    let features = uniform(PREDICT_ROWS * 784, &mut ChaCha8Rng::seed_from_u64(2));
    let targets = Targets::Classes { indices: vec![0; PREDICT_ROWS], num_classes: 10 };
    Dataset::new(features, 784, targets).expect("finite features")
}
