//! Losses and weights stay finite numbers, or the run stops and says so.

use burn::backend::Autodiff;
use burn_flex::Flex;
use kiln_data::{Dataset, Targets};
use kiln_model::{Activation, MlpConfig, Normalization, Task};
use kiln_train::{
    BatchSize, Evaluation, GradientClipping, OptimizerConfig, Recorder, TrainConfig, TrainError,
    Trained, fit, predict,
};

const THREE: Task = Task::Multiclass { num_classes: 3 };

fn dataset(rows: usize, num_classes: usize, feature: impl Fn(usize, u32) -> f32) -> Dataset {
    let classes: Vec<u32> = (0..rows).map(|row| (row % num_classes) as u32).collect();
    let features = (0..2 * rows).map(|at| feature(at, classes[at / 2])).collect();
    Dataset::new(features, 2, Targets::Classes { indices: classes, num_classes }).unwrap()
}

fn train(
    model: &MlpConfig,
    task: Task,
    config: &TrainConfig,
    data: &Dataset,
) -> (Result<Trained<Flex>, TrainError>, Recorder) {
    let mut recorder = Recorder::new();
    let (data, device) = (data.clone(), Default::default());
    let observers: &mut [&mut dyn kiln_train::Observer] = &mut [&mut recorder];
    let trained = fit::<Autodiff<Flex>>(model, task, config, data, None, &device, observers);
    (trained, recorder)
}

#[track_caller]
fn assert_finite(trained: &Trained<Flex>, recorder: &Recorder, what: &str) {
    assert!(recorder.losses.iter().all(|loss| loss.is_finite()), "{what}: {:?}", recorder.losses);
    for (name, data) in trained.model.tensors() {
        assert!(data.iter::<f32>().all(f32::is_finite), "{what}: {name}");
    }
}

/// By the kernels, and by Burn's operations.
const ENGINES: [Normalization; 2] = [Normalization::None, Normalization::Layer];

fn optimizers() -> [OptimizerConfig; 8] {
    ["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "adan"]
        .map(|name| name.parse().unwrap())
}

fn whole(optimizer: OptimizerConfig, learning_rate: f64, epochs: usize) -> TrainConfig {
    TrainConfig::new()
        .with_optimizer(optimizer)
        .with_learning_rate(learning_rate)
        .with_batch_size(BatchSize::All)
        .with_num_epochs(epochs)
}

#[test]
fn features_of_1e30_have_finite_losses_and_gradients() {
    let data = dataset(12, 3, |at, class| (class as f32 - 1.0) * 1e30 * (1.0 + at as f32 / 9.0));
    let names =
        ["relu", "leaky_relu", "gelu", "silu", "elu", "mish", "softplus", "tanh", "sigmoid"];
    for name in names {
        let activation: Activation = name.parse().unwrap();
        for normalization in ENGINES {
            let model = MlpConfig::new(2, 3)
                .with_hidden(vec![4])
                .with_activation(activation)
                .with_normalization(normalization);
            // The gradient is of the features' size, and is seen in the weights.
            let config = whole(OptimizerConfig::sgd(), 1e-30, 1);
            let (trained, recorder) = train(&model, THREE, &config, &data);
            assert_finite(&trained.unwrap(), &recorder, name);
            // Clipped, it is of the size of its bound, and training goes on.
            let config =
                whole(OptimizerConfig::sgd(), 1e-6, 20).with_clipping(GradientClipping::Norm(1.0));
            let (trained, recorder) = train(&model, THREE, &config, &data);
            assert_finite(&trained.unwrap(), &recorder, name);
        }
    }
}

#[test]
fn constant_features_are_no_trouble() {
    let data = dataset(30, 3, |at, _| if at % 2 == 0 { 7.0 } else { 0.0 });
    for normalization in [Normalization::None, Normalization::Layer, Normalization::Batch] {
        for optimizer in optimizers() {
            let model =
                MlpConfig::new(2, 3).with_hidden(vec![5, 5]).with_normalization(normalization);
            let (trained, recorder) = train(&model, THREE, &whole(optimizer, 0.01, 100), &data);
            assert_finite(&trained.unwrap(), &recorder, optimizer.name());
        }
    }
}

#[test]
fn separable_data_can_be_trained_on_for_long() {
    for (task, num_classes) in [(Task::Binary, 2), (THREE, 3)] {
        let data = dataset(30, num_classes, |at, class| {
            if at % 2 == 0 { class as f32 * 2.0 - 1.0 } else { (at as f32).sin() / 10.0 }
        });
        for optimizer in optimizers() {
            for normalization in ENGINES {
                let model = MlpConfig::new(2, task.d_output())
                    .with_hidden(vec![8])
                    .with_normalization(normalization);
                let (trained, recorder) = train(&model, task, &whole(optimizer, 0.1, 2000), &data);
                let (trained, what) = (trained.unwrap(), optimizer.name());
                assert_finite(&trained, &recorder, what);
                let loss = Default::default();
                let predictions =
                    predict(&trained.model, task, &loss, &data, &Default::default()).unwrap();
                let accuracy = Evaluation::new(task, &data, &predictions).accuracy;
                assert_eq!(accuracy, 1.0, "{what} {task:?}");
            }
        }
    }
}

#[test]
fn a_learning_rate_that_diverges_stops_the_run_clearly() {
    let data = dataset(30, 3, |at, class| class as f32 + (at as f32).sin());
    for optimizer in optimizers() {
        for normalization in ENGINES {
            let model = MlpConfig::new(2, 3).with_hidden(vec![8]).with_normalization(normalization);
            let (trained, _) = train(&model, THREE, &whole(optimizer, 1e38, 50), &data);
            match trained {
                Err(TrainError::Diverged { .. }) => {}
                Err(error) => panic!("{}: {error}", optimizer.name()),
                Ok(_) => panic!("{} with {normalization:?} did not diverge", optimizer.name()),
            }
        }
    }
    let model = MlpConfig::new(2, 3).with_hidden(vec![8]);
    let (trained, _) = train(&model, THREE, &whole(OptimizerConfig::sgd(), 1e38, 50), &data);
    let message = trained.unwrap_err().to_string();
    assert!(message.starts_with("the training loss became NaN at iteration "), "{message}");
    assert!(
        message.ends_with(
            "with learning rate 100000000000000000000000000000000000000; try a smaller learning rate, \
             gradient clipping, or features scaled to about -1 to 1"
        ),
        "{message}"
    );
}
