//! Training on small problems whose right outcome is known.

use burn::backend::Autodiff;
use burn::tensor::backend::Backend;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use kiln_data::{Dataset, Targets};
use kiln_model::{Activation, LossConfig, Mlp, MlpConfig, Normalization, Task};
use kiln_train::{
    BatchSize, Decay, EarlyStopping, Evaluation, Event, GradientClipping, Keep, Monitor, Observer,
    OptimizerConfig, Recorder, Schedule, StopReason, TrainConfig, TrainError, Trained, fit,
    predict,
};

type B = Autodiff<Flex>;

/// Rows on a circle, the class by the quarter; no two alike.
fn quarters(rows: usize) -> Dataset {
    let angle = |row: usize| row as f32 * 2.399_963; // the golden angle
    let features = (0..rows).flat_map(|row| [angle(row).cos(), angle(row).sin()]).collect();
    let quarter =
        |row: usize| u32::from(angle(row).cos() < 0.0) * 2 + u32::from(angle(row).sin() < 0.0);
    let indices = (0..rows).map(quarter).collect();
    Dataset::new(features, 2, Targets::Classes { indices, num_classes: 4 }).unwrap()
}

const FOUR: Task = Task::Multiclass { num_classes: 4 };

fn model() -> MlpConfig {
    MlpConfig::new(2, 4).with_hidden(vec![16])
}

fn config() -> TrainConfig {
    TrainConfig::new().with_batch_size(BatchSize::Rows(16)).with_learning_rate(0.02)
}

fn run(
    model: &MlpConfig,
    config: &TrainConfig,
    train: Dataset,
    valid: Option<Dataset>,
) -> (Result<Trained<Flex>, TrainError>, Recorder) {
    let mut recorder = Recorder::new();
    let device = Default::default();
    let trained = fit::<B>(model, FOUR, config, train, valid, &device, &mut [&mut recorder]);
    (trained, recorder)
}

fn weights<A: Backend>(model: &Mlp<A>) -> Vec<f32> {
    let layer = |layer: &burn::nn::Linear<A>| {
        let bias = layer.bias.as_ref().unwrap().val().into_data();
        let weight = layer.weight.val().into_data();
        weight.iter::<f32>().chain(bias.iter::<f32>()).collect::<Vec<_>>()
    };
    model.layers().flat_map(layer).collect()
}

fn accuracy(model: &Mlp<Flex>, dataset: &Dataset) -> f64 {
    let predictions =
        predict(model, FOUR, &LossConfig::default(), dataset, &Default::default()).unwrap();
    Evaluation::new(FOUR, dataset, &predictions).accuracy
}

#[test]
fn every_optimizer_learns() {
    for (optimizer, learning_rate) in [
        (OptimizerConfig::sgd(), 0.5),
        (OptimizerConfig::momentum(0.9), 0.05),
        (OptimizerConfig::nesterov(0.9), 0.05),
        (OptimizerConfig::adam(), 0.02),
        (OptimizerConfig::adam_w(), 0.02),
        (OptimizerConfig::rms_prop(), 0.02),
        (OptimizerConfig::ada_grad(), 0.1),
        (OptimizerConfig::adan(), 0.02),
    ] {
        let config = config()
            .with_optimizer(optimizer)
            .with_learning_rate(learning_rate)
            .with_num_epochs(30);
        let (trained, recorder) = run(&model(), &config, quarters(200), None);
        let accuracy = accuracy(&trained.unwrap().model, &quarters(300));
        assert!(accuracy > 0.93, "{optimizer:?}: {accuracy}");
        assert!(recorder.epochs[29].train_loss < 0.5 * recorder.epochs[0].train_loss);
    }
}

#[test]
fn an_epoch_takes_every_row_once_the_short_batch_included() {
    for (batch_size, iterations, last) in [
        (BatchSize::All, 1, 50),
        (BatchSize::Rows(1), 50, 1),
        (BatchSize::Rows(16), 4, 2),
        (BatchSize::Rows(25), 2, 25),
        (BatchSize::Rows(1000), 1, 50),
    ] {
        let config = config().with_batch_size(batch_size).with_num_epochs(2);
        let (trained, recorder) = run(&model(), &config, quarters(50), None);
        assert_eq!(trained.unwrap().history[1].iterations, 2 * iterations, "{batch_size:?}");
        assert_eq!(recorder.batch_rows.len(), 2 * iterations);
        assert_eq!(recorder.losses.len(), 2 * iterations);
        assert_eq!(recorder.batch_rows[iterations - 1], last);
        assert_eq!(recorder.batch_rows.iter().sum::<usize>(), 100);
        assert_eq!(recorder.runs[0].iterations_per_epoch, iterations);
    }
}

#[test]
fn gradient_descent_on_all_rows_never_climbs() {
    let config = config()
        .with_batch_size(BatchSize::All)
        .with_optimizer(OptimizerConfig::sgd())
        .with_num_epochs(100);
    let (_, recorder) = run(&model(), &config, quarters(100), None);
    assert!(recorder.losses.windows(2).all(|pair| pair[1] < pair[0]));
}

#[test]
fn train_loss_of_an_epoch_is_the_mean_over_its_rows() {
    let config = config().with_num_epochs(1);
    let (trained, recorder) = run(&model(), &config, quarters(50), None);
    let sum: f64 =
        recorder.losses.iter().zip(&recorder.batch_rows).map(|(l, n)| l * *n as f64).sum();
    assert!((trained.unwrap().history[0].train_loss - sum / 50.0).abs() < 1e-12);
}

#[test]
fn train_accuracy_of_an_epoch_counts_its_right_rows() {
    // Where an epoch is one batch, the second counts what the network of the first is right in.
    let config = config().with_batch_size(BatchSize::All);
    let dense = |width, number: fn(usize) -> f32| {
        let values = (0..50 * width).map(number).collect();
        Targets::Dense { values, width }
    };
    let classes = |num_classes: usize| {
        let indices = (0..50).map(|row| (row * 7 % num_classes) as u32).collect();
        Targets::Classes { indices, num_classes }
    };
    for (task, targets) in [
        (FOUR, classes(4)),
        (FOUR, dense(4, |at| [0.1, 0.2, 0.3, 0.4][(at * 3 + at / 4) % 4])),
        (Task::Binary, classes(2)),
        (Task::Binary, dense(1, |at| (at % 3) as f32 / 2.0)),
        (Task::MultiLabel { num_labels: 2 }, dense(2, |at| (at * 5 % 3 % 2) as f32)),
    ] {
        // By the kernels, and by Burn's operations.
        for normalization in [Normalization::None, Normalization::Layer] {
            let (features, _, _) = quarters(50).into_parts();
            let weights = (0..50).map(|row| 1.0 + (row % 2) as f32).collect();
            let data = Dataset::new(features, 2, targets.clone()).unwrap();
            let data = data.with_weights(weights).unwrap();
            let network = MlpConfig::new(2, task.d_output())
                .with_hidden(vec![5])
                .with_normalization(normalization);
            let device = Default::default();
            let epochs = |count| {
                let config = config.clone().with_num_epochs(count);
                fit::<B>(&network, task, &config, data.clone(), None, &device, &mut []).unwrap()
            };
            let [trained, further] = [1, 2].map(epochs);
            let loss = LossConfig::default();
            let predictions = predict(&trained.model, task, &loss, &data, &device).unwrap();
            let expected = Evaluation::new(task, &data, &predictions).accuracy;
            let found = further.history[1].train_accuracy;
            assert_eq!(found, expected, "{task:?} {normalization:?}");
            assert!(expected > 0.0 && expected < 1.0, "{task:?} {expected}");
        }
    }
}

#[test]
fn one_seed_is_one_result_and_another_is_another() {
    let model = model().with_dropout(0.3).with_normalization(Normalization::Batch);
    let train = |seed| {
        let config = config().with_num_epochs(3).with_seed(seed);
        let (trained, recorder) = run(&model, &config, quarters(100), Some(quarters(30)));
        (weights(&trained.unwrap().model), recorder.losses)
    };
    assert_eq!(train(1), train(1));
    let (one, other) = (train(1), train(2));
    assert_ne!(one.0, other.0);
    assert_ne!(one.1, other.1);
}

#[test]
fn two_backends_start_alike() {
    let config = config().with_num_epochs(1);
    let (_, flex) = run(&model(), &config, quarters(100), None);
    let mut ndarray = Recorder::new();
    let device = Default::default();
    let observers: &mut [&mut dyn Observer] = &mut [&mut ndarray];
    fit::<Autodiff<NdArray>>(&model(), FOUR, &config, quarters(100), None, &device, observers)
        .unwrap();
    for (flex, ndarray) in flex.losses.iter().zip(&ndarray.losses) {
        assert!((flex - ndarray).abs() < 1e-5, "{flex} {ndarray}");
    }
}

#[test]
fn row_weights_count_like_repeated_rows() {
    // Rows of weight 2, 1 and 0 against rows that are there twice, once and not at all.
    let all = quarters(60);
    let weights_of_rows: Vec<f32> = (0..60).map(|row| (row % 3) as f32).collect();
    let repeated: Vec<usize> = (0..60).flat_map(|row| vec![row; row % 3]).collect();
    let config = config().with_batch_size(BatchSize::All).with_num_epochs(5);
    let weighted = all.clone().with_weights(weights_of_rows).unwrap();
    let repeated = all.select(&repeated).unwrap();
    let (weighted, weighted_history) = run(&model(), &config, weighted.clone(), Some(weighted));
    let (repeated, repeated_history) = run(&model(), &config, repeated.clone(), Some(repeated));
    for (a, b) in weights(&weighted.unwrap().model).iter().zip(weights(&repeated.unwrap().model)) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    for (a, b) in weighted_history.epochs.iter().zip(&repeated_history.epochs) {
        assert!((a.train_loss - b.train_loss).abs() < 1e-6);
        assert!((a.valid_loss.unwrap() - b.valid_loss.unwrap()).abs() < 1e-6);
    }
}

#[test]
fn sparse_categorical_and_binary_targets_train_alike() {
    let classes = quarters(80);
    let Targets::Classes { indices, .. } = classes.targets() else { unreachable!() };
    let one_hot: Vec<f32> =
        indices.iter().flat_map(|class| (0..4).map(|c| f32::from(u8::from(c == *class)))).collect();
    let features = classes.features().to_vec();
    let dense = Dataset::new(features.clone(), 2, Targets::Dense { values: one_hot, width: 4 });
    let config = config().with_num_epochs(3);
    let (sparse, _) = run(&model(), &config, classes.clone(), Some(classes.clone()));
    let dense = dense.unwrap();
    let (categorical, _) = run(&model(), &config, dense.clone(), Some(dense));
    let (sparse, categorical) = (sparse.unwrap(), categorical.unwrap());
    for (a, b) in sparse.history.iter().zip(&categorical.history) {
        assert!((a.train_loss - b.train_loss).abs() < 1e-5);
        assert_eq!(a.valid_accuracy, b.valid_accuracy);
    }

    // Two classes as indices, as one column, and as a label.
    let binary: Vec<u32> = indices.iter().map(|class| class / 2).collect();
    let column: Vec<f32> = binary.iter().map(|class| *class as f32).collect();
    let column = Targets::Dense { values: column, width: 1 };
    let final_loss = |task, targets| {
        let dataset = Dataset::new(features.clone(), 2, targets).unwrap();
        let (model, device) = (MlpConfig::new(2, 1).with_hidden(vec![8]), Default::default());
        let trained = fit::<B>(&model, task, &config, dataset, None, &device, &mut []).unwrap();
        trained.history[2].train_loss
    };
    let classes = Targets::Classes { indices: binary, num_classes: 2 };
    let expected = final_loss(Task::Binary, classes);
    assert_eq!(final_loss(Task::Binary, column.clone()), expected);
    assert_eq!(final_loss(Task::MultiLabel { num_labels: 1 }, column), expected);
}

#[test]
fn early_stopping_stops_and_restores_the_best_weights() {
    for monitor in [Monitor::Loss, Monitor::Accuracy] {
        let config = config()
            .with_num_epochs(500)
            .with_keep(Keep::Best)
            .with_monitor(monitor)
            .with_early_stopping(EarlyStopping::default().with_patience(3));
        let valid = quarters(40);
        let (trained, recorder) = run(&model(), &config, quarters(120), Some(valid.clone()));
        let trained = trained.unwrap();
        assert_eq!(trained.stop, StopReason::Patience);
        assert_eq!(recorder.stops, [StopReason::Patience]);
        let epochs = trained.history.len();
        assert_eq!(trained.kept_epoch, epochs - 3);
        let kept = &trained.history[trained.kept_epoch - 1];
        assert!(kept.best && trained.history[trained.kept_epoch..].iter().all(|r| !r.best));
        assert_eq!(accuracy(&trained.model, &valid), kept.valid_accuracy.unwrap());
        // The same run cut off at that epoch ends with the very same weights.
        let cut = config.clone().with_num_epochs(trained.kept_epoch);
        let (cut, _) = run(&model(), &cut, quarters(120), Some(valid));
        assert_eq!(weights(&cut.unwrap().model), weights(&trained.model));
    }
}

#[test]
fn a_time_budget_has_room_for_one_epoch_at_least() {
    let config = config().with_num_epochs(5).with_schedule(Decay::cosine());
    let fit = |config: &TrainConfig| run(&model(), config, quarters(120), Some(quarters(40)));
    let (short, recorder) = fit(&config.clone().with_time_budget(1e-9));
    let short = short.unwrap();
    assert_eq!((short.history.len(), short.kept_epoch), (1, 1));
    assert_eq!(
        (short.stop, recorder.stops),
        (StopReason::TimeBudget, vec![StopReason::TimeBudget])
    );
    // One that is never spent changes nothing.
    let (long, _) = fit(&config.clone().with_time_budget(1e9));
    let (unbounded, _) = fit(&config);
    let (long, unbounded) = (long.unwrap(), unbounded.unwrap());
    assert_eq!((long.stop, unbounded.stop), (StopReason::Epochs, StopReason::Epochs));
    assert_eq!(weights(&long.model), weights(&unbounded.model));
    // Each restart has its share.
    let (several, recorder) = fit(&config.with_time_budget(1e-9).with_restarts(3));
    assert_eq!((several.unwrap().history.len(), recorder.epochs.len()), (1, 3));
}

#[test]
fn restarts_keep_the_one_with_the_lowest_validation_loss() {
    let config = config().with_num_epochs(3).with_restarts(4).with_seed(9);
    let (trained, recorder) = run(&model(), &config, quarters(100), Some(quarters(40)));
    let trained = trained.unwrap();
    let losses: Vec<f64> = recorder
        .epochs
        .iter()
        .filter(|record| record.epoch == 3)
        .map(|record| record.valid_loss.unwrap())
        .collect();
    assert_eq!(losses.len(), 4);
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(trained.history[2].valid_loss, Some(best));
    let winner = losses.iter().position(|loss| *loss == best).unwrap();
    assert_eq!(trained.config.seed, recorder.runs[winner].seed);
    // The first restart is what the seed alone gives.
    let (single, _) =
        run(&model(), &config.clone().with_restarts(1), quarters(100), Some(quarters(40)));
    assert_eq!(single.unwrap().history[2].valid_loss, Some(losses[0]));
}

#[test]
fn the_schedule_sets_the_learning_rate_of_each_iteration() {
    let schedule = Schedule { warmup_iterations: 2, decay: Decay::Step { epochs: 1, factor: 0.5 } };
    let config = config().with_learning_rate(0.1).with_num_epochs(2).with_schedule(schedule);
    let (_, recorder) = run(&model(), &config, quarters(48), None);
    let expected = [0.05, 0.1, 0.1, 0.05, 0.05, 0.05];
    for (found, expected) in recorder.learning_rates.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
    assert_eq!(recorder.learning_rates.len(), expected.len());
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_says_where() {
    let config =
        config().with_optimizer(OptimizerConfig::sgd()).with_learning_rate(1e30).with_num_epochs(3);
    let activation = Activation::Identity;
    let model = model().with_activation(activation);
    let (trained, _) = run(&model, &config, quarters(100), None);
    let error = trained.unwrap_err();
    let TrainError::Diverged { iteration, epoch, .. } = error else { panic!("{error}") };
    assert!((2..=7).contains(&iteration) && epoch == 1, "{iteration} {epoch}");
    assert_eq!(
        error.to_string(),
        format!(
            "the training loss became NaN at iteration {iteration} (epoch 1) with learning rate \
             1000000000000000000000000000000; try a smaller learning rate, gradient clipping, or \
             features scaled to about -1 to 1"
        )
    );
    // In all of several restarts, too.
    let config = config.with_restarts(3);
    let (trained, recorder) = run(&model, &config, quarters(100), Some(quarters(10)));
    assert!(matches!(trained.unwrap_err(), TrainError::Diverged { .. }));
    assert_eq!(recorder.runs.len(), 3);
}

#[test]
fn clipping_bounds_the_step() {
    // With plain gradient descent at rate 1, the first step is the gradient.
    let step = |clipping: Option<GradientClipping>| {
        let mut config = config()
            .with_batch_size(BatchSize::All)
            .with_optimizer(OptimizerConfig::sgd())
            .with_learning_rate(1.0)
            .with_num_epochs(1);
        config.clipping = clipping;
        let (trained, _) = run(&model(), &config, quarters(50), None);
        let start = weights(&model().init::<Flex>(&Default::default()).unwrap());
        let end = weights(&trained.unwrap().model);
        end.iter().zip(start).map(|(end, start)| f64::from(end - start)).collect::<Vec<_>>()
    };
    let norm = |step: &[f64]| step.iter().map(|v| v * v).sum::<f64>().sqrt();
    let free = step(None);
    assert!(norm(&free) > 0.1, "{}", norm(&free));
    let clipped = step(Some(GradientClipping::Norm(0.01)));
    assert!((norm(&clipped) - 0.01).abs() < 1e-5, "{}", norm(&clipped));
    let ratio = 0.01 / norm(&free);
    for (clipped, free) in clipped.iter().zip(&free) {
        assert!((clipped - free * ratio).abs() < 1e-6, "the direction stays");
    }
    assert_eq!(step(Some(GradientClipping::Norm(1e6))), free);
    let by_value = step(Some(GradientClipping::Value(0.02)));
    for (clipped, free) in by_value.iter().zip(&free) {
        assert!((clipped - free.clamp(-0.02, 0.02)).abs() < 1e-6);
    }
}

#[test]
fn validation_rows_change_nothing_unless_asked_to_choose() {
    let config = config().with_num_epochs(3);
    let (without, _) = run(&model(), &config, quarters(100), None);
    let (with, _) = run(&model(), &config, quarters(100), Some(quarters(7)));
    assert_eq!(weights(&without.unwrap().model), weights(&with.unwrap().model));
}

#[test]
fn an_observer_that_fails_stops_the_run() {
    struct Full;
    impl Observer for Full {
        fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
            match event {
                Event::Epoch(record) if record.epoch == 2 => Err(TrainError::History {
                    path: "history.csv".into(),
                    source: std::io::ErrorKind::StorageFull.into(),
                }),
                _ => Ok(()),
            }
        }
    }
    let (mut full, mut recorder) = (Full, Recorder::new());
    let observers: &mut [&mut dyn Observer] = &mut [&mut recorder, &mut full];
    let device = Default::default();
    let result = fit::<B>(&model(), FOUR, &config(), quarters(50), None, &device, observers);
    assert_eq!(result.unwrap_err().to_string(), "cannot write the history to history.csv");
    assert_eq!(recorder.epochs.len(), 2);
}

#[test]
fn what_does_not_fit_together_is_an_error() {
    let error = |model: MlpConfig, task: Task, config: TrainConfig, train: Dataset| {
        let device = Default::default();
        fit::<B>(&model, task, &config, train, None, &device, &mut []).unwrap_err().to_string()
    };
    let stopping = config().with_early_stopping(EarlyStopping::default());
    let best = config().with_keep(Keep::Best);
    let batch_norm = model().with_normalization(Normalization::Batch);
    let dense = |width: usize| {
        let values = vec![0.0; 3 * width];
        Dataset::new(vec![0.0; 6], 2, Targets::Dense { values, width }).unwrap()
    };
    for (found, expected) in [
        (
            error(MlpConfig::new(3, 4), FOUR, config(), quarters(9)),
            "the data is 2 features wide, but the network is 3",
        ),
        (
            error(MlpConfig::new(2, 5), FOUR, config(), quarters(9)),
            "the network is 5 outputs wide, but the task is Multiclass { num_classes: 4 }, with 4",
        ),
        (
            error(MlpConfig::new(2, 1), Task::Binary, config(), quarters(9)),
            "the target is an index of 4 classes, but the task is binary, with 2 classes or one column",
        ),
        (
            error(model(), FOUR, config(), dense(3)),
            "the target is 3 columns wide, but the task is multiclass, with 4 classes",
        ),
        (
            error(MlpConfig::new(2, 4), Task::MultiLabel { num_labels: 4 }, config(), quarters(9)),
            "the target is an index of 4 classes, but the task is multi-label, with 4 columns",
        ),
        (
            error(model(), FOUR, stopping, quarters(9)),
            "`early_stopping` needs validation rows, and there are none",
        ),
        (
            error(model(), FOUR, best, quarters(9)),
            "`keep` needs validation rows, and there are none",
        ),
        (
            error(model(), FOUR, config().with_restarts(2), quarters(9)),
            "`restarts` needs validation rows, and there are none",
        ),
        (
            error(batch_norm, FOUR, config().with_batch_size(BatchSize::Rows(1)), quarters(9)),
            "`batch_size` is 1, expected at least 2 with batch normalization",
        ),
        (
            error(model().with_dropout(2.0), FOUR, config(), quarters(9)),
            "`dropout` is 2, expected a fraction in [0, 1)",
        ),
    ] {
        assert_eq!(found, expected);
    }
}
