//! One seed, and one model file, on every backend that is compiled in.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use kiln::{
    backend::{self, BackendError, BackendName, Job, TrainBackend},
    classifier::Classifier,
    data::{RowStream, digits},
    model::{LossConfig, MlpConfig, Task},
    table::{
        PreprocessConfig, ReadOptions, ScanOptions, SchemaOptions, Table, TableFile, TargetKind,
        scan,
    },
    tabular::{Prepared, Preset, Recipe, Validation, train as train_table},
    train::{
        BatchSize, Checkpoints, Evaluation, Event, Hooks, Observer, Recorder, TrainConfig,
        TrainData, TrainError, fit, fit_with, predict,
    },
};

const TEN: Task = Task::Multiclass { num_classes: 10 };

/// Trains on the digits; returns the losses of all iterations and the test accuracy.
struct Digits {
    num_epochs: usize,
}

impl Job for Digits {
    type Output = Result<(Vec<f64>, f64), TrainError>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
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
fn run<J: Job>(name: BackendName, job: J) -> Option<J::Output> {
    match backend::run(Some(name), job) {
        Err(error @ BackendError::NoDevice { .. })
            if std::env::var_os("KILN_ALL_BACKENDS").is_none() =>
        {
            eprintln!("skipped: {error}");
            None
        }
        result => Some(result.expect("a backend")),
    }
}

fn learn(name: BackendName, num_epochs: usize) -> Option<(Vec<f64>, f64)> {
    run(name, Digits { num_epochs }).map(|result| result.expect("training"))
}

fn compiled_in() -> impl Iterator<Item = BackendName> {
    BackendName::ALL.into_iter().filter(|name| name.is_compiled_in())
}

#[test]
fn every_backend_learns_the_digits_and_starts_like_the_others() {
    let mut first: Option<f64> = None;
    for name in compiled_in() {
        let Some((losses, accuracy)) = learn(name, 10) else { continue };
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
        let losses = || learn(name, 2);
        assert_eq!(losses(), losses(), "{name}");
    }
}

/// Trains on the digits; with a folder in two parts, the second of which resumes the first.
struct Resume<'a>(Option<&'a Path>);

/// Raises its flag after an iteration.
struct StopAfter(usize, Arc<AtomicBool>);

impl Observer for StopAfter {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        if let Event::Iteration { iteration, .. } = event {
            self.1.store(*iteration == self.0, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Job for Resume<'_> {
    type Output = Vec<f32>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let fit = |checkpoints: Option<&mut Checkpoints>, observer: &mut dyn Observer| {
            let model = MlpConfig::new(64, 10).with_hidden(vec![32]).with_dropout(0.1);
            let config = TrainConfig::new().with_num_epochs(2).with_learning_rate(5e-3);
            let hooks = Hooks { observers: &mut [observer], checkpoints, ranks: None };
            fit_with::<B>(&model, TEN, &config, digits().train, None, &device, hooks)
        };
        let trained = match self.0 {
            None => fit(None, &mut Recorder::new()),
            Some(folder) => {
                let flag = Arc::new(AtomicBool::new(false));
                let mut checkpoints =
                    Checkpoints::create(folder).unwrap().stop_on(Arc::clone(&flag));
                let first = fit(Some(&mut checkpoints), &mut StopAfter(17, flag));
                assert!(matches!(first, Err(TrainError::Interrupted { .. })));
                drop(checkpoints);
                let mut checkpoints = Checkpoints::resume(folder).unwrap();
                fit(Some(&mut checkpoints), &mut Recorder::new())
            }
        };
        let tensors = trained.unwrap().model.tensors().into_iter();
        tensors.flat_map(|(_, data)| data.iter::<f32>().collect::<Vec<_>>()).collect()
    }
}

#[test]
fn every_backend_resumes_a_run() {
    for name in compiled_in() {
        let folder = tempfile::tempdir().unwrap();
        let Some(straight) = run(name, Resume(None)) else { continue };
        let resumed = run(name, Resume(Some(folder.path()))).expect("as before");
        let differences = straight.iter().zip(&resumed).map(|(a, b)| (a - b).abs());
        let largest = differences.fold(0.0, f32::max);
        eprintln!("{name}: largest difference {largest} after a resumption");
        match name {
            BackendName::Flex | BackendName::Ndarray => assert_eq!(resumed, straight, "{name}"),
            // A GPU may add in another order each time.
            _ => assert!(largest < 1e-5, "{name}: {largest}"),
        }
    }
}

fn fruit_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// The table of the README.
fn fruit(name: &str) -> Table {
    Table::read(&fruit_file(name), &ReadOptions::default()).unwrap()
}

/// Trains on rows that are read anew in every epoch; the losses of all iterations.
struct Streamed;

impl Job for Streamed {
    type Output = Vec<f64>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let columns = SchemaOptions { target: vec!["kind".to_owned()], ..SchemaOptions::default() };
        let options = ScanOptions {
            columns: &columns,
            target: TargetKind::Auto,
            positive: None,
            preprocess: &PreprocessConfig::default(),
            hold_out: None,
        };
        let file = TableFile::open(&fruit_file("fruit.csv"), &ReadOptions::default()).unwrap();
        let rows = scan(file, options).unwrap().train;
        let model = MlpConfig::new(rows.d_input(), 3).with_hidden(vec![16]).with_dropout(0.1);
        let mut recorder = Recorder::new();
        let (task, config) = (Task::Multiclass { num_classes: 3 }, TrainConfig::new());
        let config = config.with_num_epochs(3).with_batch_size(BatchSize::Rows(32));
        let observers: &mut [&mut dyn Observer] = &mut [&mut recorder];
        fit::<B>(&model, task, &config, TrainData::streamed(rows), None, &device, observers)
            .unwrap();
        recorder.losses
    }
}

#[test]
fn streamed_rows_are_learned_alike_on_every_backend() {
    let mut first: Option<Vec<f64>> = None;
    for name in compiled_in() {
        let Some(losses) = run(name, Streamed) else { continue };
        let first = first.get_or_insert_with(|| losses.clone());
        assert!(losses.len() > 20 && losses.len() == first.len(), "{name}: {}", losses.len());
        let differences = losses.iter().zip(first).map(|(a, b)| (a - *b).abs());
        let largest = differences.fold(0.0, f64::max);
        assert!(largest < 1e-4, "{name}: {largest}");
    }
    assert!(first.is_some(), "no backend was run");
}

/// Trains on a table, with a column of its own for each kind of feature, and writes the model file.
struct TrainFruit(PathBuf);

impl Job for TrainFruit {
    type Output = ();

    fn run<B: TrainBackend>(self, device: B::Device) {
        let table = fruit("fruit.csv");
        let recipe = Recipe::new(Preset::Fast, table.num_rows(), table.columns().len());
        let columns = SchemaOptions { target: vec!["kind".to_owned()], ..SchemaOptions::default() };
        let mut settings = recipe.settings(columns);
        settings.train.num_epochs = 2;
        // The colours are embedded.
        settings.preprocess.one_hot_up_to = 3;
        let prepared = Prepared::new(table, &settings).unwrap();
        let rows: Vec<usize> = (0..prepared.num_rows()).collect();
        let held_out = Validation::HeldOut;
        let outcome = train_table::<B>(
            &prepared,
            &settings,
            &rows,
            held_out,
            "any",
            &device,
            Hooks::default(),
        )
        .unwrap();
        outcome.classifier.save(&self.0).unwrap();
    }
}

/// Loads the model file, and says the probabilities of new rows.
struct PredictFruit(PathBuf);

impl Job for PredictFruit {
    type Output = Vec<f32>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let classifier = Classifier::<B::InnerBackend>::load(&self.0, &device).unwrap();
        let table = fruit("fruit-new.csv");
        classifier.predict_proba(&table.chunks()[0].batch).unwrap().values().to_vec()
    }
}

#[test]
fn a_model_file_means_the_same_on_every_backend() {
    let folder = tempfile::tempdir().unwrap();
    for trained_on in compiled_in() {
        let path = folder.path().join(format!("{trained_on}.safetensors"));
        if run(trained_on, TrainFruit(path.clone())).is_none() {
            continue;
        }
        let predict = |name| run(name, PredictFruit(path.clone()));
        let expected = predict(trained_on).expect("it was there for training");
        assert_eq!(expected.len(), 300);
        assert_eq!(predict(trained_on).expect("as before"), expected, "{trained_on}");
        for name in compiled_in() {
            let Some(found) = predict(name) else { continue };
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-5, "{trained_on} {name}: {found} {expected}");
            }
        }
    }
}
