//! Trains a network on MNIST, or on the bundled digits where MNIST can't be had.
//!
//! `cargo run --release --example mnist -- --help` lists the flags.

use std::path::PathBuf;

use kiln::backend::{self, BackendName, Job, TrainBackend};
use kiln::data::{digits, draw_images, mnist};
use kiln::model::{MlpConfig, Task};
use kiln::train::{
    BatchSize, Decay, EarlyStopping, HistoryFile, Keep, Monitor, Observer, OptimizerConfig,
    ProgressBar, Scores, TrainConfig, fit, predict,
};
use lexopt::prelude::*;

const HELP: &str = "\
Train a digit classifier and print its test accuracy

Usage: mnist [OPTIONS]

      --data-dir FOLDER     the four MNIST files [default: $KILN_DATA_DIR, the cache, a download]
      --hidden WIDTHS       of the hidden layers [default: 512,256]
      --batch-size ROWS     rows per iteration [default: 64]
      --epochs N            [default: 10]
      --optimizer NAME      sgd, momentum, nesterov, adam, adamw, rmsprop, adagrad or adan
                            [default: adam]
      --learning-rate RATE  [default: 0.001]
      --train-rows ROWS     train on this many rows only
      --seed SEED           random seed [default: 0]
      --backend NAME        cuda, rocm, wgpu, flex or ndarray [default: the first compiled in]
      --history FILE        write one row per epoch: JSON lines for .jsonl, else CSV
  -h, --help                print this help
";

struct Args {
    data_dir: Option<PathBuf>,
    hidden: Vec<usize>,
    batch_size: usize,
    epochs: usize,
    optimizer: OptimizerConfig,
    learning_rate: f64,
    train_rows: Option<usize>,
    seed: u64,
    backend: Option<BackendName>,
    history: Option<PathBuf>,
}

impl Args {
    fn parse() -> Result<Self, lexopt::Error> {
        let mut args = Self {
            data_dir: None,
            hidden: vec![512, 256],
            batch_size: 64,
            epochs: 10,
            optimizer: OptimizerConfig::adam(),
            learning_rate: 1e-3,
            train_rows: None,
            seed: 0,
            backend: None,
            history: None,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("data-dir") => args.data_dir = Some(parser.value()?.into()),
                Long("hidden") => {
                    let widths = parser.value()?.string()?;
                    let widths = widths.split(',').map(str::parse).collect::<Result<_, _>>();
                    args.hidden = widths.map_err(|error| format!("--hidden: {error}"))?;
                }
                Long("batch-size") => args.batch_size = parser.value()?.parse()?,
                Long("epochs") => args.epochs = parser.value()?.parse()?,
                Long("optimizer") => args.optimizer = parser.value()?.parse()?,
                Long("learning-rate") => args.learning_rate = parser.value()?.parse()?,
                Long("train-rows") => args.train_rows = Some(parser.value()?.parse()?),
                Long("seed") => args.seed = parser.value()?.parse()?,
                Long("backend") => args.backend = Some(parser.value()?.parse()?),
                Long("history") => args.history = Some(parser.value()?.into()),
                Short('h') | Long("help") => {
                    print!("{HELP}");
                    std::process::exit(0);
                }
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(args)
    }
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
    let args = Args::parse().unwrap_or_else(|error| {
        eprintln!("error: {error}\n\n{HELP}");
        std::process::exit(2);
    });
    backend::run(args.backend, args)?
}
