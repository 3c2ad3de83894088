//! One seed on every backend that is compiled in.

use kiln::{
    backend::{self, AutodiffBackend, BackendError, BackendName, Job},
    data::digits,
    model::{LossConfig, MlpConfig, Task},
    train::{Evaluation, Recorder, TrainConfig, TrainError, fit, predict},
};

const TEN: Task = Task::Multiclass { num_classes: 10 };

/// Trains on the digits; returns the losses of all iterations and the test accuracy.
struct Digits {
    num_epochs: usize,
}

impl Job for Digits {
    type Output = Result<(Vec<f64>, f64), TrainError>;

    fn run<B: AutodiffBackend>(self, device: B::Device) -> Self::Output {
        let digits = digits();
        let model = MlpConfig::new(64, 10).with_hidden(vec![32]).with_dropout(0.1);
        let config = TrainConfig::new()
            .with_num_epochs(self.num_epochs)
            .with_learning_rate(5e-3)
            .with_seed(3);
        let mut recorder = Recorder::new();
        let trained =
            fit::<B>(&model, TEN, &config, digits.train, None, &device, &mut [&mut recorder])?;
        let loss = LossConfig::default();
        let predictions = predict(&trained.model, TEN, &loss, &digits.test, &device)?;
        Ok((recorder.losses, Evaluation::new(TEN, &digits.test, &predictions).accuracy))
    }
}

/// Runs the job, or says why there is no device for it. `KILN_ALL_BACKENDS` makes that a failure.
fn run(name: BackendName, job: Digits) -> Option<(Vec<f64>, f64)> {
    match backend::run(Some(name), job) {
        Err(error @ BackendError::NoDevice { .. })
            if std::env::var_os("KILN_ALL_BACKENDS").is_none() =>
        {
            eprintln!("skipped: {error}");
            None
        }
        result => Some(result.expect("a backend").expect("training")),
    }
}

fn compiled_in() -> impl Iterator<Item = BackendName> {
    BackendName::ALL.into_iter().filter(|name| name.is_compiled_in())
}

#[test]
fn every_backend_learns_the_digits_and_starts_like_the_others() {
    let mut first: Option<f64> = None;
    for name in compiled_in() {
        let Some((losses, accuracy)) = run(name, Digits { num_epochs: 10 }) else { continue };
        eprintln!("{name}: first loss {}, test accuracy {accuracy}", losses[0]);
        assert!(accuracy > 0.93, "{name}: {accuracy}");
        let first = *first.get_or_insert(losses[0]);
        assert!((losses[0] - first).abs() < 1e-5, "{name}: {} {first}", losses[0]);
    }
    assert!(first.is_some(), "no backend was run");
}

#[test]
fn one_seed_gives_the_same_losses_twice() {
    for name in compiled_in() {
        let losses = || run(name, Digits { num_epochs: 2 });
        assert_eq!(losses(), losses(), "{name}");
    }
}
