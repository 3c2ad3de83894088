//! On a CPU backend of `f32` the kernels train; on one of `f64` Burn does. They go the same way.

use burn::backend::Autodiff;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use kiln_data::{Dataset, Targets};
use kiln_kernels::KilnBackend;
use kiln_model::{Activation, EmbeddingConfig, MlpConfig, Task};
use kiln_train::{
    BatchSize, Decay, EarlyStopping, Event, GradientClipping, Keep, Observer, OptimizerConfig,
    Recorder, TrainBackend, TrainConfig, TrainError, fit,
};

const THREE: Task = Task::Multiclass { num_classes: 3 };

/// Two numbers and one of four categories, which all have a say in the class.
fn dataset(rows: usize, from: usize) -> Dataset {
    let (mut features, mut indices) = (Vec::new(), Vec::new());
    for row in from..from + rows {
        let angle = row as f32 * 2.399_963; // the golden angle
        let category = (row * 7 % 4) as f32;
        features.extend([angle.cos(), angle.sin(), category]);
        let score = angle.cos() + 0.7 * category;
        indices.push(u32::from(score > 0.6) + u32::from(score > 1.5));
    }
    let weights = (0..rows).map(|row| 0.5 + (row % 3) as f32).collect();
    let dataset = Dataset::new(features, 3, Targets::Classes { indices, num_classes: 3 }).unwrap();
    dataset.with_weights(weights).unwrap()
}

fn model() -> MlpConfig {
    MlpConfig::new(3, 3)
        .with_hidden(vec![9, 6])
        .with_activation(Activation::Tanh)
        .with_embeddings(vec![EmbeddingConfig::new(4, 2)])
        .with_input_dropout(0.1)
        .with_dropout(0.1)
}

/// The loss of each batch; training loss and accuracy and validation loss of each epoch.
fn losses<B: TrainBackend>(config: &TrainConfig) -> Vec<f64> {
    let mut recorder = Recorder::new();
    let (train, valid) = (dataset(100, 0), Some(dataset(40, 1000)));
    let device = Default::default();
    fit::<B>(&model(), THREE, config, train, valid, &device, &mut [&mut recorder]).unwrap();
    let epochs = recorder.epochs.iter();
    let of_epochs = epochs
        .flat_map(|epoch| [epoch.train_loss, epoch.train_accuracy, epoch.valid_loss.unwrap()]);
    recorder.losses.iter().copied().chain(of_epochs).collect()
}

fn check(config: TrainConfig) {
    const { assert!(Flex::HOST && !NdArray::<f64>::HOST) };
    let config = config.with_num_epochs(4);
    let kernels = losses::<Autodiff<Flex>>(&config);
    let burn = losses::<Autodiff<NdArray<f64>>>(&config);
    assert_eq!(kernels.len(), burn.len());
    for (at, (kernels, burn)) in kernels.iter().zip(&burn).enumerate() {
        // Rounding grows from step to step.
        let error = (kernels - burn).abs() / burn;
        assert!(error < 2e-5, "number {at} is {kernels}, not {burn}, with {config:?}");
    }
    assert_ne!(kernels, burn);
}

fn config(optimizer: OptimizerConfig, learning_rate: f64) -> TrainConfig {
    TrainConfig::new()
        .with_batch_size(BatchSize::Rows(16))
        .with_optimizer(optimizer)
        .with_learning_rate(learning_rate)
}

#[test]
fn every_optimizer_with_and_without_decay() {
    for (optimizer, learning_rate) in [
        (OptimizerConfig::sgd(), 0.3),
        (OptimizerConfig::momentum(0.9), 0.05),
        (OptimizerConfig::nesterov(0.9), 0.05),
        (OptimizerConfig::adam(), 0.01),
        (OptimizerConfig::adam_w(), 0.01),
        (OptimizerConfig::rms_prop(), 0.01),
        (
            OptimizerConfig::RmsProp {
                alpha: 0.99,
                epsilon: 1e-8,
                momentum: 0.8,
                weight_decay: 0.0,
            },
            0.002,
        ),
        (OptimizerConfig::ada_grad(), 0.05),
        (OptimizerConfig::adan(), 0.01),
    ] {
        check(config(optimizer, learning_rate));
        check(config(optimizer.with_weight_decay(0.05), learning_rate));
    }
}

#[test]
fn every_clipping() {
    for clipping in [GradientClipping::Norm(0.2), GradientClipping::Value(0.01)] {
        check(config(OptimizerConfig::sgd(), 0.3).with_clipping(clipping));
        check(config(OptimizerConfig::adam(), 0.01).with_clipping(clipping));
    }
}

#[test]
fn schedules_and_early_stopping() {
    check(config(OptimizerConfig::adam(), 0.01).with_schedule(Decay::cosine()));
    let stopping = EarlyStopping::default().with_patience(2);
    check(
        config(OptimizerConfig::adam(), 0.01).with_keep(Keep::Best).with_early_stopping(stopping),
    );
}

/// What the networks of a run say of themselves.
#[derive(Default)]
struct Networks {
    weights: Vec<Vec<(String, Vec<f32>)>>,
    gradients: Vec<Vec<(String, Vec<f32>)>>,
}

impl Observer for Networks {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        if let Event::Network(network) = event {
            self.weights.push(network.weights());
            self.gradients.push(network.gradients());
            assert_eq!(network.epoch(), self.weights.len());
            assert_eq!(network.confusion().unwrap().total(), 40);
        }
        Ok(())
    }
}

#[test]
fn gradients_are_those_of_burn() {
    fn networks<B: TrainBackend>(config: &TrainConfig) -> Networks {
        let (mut networks, device) = (Networks::default(), Default::default());
        let (train, valid) = (dataset(100, 0), Some(dataset(40, 1000)));
        fit::<B>(&model(), THREE, config, train, valid, &device, &mut [&mut networks]).unwrap();
        networks
    }
    // The last batch of an epoch is a short one: 100 rows by 16.
    let config = config(OptimizerConfig::adam(), 0.01)
        .with_clipping(GradientClipping::Value(0.01))
        .with_num_epochs(3);
    let (kernels, burn) =
        (networks::<Autodiff<Flex>>(&config), networks::<Autodiff<NdArray<f64>>>(&config));
    assert_eq!(kernels.gradients.len(), 3);
    let names: Vec<String> =
        model().with_seed(0).tensor_shapes().into_iter().map(|(name, _)| name).collect();
    for (kernels, burn) in kernels.gradients.iter().zip(&burn.gradients) {
        let (mut squares, mut off) = (0.0, 0.0);
        for (at, ((name, kernels), (same, burn))) in kernels.iter().zip(burn).enumerate() {
            assert_eq!((name, name), (same, &names[at]));
            assert_eq!(kernels.len(), burn.len(), "{name}");
            for (kernels, burn) in kernels.iter().zip(burn) {
                squares += burn.powi(2);
                off += (kernels - burn).powi(2);
            }
        }
        assert!(squares > 0.0 && off.sqrt() < 1e-4 * squares.sqrt(), "{off} {squares}");
    }
    // Asking changes nothing.
    let mut recorder = Recorder::new();
    let (train, valid, device) = (dataset(100, 0), Some(dataset(40, 1000)), Default::default());
    fit::<Autodiff<Flex>>(&model(), THREE, &config, train, valid, &device, &mut [&mut recorder])
        .unwrap();
    assert_eq!(kernels.weights.len(), recorder.epochs.len());
    assert_eq!(losses::<Autodiff<Flex>>(&config)[..recorder.losses.len()], recorder.losses);
}
