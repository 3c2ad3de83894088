//! Several networks, trained side by side.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use burn::backend::Autodiff;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use kiln_data::{Dataset, Targets, stratified_folds};
use kiln_model::{Activation, EmbeddingConfig, LossConfig, Mlp, MlpConfig, Task};
use kiln_train::{
    BatchSize, Checkpoints, EarlyStopping, Evaluation, Event, Hooks, Keep, Members, Observer,
    OptimizerConfig, Ranks, TrainBackend, TrainConfig, TrainError, TrainedMembers, fit_members,
    fit_with, predict_members,
};

type B = Autodiff<Flex>;

const ROWS: usize = 50;
const TASK: Task = Task::Multiclass { num_classes: 3 };

/// Three classes, two numbers and a category.
fn classes() -> Vec<u32> {
    (0..ROWS).map(|i| (i * i % 7 % 3) as u32).collect()
}

fn dataset(indices: Vec<u32>) -> Dataset {
    let row = |i: usize| [(i as f32 * 0.37).sin(), (i as f32 * 0.61).cos(), (i % 4) as f32];
    let features = (0..ROWS).flat_map(row).collect();
    Dataset::new(features, 3, Targets::Classes { indices, num_classes: 3 }).unwrap()
}

fn model() -> MlpConfig {
    MlpConfig::new(3, 3)
        .with_hidden(vec![19, 5])
        .with_activation(Activation::Mish)
        .with_embeddings(vec![EmbeddingConfig::new(4, 2)])
        .with_input_dropout(0.2)
        .with_dropout(0.2)
}

fn config() -> TrainConfig {
    // The networks of one partition have 38 and 37 rows: batches of 7 make six each; of 37, two and one.
    TrainConfig::new()
        .with_batch_size(BatchSize::Rows(7))
        .with_num_epochs(6)
        .with_optimizer(OptimizerConfig::adam_w())
        .with_learning_rate(0.01)
        .with_seed(4)
}

/// Two partitions into four folds.
fn folds() -> Members {
    let partition = |seed| stratified_folds(&classes(), 4, seed).unwrap();
    Members::Folds { folds: 4, partitions: vec![partition(0), partition(1)] }
}

fn train<B: TrainBackend>(
    config: &TrainConfig,
    members: &Members,
    data: Dataset,
    valid: Option<Dataset>,
) -> TrainedMembers<B::InnerBackend> {
    let (device, hooks) = (Default::default(), Hooks::default());
    fit_members::<B>(&model(), TASK, config, members, data, valid, &device, hooks).unwrap()
}

fn weights<B: burn::tensor::backend::Backend>(models: &[Mlp<B>]) -> Vec<Vec<f32>> {
    let of = |model: &Mlp<B>| {
        let tensors = model.tensors().into_iter();
        tensors.flat_map(|(_, data)| data.iter::<f32>().collect::<Vec<_>>()).collect()
    };
    models.iter().map(of).collect()
}

#[test]
fn the_first_of_several_is_the_single_one() {
    let data = dataset(classes());
    let several = train::<B>(&config(), &Members::All(3), data.clone(), None);
    let (device, hooks) = (Default::default(), Hooks::default());
    let one = fit_with::<B>(&model(), TASK, &config(), data, None, &device, hooks).unwrap();
    let several = weights(&several.models);
    assert_eq!(several[0], weights(&[one.model])[0]);
    assert_ne!(several[0], several[1]);
    assert_ne!(several[1], several[2]);
}

#[test]
fn what_is_said_of_a_row_does_not_depend_on_its_own_class() {
    const ROW: usize = 17;
    let members = folds();
    let loss = LossConfig::default();
    let said = |classes: Vec<u32>| {
        let data = dataset(classes);
        let trained = train::<B>(&config(), &members, data.clone(), None);
        let device = Default::default();
        let found = members.predict_held_out(&trained.models, TASK, &loss, &data, &device).unwrap();
        found.logits.chunks(3).map(<[f32]>::to_vec).collect::<Vec<_>>()
    };
    let mut changed = classes();
    changed[ROW] = (changed[ROW] + 1) % 3;
    let (before, after) = (said(classes()), said(changed));
    assert_eq!(before[ROW], after[ROW]);
    assert_ne!(before[ROW - 1], after[ROW - 1]);
}

#[test]
fn the_history_is_of_rows_that_were_held_out() {
    let (members, data) = (folds(), dataset(classes()));
    let config = config().with_keep(Keep::Best);
    let trained = train::<B>(&config, &members, data.clone(), None);
    let (loss, device) = (LossConfig::default(), Default::default());
    let found = members.predict_held_out(&trained.models, TASK, &loss, &data, &device).unwrap();
    let evaluation = Evaluation::new(TASK, &data, &found);
    let kept = &trained.history[trained.kept_epoch - 1];
    assert_eq!(kept.valid_accuracy, Some(evaluation.accuracy));
    assert!((kept.valid_loss.unwrap() - evaluation.log_loss).abs() < 1e-6);
    assert!(trained.history.iter().all(|of| of.valid_loss >= kept.valid_loss));

    // Pieced together by hand: each row is left to the two networks that have not seen it.
    let Members::Folds { partitions, .. } = &members else { unreachable!() };
    for row in [0, 23, 49] {
        let of_row = data.select(&[row]).unwrap();
        let models: Vec<Mlp<Flex>> = (0..2)
            .map(|at| trained.models[4 * at + partitions[at][row] as usize].clone())
            .collect();
        let together = predict_members(&models, TASK, &loss, &of_row, &device).unwrap();
        assert_eq!(together.logits, found.logits[3 * row..][..3], "row {row}");
        let own: Vec<usize> = (0..members.count())
            .filter(|member| members.held_out(*member).contains(&(row as u32)))
            .collect();
        assert_eq!(own.len(), 2);
        let rows: Vec<usize> = vec![row];
        let by_logits =
            members.held_out_logits(TASK, &rows, of_row.features(), |member, features| {
                let targets = of_row.targets().clone();
                let rows = Dataset::new(features.to_vec(), 3, targets).unwrap();
                let model = &trained.models[member..=member];
                predict_members(model, TASK, &loss, &rows, &device).unwrap().logits
            });
        assert_eq!(by_logits, together.logits);
    }
}

#[test]
fn kernels_and_operations_train_the_same_networks() {
    // In f32 and with Burn's Adam, rounding alone: few steps.
    let config = config().with_num_epochs(2).with_batch_size(BatchSize::Rows(37));
    let config = config.with_optimizer(OptimizerConfig::momentum(0.9));
    let by_kernels = train::<B>(&config, &folds(), dataset(classes()), None);
    let exact = train::<Autodiff<NdArray<f64>>>(&config, &folds(), dataset(classes()), None);
    let (found, expected) = (weights(&by_kernels.models), weights(&exact.models));
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    for (found, expected) in by_kernels.history.iter().zip(&exact.history) {
        assert_eq!(found.iterations, expected.iterations);
        assert!((found.train_loss - expected.train_loss).abs() < 1e-5);
        assert!((found.valid_loss.unwrap() - expected.valid_loss.unwrap()).abs() < 1e-5);
    }
    assert_eq!(exact.history[1].iterations, 4);
}

struct StopAt(usize, Arc<AtomicBool>);

impl Observer for StopAt {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        if let Event::Iteration { .. } = event {
            self.0 -= 1;
            self.1.store(self.0 == 0, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn resumes_exactly<B: TrainBackend>() {
    let stopping = EarlyStopping::default().with_patience(2);
    let config = config().with_keep(Keep::Best).with_early_stopping(stopping);
    let expected = train::<B>(&config, &folds(), dataset(classes()), None);
    let folder = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::create(folder.path()).unwrap();
    for iterations in [4, 6, 9, usize::MAX] {
        let flag = Arc::new(AtomicBool::new(false));
        checkpoints = checkpoints.stop_on(Arc::clone(&flag));
        let mut stop = StopAt(iterations, flag);
        let observers: &mut [&mut dyn Observer] = &mut [&mut stop];
        let checkpoints_of = Some(&mut checkpoints);
        let hooks = Hooks { observers, checkpoints: checkpoints_of, ranks: None };
        let (data, device) = (dataset(classes()), Default::default());
        match fit_members::<B>(&model(), TASK, &config, &folds(), data, None, &device, hooks) {
            Err(TrainError::Interrupted { .. }) => {}
            Err(error) => panic!("{error}"),
            Ok(found) => {
                assert_eq!(weights(&found.models), weights(&expected.models));
                assert_eq!(found.kept_epoch, expected.kept_epoch);
                return;
            }
        }
        drop(checkpoints);
        checkpoints = Checkpoints::resume(folder.path()).unwrap();
    }
    unreachable!("a run that is left alone comes to its end");
}

#[test]
fn a_run_that_was_cut_off_ends_the_same() {
    resumes_exactly::<Autodiff<Flex>>();
    resumes_exactly::<Autodiff<NdArray<f64>>>();
}

#[test]
fn a_run_is_not_resumed_with_other_folds() {
    let folder = tempfile::tempdir().unwrap();
    let run = |members: &Members, mut checkpoints: Checkpoints| {
        let checkpoints = Some(&mut checkpoints);
        let hooks = Hooks { observers: &mut [], checkpoints, ranks: None };
        let (data, device) = (dataset(classes()), Default::default());
        fit_members::<B>(&model(), TASK, &config(), members, data, None, &device, hooks)
    };
    run(&folds(), Checkpoints::create(folder.path()).unwrap()).unwrap();
    let error = run(&Members::All(8), Checkpoints::resume(folder.path()).unwrap()).unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with("the run can't be resumed: `members` is 8"), "{error}");
}

/// A process that is alone.
struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum(&self, _: &mut [f32]) {}

    fn broadcast(&self, _: &mut Vec<u8>) {}
}

#[test]
fn processes_train_one_network() {
    let hooks = Hooks { observers: &mut [], checkpoints: None, ranks: Some(&Alone) };
    let (data, device) = (dataset(classes()), Default::default());
    let run = fit_members::<B>(&model(), TASK, &config(), &folds(), data, None, &device, hooks);
    assert_eq!(
        run.unwrap_err().to_string(),
        "`members` is 8, expected 1 where several processes train one network"
    );
}

#[test]
fn wrong_ensembles_are_told() {
    let error = |members: Members| {
        let (data, device, hooks) = (dataset(classes()), Default::default(), Hooks::default());
        let run = fit_members::<B>(&model(), TASK, &config(), &members, data, None, &device, hooks);
        run.unwrap_err().to_string()
    };
    assert_eq!(error(Members::All(0)), "`members` is 0, expected at least 1");
    let partitions = |of: Vec<u32>| Members::Folds { folds: 2, partitions: vec![of] };
    assert_eq!(error(partitions(vec![2; ROWS])), "`folds` is 2, expected below 2");
    assert_eq!(
        error(partitions(vec![1; ROWS])),
        "`folds` is 2 folds of [0, 50] rows, expected 50 rows, in every fold some"
    );
    let one = Members::Folds { folds: 1, partitions: vec![vec![0; ROWS]] };
    assert_eq!(error(one), "`folds` is 1, expected at least 2");
}
