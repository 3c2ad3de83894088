//! Trains a network on MNIST, or on the bundled digits, and writes a report of it: metrics, confusion,
//! calibration, and the most confidently wrong digits.
//!
//! `cargo run --release --example mnist_report --features report` writes `mnist.html`. A file and a
//! number of epochs may follow: `-- digits.html 3`.

use std::path::PathBuf;

use kiln::backend::{self, Job, TrainBackend};
use kiln::data::{digits, mnist};
use kiln::model::{LossConfig, MlpConfig, Task};
use kiln::store::write_atomically;
use kiln::tabular::assessment::{About, Assessment, Mistake, epochs};
use kiln::train::{
    Decay, EarlyStopping, Keep, ProgressBar, Scores, TrainConfig, class_rows, fit, predict,
};

struct Report {
    file: PathBuf,
    num_epochs: usize,
}

impl Job for Report {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let images = mnist(None).unwrap_or_else(|why| {
            eprintln!("MNIST could not be had, training on the bundled digits: {why}");
            digits()
        });
        let (train, valid) = images.train.split_stratified(0.1, 0)?;
        let task = Task::Multiclass { num_classes: 10 };
        let (train_rows, class_rows) = (train.rows(), class_rows(task, train.targets()));
        let model = MlpConfig::new(train.d_input(), 10).with_hidden(vec![128]);
        let config = TrainConfig::new()
            .with_num_epochs(self.num_epochs)
            .with_schedule(Decay::cosine())
            .with_keep(Keep::Best)
            .with_early_stopping(EarlyStopping::default());
        let observers: &mut [&mut dyn kiln::train::Observer] = &mut [&mut ProgressBar::stderr()];
        let trained = fit::<B>(&model, task, &config, train, Some(valid), &device, observers)?;

        let test = &images.test;
        let predictions = predict(&trained.model, task, &LossConfig::default(), test, &device)?;
        let classes = (0..10).map(|digit| digit.to_string()).collect();
        let mut assessment = Assessment::new(classes, Scores::new(task, test, &predictions), 0);
        let mistakes = assessment.worst_mistakes(12).into_iter();
        assessment.mistakes = mistakes
            .map(|(row, mistake)| Mistake { picture: Some(test.row(row).to_vec()), ..mistake })
            .collect();
        let about = About {
            title: images.name.clone(),
            subtitle: format!("Measured on {} test rows", test.rows()),
            facts: vec![("network".to_owned(), model.to_string())],
            history: epochs(&trained.history),
            kept_epoch: trained.kept_epoch,
            class_rows,
            train_rows,
            picture_width: images.width,
            ..About::default()
        };
        let html = assessment.page(&about).html();
        write_atomically(&self.file, |to| to.write_all(html.as_bytes()))?;
        println!("wrote {}", self.file.display());
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let file = args.next().unwrap_or_else(|| "mnist.html".to_owned()).into();
    let num_epochs = args.next().map_or(Ok(10), |epochs| epochs.parse())?;
    backend::run(None, Report { file, num_epochs })?
}
