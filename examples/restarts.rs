//! Local minima, and the old answer to them: start from several seeds and keep the best.
//!
//! Exclusive or needs two hidden units. With just two, many starting points lead into a valley from
//! which every direction is up, far from the solution.

use kiln::backend::{self, Job, TrainBackend};
use kiln::data::{Dataset, Targets};
use kiln::model::{MlpConfig, Task};
use kiln::train::{BatchSize, Recorder, TrainConfig, TrainError, fit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const RESTARTS: usize = 8;

/// Points around the corners of a square; those on one diagonal are of one class.
fn exclusive_or(rows: usize) -> Result<Dataset, kiln::data::DataError> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (mut features, mut indices) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let corner = [(row & 1) as u32, (row >> 1 & 1) as u32];
        features.extend(corner.map(|at| at as f32 + rng.random_range(-0.2..0.2)));
        indices.push(corner[0] ^ corner[1]);
    }
    Dataset::new(features, 2, Targets::Classes { indices, num_classes: 2 })
}

struct Restarts;

impl Job for Restarts {
    type Output = Result<(), TrainError>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let (train, valid) = exclusive_or(200)?.split_stratified(0.5, 0)?;
        let model = MlpConfig::new(2, 1).with_hidden(vec![2]);
        let config = TrainConfig::new()
            .with_batch_size(BatchSize::All)
            .with_num_epochs(300)
            .with_learning_rate(0.05)
            .with_seed(1);
        let mut recorder = Recorder::new();
        let mut run = |restarts| {
            let config = config.clone().with_restarts(restarts);
            let (train, valid) = (train.clone(), Some(valid.clone()));
            fit::<B>(&model, Task::Binary, &config, train, valid, &device, &mut [&mut recorder])
        };
        let one = run(1)?;
        let best = run(RESTARTS)?;

        let last_epochs = recorder.epochs.iter().filter(|record| record.epoch == config.num_epochs);
        for (run, last) in recorder.runs.iter().zip(last_epochs).skip(1) {
            let loss = last.valid_loss.unwrap_or(f64::NAN);
            let accuracy = 100.0 * last.valid_accuracy.unwrap_or(0.0);
            println!("restart {}  valid loss {loss:.4}  accuracy {accuracy:>5.1} %", run.restart);
        }
        for (name, trained) in [("one seed", one), ("the best of 8", best)] {
            let last = trained.history.last().and_then(|record| record.valid_accuracy);
            println!("{name}: {:.1} % of the validation rows", 100.0 * last.unwrap_or(0.0));
        }
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    Ok(backend::run(None, Restarts)??)
}
