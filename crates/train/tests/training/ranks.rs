//! Several processes, here threads, train what one trains.

use std::{
    path::Path,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use burn_autodiff::Autodiff;
use burn_flex::Flex;
use kiln_data::{
    Dataset, PreprocessConfig, ReadOptions, ScanOptions, SchemaOptions, TableFile, TargetKind,
    Targets, scan,
};
use kiln_model::{EmbeddingConfig, MlpConfig, Normalization, Task};
use kiln_train::{
    BatchSize, Checkpoints, EarlyStopping, Event, Every, GradientClipping, Hooks, Observer,
    OptimizerConfig, Ranks, Recorder, TrainConfig, TrainData, TrainError, Trained, fit_with,
};

type B = Autodiff<Flex>;

const TASK: Task = Task::Multiclass { num_classes: 3 };

/// One of some threads.
struct Thread {
    rank: usize,
    numbers: Arc<Mutex<Vec<Vec<f32>>>>,
    bytes: Arc<Mutex<Vec<u8>>>,
    barrier: Arc<Barrier>,
}

impl Thread {
    fn all(size: usize) -> Vec<Self> {
        let (numbers, bytes) = (Arc::new(Mutex::new(vec![Vec::new(); size])), Arc::default());
        let barrier = Arc::new(Barrier::new(size));
        let one = |rank| Self {
            rank,
            numbers: Arc::clone(&numbers),
            bytes: Arc::clone(&bytes),
            barrier: Arc::clone(&barrier),
        };
        (0..size).map(one).collect()
    }
}

impl Ranks for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.numbers.lock().unwrap().len()
    }

    fn sum(&self, numbers: &mut [f32]) {
        self.numbers.lock().unwrap()[self.rank] = numbers.to_vec();
        self.barrier.wait();
        {
            let all = self.numbers.lock().unwrap();
            for (at, number) in numbers.iter_mut().enumerate() {
                *number = all.iter().map(|numbers| numbers[at]).sum();
            }
        }
        self.barrier.wait();
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) {
        if self.rank == 0 {
            self.bytes.lock().unwrap().clone_from(bytes);
        }
        self.barrier.wait();
        bytes.clone_from(&self.bytes.lock().unwrap());
        self.barrier.wait();
    }
}

/// Three classes, two numbers and a category, and weights.
fn dataset(rows: usize) -> Dataset {
    let row = |i: usize| [(i as f32 * 0.37).sin(), (i as f32 * 0.61).cos(), (i % 4) as f32];
    let features = (0..rows).flat_map(row).collect();
    let indices = (0..rows).map(|i| (i * i % 7 % 3) as u32).collect();
    let targets = Targets::Classes { indices, num_classes: 3 };
    let weights = (0..rows).map(|i| (i % 3) as f32).collect();
    Dataset::new(features, 3, targets).unwrap().with_weights(weights).unwrap()
}

fn model() -> MlpConfig {
    MlpConfig::new(3, 3)
        .with_hidden(vec![19, 5])
        .with_embeddings(vec![EmbeddingConfig::new(4, 2)])
        .with_input_dropout(0.2)
        .with_dropout(0.2)
}

fn config() -> TrainConfig {
    // Not Adam, whose first step makes all biases ±0.001: which is larger is then left to rounding.
    let optimizer = OptimizerConfig::Sgd { momentum: 0.9, nesterov: false, weight_decay: 1e-3 };
    TrainConfig::new()
        .with_optimizer(optimizer)
        .with_learning_rate(0.05)
        .with_batch_size(BatchSize::Rows(37))
        .with_num_epochs(6)
        .with_clipping(GradientClipping::Norm(0.5))
        .with_early_stopping(EarlyStopping::default().with_patience(3))
}

type Outcome = Result<Trained<Flex>, TrainError>;

/// What each of `size` ranks ends with; what rank 0 observed is asked to stop by `stop`.
fn together(
    size: usize,
    model: &MlpConfig,
    config: &TrainConfig,
    train: &(dyn Fn(usize) -> TrainData + Sync),
    checkpoints: Option<&mut Checkpoints>,
    observer: &mut (dyn Observer + Send),
) -> Vec<Outcome> {
    let mut root = Some((checkpoints, observer));
    thread::scope(|scope| {
        let threads = Thread::all(size).into_iter().map(|ranks| {
            let root = if ranks.rank == 0 { root.take() } else { None };
            scope.spawn(move || {
                // A rank waits for the others on the thread on which it computes.
                let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
                pool.install(|| {
                    let (checkpoints, observer) = root.map_or((None, None), |(c, o)| (c, Some(o)));
                    let (mut none, ranks) = (Recorder::new(), &ranks);
                    let observer: &mut dyn Observer = match observer {
                        Some(observer) => observer,
                        None => &mut none,
                    };
                    let hooks =
                        Hooks { observers: &mut [observer], checkpoints, ranks: Some(ranks) };
                    let (train, valid) = (train(ranks.rank), Some(dataset(23)));
                    fit_with::<B>(model, TASK, config, train, valid, &Default::default(), hooks)
                })
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn alone(model: &MlpConfig, config: &TrainConfig, train: TrainData) -> Trained<Flex> {
    let valid = Some(dataset(23));
    let hooks = Hooks::default();
    fit_with::<B>(model, TASK, config, train, valid, &Default::default(), hooks).unwrap()
}

fn weights(trained: &Trained<Flex>) -> Vec<f32> {
    let tensors = trained.model.tensors().into_iter();
    tensors.flat_map(|(_, data)| data.iter::<f32>().collect::<Vec<_>>()).collect()
}

/// All ranks end alike, and as a single process does.
#[track_caller]
fn ends_as(expected: &Trained<Flex>, found: &[Outcome], tolerance: f32) {
    let first = found[0].as_ref().unwrap();
    for found in found {
        let found = found.as_ref().unwrap();
        assert_eq!(weights(found), weights(first));
        let scores = |of: &Trained<Flex>| {
            let scores = |record: &kiln_train::EpochRecord| {
                (record.train_loss, record.valid_loss, record.train_accuracy)
            };
            of.history.iter().map(scores).collect::<Vec<_>>()
        };
        assert_eq!(scores(found), scores(first));
    }
    assert_eq!(first.kept_epoch, expected.kept_epoch);
    for (a, b) in weights(first).into_iter().zip(weights(expected)) {
        assert!((a - b).abs() <= tolerance, "{a} {b}");
    }
    for (a, b) in first.history.iter().zip(&expected.history) {
        assert!((a.train_loss - b.train_loss).abs() < 1e-5, "{a:?}\n{b:?}");
        assert_eq!(a.train_accuracy, b.train_accuracy, "{a:?}\n{b:?}");
        assert!((a.valid_loss.unwrap() - b.valid_loss.unwrap()).abs() < 1e-5);
    }
}

#[test]
fn ranks_train_what_one_process_trains() {
    // With layer normalization Burn's operations do the work, without the kernels.
    for normalization in [Normalization::None, Normalization::Layer] {
        let model = model().with_normalization(normalization);
        // The last batch has fewer rows than there are ranks.
        let train = |_| TrainData::from(dataset(37 * 4 + 2));
        for config in [config(), config().with_batch_size(BatchSize::All)] {
            let expected = alone(&model, &config, train(0));
            for size in [1, 2, 3, 5] {
                let mut recorder = Recorder::new();
                let found = together(size, &model, &config, &train, None, &mut recorder);
                ends_as(&expected, &found, 1e-5);
                assert_eq!(recorder.epochs.len(), expected.history.len());
            }
        }
    }
}

/// The same rows in a file, without weights.
fn streamed(path: &Path) -> TrainData {
    let file = TableFile::open(path, &ReadOptions::default()).unwrap();
    let columns = SchemaOptions { target: vec!["class".to_owned()], ..SchemaOptions::default() };
    let options = ScanOptions {
        columns: &columns,
        target: TargetKind::Auto,
        positive: None,
        preprocess: &PreprocessConfig::default(),
        hold_out: None,
    };
    scan(file, options).unwrap().train.into()
}

#[test]
fn streamed_rows_are_trained_on_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let mut text = "a,b,c,class\n".to_owned();
    for i in 0..400 {
        let [a, b] = [(f64::from(i) * 0.37).sin(), (f64::from(i) * 0.61).cos()];
        text += &format!("{a},{b},{},{}\n", i % 4, ["x", "y", "z"][(i * i % 7 % 3) as usize]);
    }
    std::fs::write(&path, text).unwrap();
    for normalization in [Normalization::None, Normalization::Layer] {
        let model = MlpConfig::new(3, 3)
            .with_hidden(vec![9])
            .with_dropout(0.2)
            .with_normalization(normalization);
        let train = |_| streamed(&path);
        let expected = alone(&model, &config(), train(0));
        for size in [2, 3] {
            let found = together(size, &model, &config(), &train, None, &mut Recorder::new());
            ends_as(&expected, &found, 1e-5);
        }
    }
}

#[test]
fn statistics_of_batch_normalization_are_the_same_on_all_ranks() {
    let model = model().with_normalization(Normalization::Batch);
    let train = |_| TrainData::from(dataset(37 * 4 + 2));
    let found = together(3, &model, &config(), &train, None, &mut Recorder::new());
    let first = weights(found[0].as_ref().unwrap());
    for other in &found[1..] {
        assert_eq!(weights(other.as_ref().unwrap()), first);
    }
    let expected = alone(&model, &config(), train(0));
    let [found, expected] = [found[0].as_ref().unwrap(), &expected]
        .map(|trained| trained.history.last().expect("an epoch").train_loss);
    assert!((found - expected).abs() < 0.1, "{found} {expected}");
}

/// Raises its flag after an iteration.
struct StopAt(usize, Arc<AtomicBool>);

impl Observer for StopAt {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        if let Event::Iteration { iteration, .. } = event {
            self.1.store(*iteration == self.0, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[test]
fn a_run_is_resumed_with_another_number_of_ranks() {
    let train = |_| TrainData::from(dataset(37 * 4 + 2));
    for normalization in [Normalization::None, Normalization::Layer] {
        let model = model().with_normalization(normalization);
        let expected = alone(&model, &config(), train(0));
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints =
            Checkpoints::create(folder.path()).unwrap().every(Every::Iterations(4));
        // At an end of an epoch and in its middle; then alone, and to the end.
        for (size, stop) in [(2, 5), (3, 11), (2, usize::MAX)] {
            let flag = Arc::new(AtomicBool::new(false));
            checkpoints = checkpoints.stop_on(Arc::clone(&flag));
            let observer = &mut StopAt(stop, flag);
            let found = together(size, &model, &config(), &train, Some(&mut checkpoints), observer);
            if stop == usize::MAX {
                ends_as(&expected, &found, 1e-5);
                break;
            }
            for outcome in found {
                let error = outcome.unwrap_err();
                assert!(matches!(error, TrainError::Interrupted { .. }), "{error}");
            }
            drop(checkpoints);
            checkpoints = Checkpoints::resume(folder.path()).unwrap();
        }
    }
}

#[test]
fn ranks_that_read_other_data_are_told_so() {
    let train = |rank: usize| {
        let rows = if rank == 1 { 149 } else { 150 };
        TrainData::from(dataset(rows))
    };
    let found = together(3, &model(), &config(), &train, None, &mut Recorder::new());
    for outcome in found {
        let error = outcome.unwrap_err().to_string();
        assert_eq!(error, "the data and settings of rank 1 are not those of rank 0");
    }
}

#[test]
fn more_ranks_than_parts_of_a_batch_are_refused() {
    let train = |_| TrainData::from(dataset(150));
    let found = together(33, &model(), &config(), &train, None, &mut Recorder::new());
    for outcome in found {
        assert_eq!(outcome.unwrap_err().to_string(), "`ranks` is 33, expected at most 32");
    }
}

#[test]
fn a_loss_that_diverges_ends_all_ranks() {
    let sgd = OptimizerConfig::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let config = TrainConfig::new().with_optimizer(sgd).with_learning_rate(1e30);
    let train = |_| TrainData::from(dataset(150));
    for outcome in together(2, &model(), &config, &train, None, &mut Recorder::new()) {
        assert!(matches!(outcome, Err(TrainError::Diverged { .. })));
    }
}
