//! A run that was cut off and resumed ends as if it had never been cut off.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use burn::backend::Autodiff;
use burn::tensor::TensorData;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use kiln_data::{Dataset, Targets};
use kiln_model::{Activation, EmbeddingConfig, MlpConfig, Normalization, Task};
use kiln_train::{
    BatchSize, Checkpoints, Decay, EarlyStopping, EpochRecord, Event, Every, GradientClipping,
    Hooks, Keep, Observer, OptimizerConfig, Recorder, Schedule, TrainBackend, TrainConfig,
    TrainError, Trained, fit_with,
};

const ROWS: usize = 40;

/// Three classes, two numbers and a category, and weights.
fn dataset(first: usize, rows: usize) -> Dataset {
    let row = |i: usize| [(i as f32 * 0.37).sin(), (i as f32 * 0.61).cos(), (i % 4) as f32];
    let features = (first..first + rows).flat_map(row).collect();
    let indices = (first..first + rows).map(|i| (i * i % 7 % 3) as u32).collect();
    let targets = Targets::Classes { indices, num_classes: 3 };
    let weights = (0..rows).map(|i| 0.5 + (i % 3) as f32).collect();
    Dataset::new(features, 3, targets).unwrap().with_weights(weights).unwrap()
}

fn model() -> MlpConfig {
    MlpConfig::new(3, 3)
        .with_hidden(vec![19, 5])
        .with_activation(Activation::Selu)
        .with_embeddings(vec![EmbeddingConfig::new(4, 2)])
}

const TASK: Task = Task::Multiclass { num_classes: 3 };

fn train<B: TrainBackend>(
    model: &MlpConfig,
    config: &TrainConfig,
    observer: &mut dyn Observer,
    checkpoints: Option<&mut Checkpoints>,
) -> Result<Trained<B::InnerBackend>, TrainError> {
    let (rows, valid) = (dataset(0, ROWS), dataset(ROWS, 20));
    let hooks = Hooks { observers: &mut [observer], checkpoints, ranks: None };
    fit_with::<B>(model, TASK, config, rows, Some(valid), &Default::default(), hooks)
}

/// Raises the flag at the iterations, each counted from its start of the process, that it is given.
struct StopAt {
    iterations: usize,
    flag: Arc<AtomicBool>,
}

impl Observer for StopAt {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        if let Event::Iteration { .. } = event {
            self.iterations -= 1;
            self.flag.store(self.iterations == 0, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// What must be the same: the weights, bit for bit, and the history without its clock.
#[derive(Debug, PartialEq)]
struct Outcome {
    weights: Vec<(String, TensorData)>,
    seed: u64,
    kept_epoch: usize,
    history: Vec<EpochRecord>,
}

fn outcome<B: burn::tensor::backend::Backend>(trained: Trained<B>) -> Outcome {
    Outcome {
        weights: trained.model.tensors(),
        seed: trained.config.seed,
        kept_epoch: trained.kept_epoch,
        history: without_clock(trained.history),
    }
}

fn without_clock(mut history: Vec<EpochRecord>) -> Vec<EpochRecord> {
    for record in &mut history {
        (record.seconds, record.rows_per_second, record.waiting) = (0.0, 0.0, 0.0);
    }
    history
}

/// Trains, cut off after each of `stops` iterations of a process, and compares with the straight run.
#[track_caller]
fn resumes_exactly<B: TrainBackend>(model: &MlpConfig, config: &TrainConfig, stops: &[usize]) {
    let mut straight = Recorder::new();
    let expected = outcome(train::<B>(model, config, &mut straight, None).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::create(folder.path()).unwrap();
    // At last it is left alone.
    for iterations in stops.iter().chain(&[usize::MAX]) {
        let flag = Arc::new(AtomicBool::new(false));
        checkpoints = checkpoints.stop_on(Arc::clone(&flag));
        let mut stop = StopAt { iterations: *iterations, flag };
        let mut resumed = Recorder::new();
        let mut both = Both(&mut stop, &mut resumed);
        match train::<B>(model, config, &mut both, Some(&mut checkpoints)) {
            Err(TrainError::Interrupted { .. }) => {}
            Err(error) => panic!("{config:?}: {error}"),
            // Early stopping may come before an interruption.
            Ok(trained) => {
                let found = outcome(trained);
                assert!(found == expected, "{model:?} {config:?}:\n{found:?}\n{expected:?}");
                assert_eq!(without_clock(resumed.epochs), without_clock(straight.epochs));
                return;
            }
        }
        drop(checkpoints);
        checkpoints = Checkpoints::resume(folder.path()).unwrap();
    }
    unreachable!("a run that is left alone comes to its end");
}

struct Both<'a>(&'a mut dyn Observer, &'a mut dyn Observer);

impl Observer for Both<'_> {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        self.0.observe(event)?;
        self.1.observe(event)
    }
}

fn optimizers() -> Vec<OptimizerConfig> {
    let mut rms_prop = OptimizerConfig::rms_prop();
    if let OptimizerConfig::RmsProp { momentum, .. } = &mut rms_prop {
        *momentum = 0.5;
    }
    let names = ["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "adan"];
    let mut all: Vec<OptimizerConfig> = names.iter().map(|name| name.parse().unwrap()).collect();
    all.push(rms_prop);
    all.iter().map(|optimizer| optimizer.with_weight_decay(0.01)).collect()
}

fn config(optimizer: OptimizerConfig) -> TrainConfig {
    let clipping = GradientClipping::Norm(0.7);
    TrainConfig::new().with_optimizer(optimizer).with_learning_rate(0.01).with_clipping(clipping)
}

fn every_kind_of_run<B: TrainBackend>() {
    let plateau =
        Decay::ReduceOnPlateau { factor: 0.5, patience: 1, min_delta: 0.01, final_fraction: 0.01 };
    let schedules: [Schedule; 5] = [
        Schedule::default(),
        Schedule { warmup_iterations: 3, decay: Decay::cosine() },
        Decay::one_cycle().into(),
        plateau.into(),
        Decay::Step { epochs: 2, factor: 0.5 }.into(),
    ];
    for optimizer in optimizers() {
        for schedule in schedules {
            for (batch_size, stops) in [
                (BatchSize::All, [2, 1]),
                (BatchSize::Rows(1), [47, 53]),
                (BatchSize::Rows(16), [4, 3]),
            ] {
                for dropout in [0.0, 0.3] {
                    let patience = EarlyStopping::default().with_patience(2);
                    for (keep, stopping) in [
                        (Keep::Last, None),
                        (Keep::Last, Some(patience)),
                        (Keep::Best, Some(patience)),
                    ] {
                        let mut config = config(optimizer)
                            .with_schedule(schedule)
                            .with_batch_size(batch_size)
                            .with_num_epochs(5);
                        (config.keep, config.early_stopping) = (keep, stopping);
                        resumes_exactly::<B>(
                            &model().with_input_dropout(dropout).with_dropout(dropout),
                            &config,
                            &stops,
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn every_kind_of_run_resumes_exactly_on_flex() {
    every_kind_of_run::<Autodiff<Flex>>();
}

#[test]
fn every_kind_of_run_resumes_exactly_on_ndarray() {
    every_kind_of_run::<Autodiff<NdArray>>();
}

/// Burn keeps the moments by ids of parameters, which are others in each process.
#[test]
fn what_burns_optimizers_keep_survives() {
    fn on<B: TrainBackend>(model: &MlpConfig) {
        for optimizer in optimizers() {
            let config = config(optimizer).with_batch_size(BatchSize::Rows(16)).with_num_epochs(3);
            resumes_exactly::<B>(model, &config, &[4, 2]);
        }
    }
    for normalization in [Normalization::Batch, Normalization::Layer] {
        let model = model().with_normalization(normalization).with_dropout(0.2);
        on::<Autodiff<Flex>>(&model);
        on::<Autodiff<NdArray>>(&model);
    }
}

#[test]
fn restarts_resume_exactly() {
    let config = config(OptimizerConfig::adam())
        .with_batch_size(BatchSize::Rows(16))
        .with_num_epochs(3)
        .with_restarts(3)
        .with_keep(Keep::Best);
    // In the first, at the end of the first, in the second, in the third.
    for stops in [&[2][..], &[9], &[13, 8]] {
        resumes_exactly::<Autodiff<Flex>>(&model(), &config, stops);
    }
}

/// A folder with the checkpoints of a run that is over, and its result.
fn finished(config: &TrainConfig, keep: usize) -> (tempfile::TempDir, Outcome) {
    let folder = tempfile::tempdir().unwrap();
    let every = Every::Iterations(2);
    let mut checkpoints = Checkpoints::create(folder.path()).unwrap().every(every).keep(keep);
    let recorder = &mut Recorder::new();
    let trained = train::<Autodiff<Flex>>(&model(), config, recorder, Some(&mut checkpoints));
    (folder, outcome(trained.unwrap()))
}

fn adam() -> TrainConfig {
    config(OptimizerConfig::adam()).with_batch_size(BatchSize::Rows(16)).with_num_epochs(4)
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

fn resume(folder: &Path, config: &TrainConfig) -> Result<Outcome, TrainError> {
    let mut checkpoints = Checkpoints::resume(folder)?;
    let recorder = &mut Recorder::new();
    train::<Autodiff<Flex>>(&model(), config, recorder, Some(&mut checkpoints)).map(outcome)
}

#[test]
fn a_run_that_is_over_gives_its_result_again_and_more_epochs_go_on() {
    let (folder, expected) = finished(&adam(), 2);
    assert_eq!(resume(folder.path(), &adam()).unwrap(), expected);
    let longer = adam().with_num_epochs(7);
    let straight = train::<Autodiff<Flex>>(&model(), &longer, &mut Recorder::new(), None);
    assert_eq!(resume(folder.path(), &longer).unwrap(), outcome(straight.unwrap()));
    let error = resume(folder.path(), &adam()).unwrap_err().to_string();
    let problem = "`num_epochs` is 4, and the run began with 7, which may grow only";
    assert_eq!(error, format!("the run can't be resumed: {problem}"));
}

#[test]
fn the_newest_and_the_best_are_kept() {
    // Too fast for its own good: the validation loss rises soon.
    let (folder, trained) = finished(&adam().with_learning_rate(0.1).with_num_epochs(8), 2);
    let loss = |record: &EpochRecord| record.valid_loss.unwrap();
    // Written after every second iteration, an epoch has three.
    let at_end = trained.history.iter().filter(|record| record.iterations % 2 == 0);
    let best = at_end.min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap();
    let mut expected =
        [best.iterations, 22, 24].map(|i| format!("checkpoint-1-{i:010}.safetensors")).to_vec();
    expected.push("lock".to_owned());
    expected.dedup();
    assert!(best.iterations < 22, "no test of the best: {best:?}");
    assert_eq!(names(folder.path()), expected);
}

#[test]
fn a_difference_is_named() {
    let (folder, _) = finished(&adam(), 2);
    let saved = |what: &str, found: &str, saved: &str| {
        format!("the run can't be resumed: `{what}` is {found}, and the run began with {saved}")
    };
    for (config, message) in [
        (adam().with_learning_rate(0.5), saved("learning_rate", "0.5", "0.01")),
        (adam().with_seed(3), saved("seed", "3", "0")),
        (adam().with_batch_size(BatchSize::All), saved("batch_size", "\"all\"", "{\"rows\":16}")),
    ] {
        assert_eq!(resume(folder.path(), &config).unwrap_err().to_string(), message);
    }
    let train_on = |model: &MlpConfig, rows: Dataset, valid: Option<Dataset>| {
        let mut checkpoints = Checkpoints::resume(folder.path()).unwrap();
        let hooks = Hooks { checkpoints: Some(&mut checkpoints), ..Hooks::default() };
        let device = Default::default();
        fit_with::<Autodiff<Flex>>(model, TASK, &adam(), rows, valid, &device, hooks)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let (rows, valid) = (dataset(0, ROWS), dataset(ROWS, 20));
    let other = model().with_dropout(0.5);
    let message = train_on(&other, rows.clone(), Some(valid.clone()));
    assert_eq!(message, saved("dropout", "0.5", "0.0"));
    let message = train_on(&model(), dataset(1, ROWS), Some(valid));
    assert!(
        message.contains("`training data` is 40 rows of 3 features with SHA-256 "),
        "{message}"
    );
    let message = train_on(&model(), rows.clone(), None);
    assert!(
        message.contains("`validation data` is none, and the run began with 20 rows"),
        "{message}"
    );
    let other = model().with_normalization(Normalization::Layer);
    let message = train_on(&other, rows, None);
    assert!(message.contains("`engine` is \"flex, F32\", and the run"), "{message}");
}

#[test]
fn a_damaged_checkpoint_is_passed_over_wherever_the_damage_is() {
    let (folder, expected) = finished(&adam(), 2);
    let newest = folder.path().join("checkpoint-1-0000000012.safetensors");
    let whole = fs::read(&newest).unwrap();
    let damaged = |bytes: &[u8]| {
        fs::write(&newest, bytes).unwrap();
        let checkpoints = Checkpoints::resume(folder.path()).unwrap();
        let [error] = checkpoints.damaged() else { panic!("{:?}", checkpoints.damaged()) };
        let start = format!("{}: not a usable checkpoint: ", newest.display());
        assert!(error.to_string().starts_with(&start), "{error}");
        let from = checkpoints.resumed_from().unwrap().file_name().unwrap();
        assert_eq!(from, "checkpoint-1-0000000010.safetensors");
    };
    for at in (0..whole.len()).step_by(whole.len() / 150) {
        damaged(&whole[..at]);
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        damaged(&bytes);
    }
    assert_eq!(resume(folder.path(), &adam()).unwrap(), expected);
    // What was damaged is whole again, for the run has come by.
    assert!(Checkpoints::resume(folder.path()).unwrap().damaged().is_empty());
    for name in names(folder.path()).iter().filter(|name| name.starts_with("checkpoint")) {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let message = Checkpoints::resume(folder.path()).unwrap_err().to_string();
    let start = format!("{} holds no checkpoint that is intact; ", folder.path().display());
    assert!(message.starts_with(&start) && message.ends_with("it has 0 bytes"), "{message}");
}

#[test]
fn a_folder_is_for_one_run() {
    let (folder, _) = finished(&adam(), 2);
    let path = folder.path().display();
    let message = Checkpoints::create(folder.path()).unwrap_err().to_string();
    assert_eq!(
        message,
        format!(
            "{path} holds the checkpoints of another run, expected a folder without; resume that run, \
             or choose another folder"
        )
    );
    let first = Checkpoints::resume(folder.path()).unwrap();
    let message = Checkpoints::resume(folder.path()).unwrap_err().to_string();
    assert_eq!(message, format!("another run is using the checkpoints in {path}"));
    drop(first);
    Checkpoints::resume(folder.path()).unwrap();
    let error = Checkpoints::resume(folder.path().join("none")).unwrap_err();
    assert!(error.to_string().starts_with("cannot use the folder "), "{error}");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Checkpoints::create(&file).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot use the folder {} for checkpoints", file.display())
    );
}

/// Puts something in the way of checkpoints after so many iterations.
struct Obstacle<F: FnMut() + Send> {
    after: usize,
    put: F,
    failures: usize,
}

impl<F: FnMut() + Send> Observer for Obstacle<F> {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        match event {
            Event::Iteration { iteration, .. } if *iteration == self.after => (self.put)(),
            Event::Checkpoint { failure: Some(_), .. } => self.failures += 1,
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn a_run_goes_on_when_its_folder_is_gone_or_in_the_way() {
    let straight = train::<Autodiff<Flex>>(&model(), &adam(), &mut Recorder::new(), None);
    let expected = outcome(straight.unwrap());
    for file_in_the_way in [false, true] {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("checkpoints");
        let mut checkpoints = Checkpoints::create(&folder).unwrap().every(Every::Iterations(1));
        let put = || {
            fs::remove_dir_all(&folder).unwrap();
            if file_in_the_way {
                fs::write(&folder, "").unwrap();
            }
        };
        let mut obstacle = Obstacle { after: 5, put, failures: 0 };
        let trained =
            train::<Autodiff<Flex>>(&model(), &adam(), &mut obstacle, Some(&mut checkpoints));
        assert_eq!(outcome(trained.unwrap()), expected);
        assert_eq!(obstacle.failures, if file_in_the_way { 8 } else { 0 });
        if !file_in_the_way {
            drop(checkpoints);
            assert_eq!(resume(&folder, &adam()).unwrap(), expected);
        }
    }
}

#[test]
fn an_interrupted_run_says_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    let mut checkpoints = Checkpoints::create(folder.path()).unwrap().stop_on(Arc::clone(&flag));
    let mut stop = StopAt { iterations: 4, flag };
    let run = train::<Autodiff<Flex>>(&model(), &adam(), &mut stop, Some(&mut checkpoints));
    let file = folder.path().join("checkpoint-1-0000000004.safetensors");
    assert_eq!(
        run.map(|_| ()).unwrap_err().to_string(),
        format!(
            "interrupted in epoch 2, after iteration 4; the checkpoint {} holds all of it",
            file.display()
        )
    );
    assert_eq!(
        names(folder.path()),
        ["checkpoint-1-0000000000.safetensors", "checkpoint-1-0000000004.safetensors", "lock"]
    );
}

#[test]
fn what_another_wrote_into_a_checkpoint_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let context = serde_json::json!({"file": "train.csv"});
    let mut checkpoints = Checkpoints::create(folder.path()).unwrap().with_context(context.clone());
    train::<Autodiff<Flex>>(&model(), &adam(), &mut Recorder::new(), Some(&mut checkpoints))
        .unwrap();
    drop(checkpoints);
    assert_eq!(*Checkpoints::resume(folder.path()).unwrap().context(), context);
}
