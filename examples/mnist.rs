//! Trains a network on MNIST, or on the bundled digits where MNIST can't be had.
//!
//! `cargo run --release --example mnist -- --help` lists the flags.

use std::path::PathBuf;

use clap::Parser;
use kiln::backend::{self, BackendName, Job, TrainBackend};
use kiln::data::{digits, draw_images, mnist};
use kiln::model::{MlpConfig, Task};
use kiln::train::{
    BatchSize, Decay, EarlyStopping, HistoryFile, Keep, Monitor, Observer, OptimizerConfig,
    ProgressBar, Scores, TrainConfig, fit, predict,
};

/// Train a digit classifier and print its test accuracy
#[derive(Parser)]
struct Args {
    /// Folder with the four MNIST files; without it: $KILN_DATA_DIR, the cache, a download
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Widths of the hidden layers
    #[arg(long, value_delimiter = ',', default_value = "512,256")]
    hidden: Vec<usize>,
    /// Rows per iteration
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    #[arg(long, default_value_t = 10)]
    epochs: usize,
    /// sgd, momentum, nesterov, adam, adamw, rmsprop, adagrad or adan
    #[arg(long, default_value = "adam")]
    optimizer: OptimizerConfig,
    #[arg(long, default_value_t = 1e-3)]
    learning_rate: f64,
    /// Train on so many rows only
    #[arg(long)]
    train_rows: Option<usize>,
    /// Of everything random: the same seed gives the same network
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// cuda, rocm, wgpu, flex or ndarray; without it the first of these that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
    /// Write one row per epoch to this file: JSON lines if it ends in .jsonl, else CSV
    #[arg(long)]
    history: Option<PathBuf>,
}

impl Job for Args {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let images = match mnist(self.data_dir.as_deref()) {
            Ok(images) => images,
            Err(why) if self.data_dir.is_none() => {
                eprintln!("MNIST could not be had, training on the bundled digits: {why}");
                digits()
            }
            Err(why) => return Err(why.into()),
        };
        let (mut train, valid) = images.train.split_stratified(0.1, self.seed)?;
        if let Some(rows) = self.train_rows {
            train = train.head(rows)?;
        }
        let (test, [train_rows, valid_rows]) = (&images.test, [train.rows(), valid.rows()]);
        let (name, test_rows) = (&images.name, test.rows());
        println!("{name}: {train_rows} rows train, {valid_rows} valid, {test_rows} test");

        let task = Task::Multiclass { num_classes: 10 };
        let model = MlpConfig::new(train.d_input(), 10).with_hidden(self.hidden).with_dropout(0.2);
        println!("{model}");
        let config = TrainConfig::new()
            .with_batch_size(BatchSize::Rows(self.batch_size))
            .with_num_epochs(self.epochs)
            .with_optimizer(self.optimizer)
            .with_learning_rate(self.learning_rate)
            .with_schedule(Decay::cosine())
            .with_keep(Keep::Best)
            .with_monitor(Monitor::Accuracy)
            .with_early_stopping(EarlyStopping::default())
            .with_seed(self.seed);
        let mut progress = ProgressBar::stderr();
        let mut history = self.history.map(HistoryFile::create).transpose()?;
        let observers: &mut [&mut dyn Observer] = &mut [&mut progress, &mut history];
        let trained = fit::<B>(&model, task, &config, train, Some(valid), &device, observers)?;

        let predictions = predict(&trained.model, task, &config.loss, test, &device)?;
        let scores = Scores::new(task, test, &predictions);
        let evaluation = scores.evaluation();
        println!("test accuracy: {:.2} %", 100.0 * evaluation.accuracy);
        println!("{}", evaluation.confusion[0]);
        let wrong: Vec<usize> = scores.mistakes().into_iter().take(5).collect();
        let taken_for = wrong.iter().map(|row| predictions.decisions[*row]);
        println!("taken for {:?}:", taken_for.collect::<Vec<_>>());
        let pictures: Vec<&[f32]> = wrong.iter().map(|row| test.row(*row)).collect();
        print!("{}", draw_images(&pictures, images.width));
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    backend::run(args.backend, args)?
}
