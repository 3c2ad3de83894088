//! What Kiln does in a process of its own: `run-kiln train FOLDER EPOCHS`, `run-kiln predict FOLDER
//! CALLS`. The answer is a line of JSON on stdout.

use std::{hint::black_box, path::Path, time::Instant};

use anyhow::{Context, bail};
use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    kernels::Network,
    model::{Mlp, Task},
    train::{BatchSize, Evaluation, OptimizerConfig, TrainConfig, fit, predict},
};

use super::{
    peer::{Predicted, Trained},
    problem::{Problem, write_floats},
    report::median,
};

pub(super) fn main(arguments: &[String]) -> anyhow::Result<()> {
    let [what, folder, times] = arguments else {
        bail!("expected: {} train|predict FOLDER TIMES", super::KILN_SIDE);
    };
    let (folder, times) = (Path::new(folder), times.parse()?);
    let answer = match what.as_str() {
        "train" => serde_json::to_string(&backend::run(None, Training { folder, epochs: times })??),
        "predict" => {
            serde_json::to_string(&backend::run(None, Prediction { folder, calls: times })??)
        }
        _ => bail!("expected train or predict, found {what}"),
    };
    println!("{}", answer?);
    Ok(())
}

fn version() -> anyhow::Result<String> {
    Ok(format!("{} on {}", env!("CARGO_PKG_VERSION"), BackendName::preferred()?))
}

struct Training<'a> {
    folder: &'a Path,
    epochs: usize,
}

impl Job for Training<'_> {
    type Output = anyhow::Result<Trained>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let problem = Problem::read(self.folder)?;
        let train = problem.read_rows(self.folder, "train")?;
        let test = problem.read_rows(self.folder, "test")?;
        let (model, rows) = (problem.model(), train.rows());
        let task = Task::Multiclass { num_classes: model.d_output };
        let config = TrainConfig::new()
            .with_batch_size(BatchSize::Rows(problem.batch_size))
            .with_num_epochs(1 + self.epochs)
            .with_optimizer(OptimizerConfig::adam())
            .with_learning_rate(1e-3);
        let trained = fit::<B>(&model, task, &config, train, None, &device, &mut [])?;

        // The first epoch warms up.
        let seconds: f64 = trained.history[1..].iter().map(|epoch| epoch.seconds).sum();
        let predictions = predict(&trained.model, task, &config.loss, &test, &device)?;
        Ok(Trained {
            rows_per_second: (self.epochs * rows) as f64 / seconds,
            test_accuracy: Evaluation::new(task, &test, &predictions).accuracy,
            version: version()?,
        })
    }
}

struct Prediction<'a> {
    folder: &'a Path,
    calls: usize,
}

impl Job for Prediction<'_> {
    type Output = anyhow::Result<Predicted>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let problem = Problem::read(self.folder)?;
        let rows = problem.read_rows(self.folder, "test")?;
        let model: Mlp<B::InnerBackend> = problem.model().init(&device)?;
        // As `Classifier` predicts.
        let network = Network::of(&model).context("the network has no normalization")?;
        write_floats(self.folder, "logits", &network.logits(rows.features()))?;

        let seconds = median_seconds(self.calls, || network.logits(rows.features()));
        let one_row = median_seconds(100 * self.calls, || network.logits(rows.row(0)));
        Ok(Predicted {
            rows_per_second: rows.rows() as f64 / seconds,
            one_row_microseconds: 1e6 * one_row,
            difference: 0.0,
            version: version()?,
        })
    }
}

fn median_seconds<T>(times: usize, mut call: impl FnMut() -> T) -> f64 {
    black_box(call());
    let mut seconds = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        black_box(call());
        seconds.push(start.elapsed().as_secs_f64());
    }
    median(seconds)
}
