//! Ranks that are threads of one process.

use std::{
    sync::{Arc, Barrier, Mutex},
    thread,
};

use burn::backend::Autodiff;
use burn_flex::Flex;
use kiln_data::{Dataset, Targets};
use kiln_model::{MlpConfig, Task};
use kiln_train::{
    BatchSize, Checkpoints, EarlyStopping, GradientClipping, Hooks, Keep, Observer,
    OptimizerConfig, Ranks, Recorder, TrainConfig, TrainData, TrainError, Trained, fit_with,
};

pub(crate) type B = Autodiff<Flex>;

pub(crate) const TASK: Task = Task::Multiclass { num_classes: 3 };

/// One of some threads.
pub(crate) struct Thread {
    pub(crate) rank: usize,
    numbers: Arc<Mutex<Vec<Vec<f32>>>>,
    bytes: Arc<Mutex<Vec<u8>>>,
    barrier: Arc<Barrier>,
}

impl Thread {
    pub(crate) fn all(size: usize) -> Vec<Self> {
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

pub(crate) type Outcome = Result<Trained<Flex>, TrainError>;

/// What each of `size` ranks ends with; what rank 0 observed is asked to stop by `stop`.
pub(crate) fn on_ranks(
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

pub(crate) fn weights(trained: &Trained<Flex>) -> Vec<f32> {
    let tensors = trained.model.tensors().into_iter();
    tensors.flat_map(|(_, data)| data.iter::<f32>().collect::<Vec<_>>()).collect()
}

/// All ranks end alike, and as a single process does.
#[track_caller]
pub(crate) fn ends_as(expected: &Trained<Flex>, found: &[Outcome], tolerance: f32) {
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

/// Three classes, two numbers and a category, and weights.
pub(crate) fn dataset(rows: usize) -> Dataset {
    let row = |i: usize| [(i as f32 * 0.37).sin(), (i as f32 * 0.61).cos(), (i % 4) as f32];
    let features = (0..rows).flat_map(row).collect();
    let indices = (0..rows).map(|i| (i * i % 7 % 3) as u32).collect();
    let targets = Targets::Classes { indices, num_classes: 3 };
    let weights = (0..rows).map(|i| (i % 3) as f32).collect();
    Dataset::new(features, 3, targets).unwrap().with_weights(weights).unwrap()
}

pub(crate) fn config() -> TrainConfig {
    // Not Adam, whose first step makes all biases ±0.001: which is larger is then left to rounding.
    let optimizer = OptimizerConfig::Sgd { momentum: 0.9, nesterov: false, weight_decay: 1e-3 };
    TrainConfig::new()
        .with_optimizer(optimizer)
        .with_learning_rate(0.05)
        .with_batch_size(BatchSize::Rows(37))
        .with_num_epochs(6)
        .with_clipping(GradientClipping::Norm(0.5))
        .with_keep(Keep::Best)
        .with_early_stopping(EarlyStopping::default().with_patience(3))
}

pub(crate) fn alone(model: &MlpConfig, config: &TrainConfig, train: TrainData) -> Trained<Flex> {
    let valid = Some(dataset(23));
    let hooks = Hooks::default();
    fit_with::<B>(model, TASK, config, train, valid, &Default::default(), hooks).unwrap()
}
