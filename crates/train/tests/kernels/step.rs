//! The kernels compute what Burn's operations compute, in f64, for the same network.

use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData};
use burn_flex::Flex;
use burn_ndarray::NdArray;
use kiln_kernels::{Batch, Loss, Network, Optimizer, Targets, Trainer, TrainerConfig};
use kiln_model::{Activation, EmbeddingConfig, LossConfig, Mlp, MlpConfig, Task, weighted_mean};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Exact = Autodiff<NdArray<f64>>;

const ACTIVATIONS: [Activation; 11] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu { negative_slope: 0.01 },
    Activation::Gelu,
    Activation::Silu,
    Activation::Elu { alpha: 1.3 },
    Activation::Selu,
    Activation::Mish,
    Activation::Softplus,
    Activation::Tanh,
    Activation::Sigmoid,
];

/// Relative to the largest of both norms.
const TOLERANCE: f64 = 1e-6;

/// A step on some rows of a dataset.
struct Case {
    model: MlpConfig,
    task: Task,
    loss: LossConfig,
    /// Class indices, as against one number per output.
    classes: bool,
    weighted: bool,
    rows: usize,
}

struct Data {
    features: Vec<f32>,
    classes: Vec<u32>,
    dense: Vec<f32>,
    weights: Vec<f32>,
    /// More rows than are used, in an order of their own.
    order: Vec<u32>,
}

impl Case {
    fn data(&self) -> Data {
        let all = self.rows + 3;
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut draw = |count: usize| -> Vec<f32> {
            (0..count).map(|_| rng.next_u32() as f32 / u32::MAX as f32).collect()
        };
        let outputs = self.task.d_output();
        let dense_inputs = self.model.d_input - self.model.embeddings.len();
        let mut features: Vec<f32> = Vec::new();
        for row in draw(all * self.model.d_input).chunks(self.model.d_input) {
            features.extend(row[..dense_inputs].iter().map(|x| 4.0 * x - 2.0));
            let categories = row[dense_inputs..].iter().zip(&self.model.embeddings);
            features.extend(categories.map(|(x, e)| (x * e.num_categories as f32).floor()));
        }
        let num_classes = outputs.max(2) as f32;
        let classes = draw(all).iter().map(|x| (x * num_classes * 0.999) as u32).collect();
        let mut dense = draw(all * outputs);
        if matches!(self.task, Task::Multiclass { .. }) {
            for row in dense.chunks_mut(outputs) {
                let sum: f32 = row.iter().sum();
                row.iter_mut().for_each(|t| *t /= sum);
            }
        }
        let weights = draw(all).iter().map(|x| 0.1 + 2.0 * x).collect();
        let order = (0..self.rows as u32).rev().map(|row| row + 2).collect();
        Data { features, classes, dense, weights, order }
    }

    /// The loss and the gradient by the kernels.
    fn fused(&self, data: &Data) -> (f64, Vec<f64>) {
        // So large a step that the weights themselves vanish beside it: their change is the gradient.
        const RATE: f64 = 1e9;
        let start: Mlp<Flex> = self.model.init(&Default::default()).unwrap();
        let config = TrainerConfig {
            loss: Loss::new(self.task, &self.loss).unwrap(),
            optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 },
            clipping: None,
            input_dropout: self.model.input_dropout,
            dropout: self.model.dropout,
            batch_size: self.rows,
        };
        let mut trainer = Trainer::new(Network::of(&start).unwrap(), config);
        let targets = if self.classes {
            Targets::Classes(&data.classes)
        } else {
            Targets::Dense(&data.dense)
        };
        let weights = self.weighted.then_some(data.weights.as_slice());
        let batch = Batch::new(&data.features, targets, weights, &data.order);
        let loss = trainer.step(&batch, RATE, &rng());
        let end = trainer.network().to_model::<Flex>(&self.model, &Default::default()).unwrap();
        let moved = numbers(&end).into_iter().zip(numbers(&start));
        (f64::from(loss), moved.map(|(end, start)| (start - end) / RATE).collect())
    }

    /// The same by Burn, in f64.
    fn exact(&self, data: &Data) -> (f64, Vec<f64>) {
        let device = Default::default();
        let start: Mlp<Flex> = self.model.init(&device).unwrap();
        let tensors = start.tensors();
        let find = |name: &str| tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone());
        let model: Mlp<Exact> = self.model.from_tensors(find, &Default::default()).unwrap();
        let device = Default::default();
        let gather = |values: &[f32], width: usize| -> Tensor<Exact, 2> {
            let rows = data.order.iter().map(|row| *row as usize * width);
            let rows: Vec<f32> = rows.flat_map(|at| values[at..at + width].to_vec()).collect();
            Tensor::from_data(TensorData::new(rows, [self.rows, width]), &device)
        };
        let logits = model.forward_train(gather(&data.features, self.model.d_input), &mut rng());
        let outputs = self.task.d_output();
        let classes: Vec<f32> = data.classes.iter().map(|class| *class as f32).collect();
        let classes = || gather(&classes, 1);
        let losses = match (self.task, self.classes) {
            (Task::Multiclass { num_classes }, true) => {
                let loss = self.loss.init_sparse(num_classes, &device).unwrap();
                loss.forward(logits, classes().squeeze_dim::<1>(1).int())
            }
            (Task::Multiclass { num_classes }, false) => {
                let loss = self.loss.init_categorical(num_classes, &device).unwrap();
                loss.forward(logits, gather(&data.dense, outputs))
            }
            (_, of_classes) => {
                let loss = self.loss.init_binary(outputs, &device).unwrap();
                let dense = || gather(&data.dense, outputs);
                loss.forward(logits, if of_classes { classes() } else { dense() })
            }
        };
        let weights = self.weighted.then(|| gather(&data.weights, 1).squeeze_dim(1));
        let loss = weighted_mean(losses, weights);
        let value: f64 = loss.clone().into_scalar();
        (value, gradient(&model, &loss.backward()))
    }

    fn check(&self) {
        let data = self.data();
        let ((loss, gradient), (exact_loss, exact_gradient)) =
            (self.fused(&data), self.exact(&data));
        let error = (loss - exact_loss).abs() / exact_loss.abs();
        assert!(error <= TOLERANCE, "loss {loss}, not {exact_loss}: {error:e} in {self}");
        let norm = |numbers: &[f64]| numbers.iter().map(|x| x * x).sum::<f64>().sqrt();
        let difference: Vec<f64> =
            gradient.iter().zip(&exact_gradient).map(|(a, b)| a - b).collect();
        let error = norm(&difference) / norm(&exact_gradient).max(1e-30);
        assert_eq!(gradient.len(), exact_gradient.len());
        assert!(error <= TOLERANCE, "gradient off by {error:e} in {self}");
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { model, task, loss, classes, weighted, rows } = self;
        write!(
            f,
            "{rows} rows, {task:?}, classes {classes}, weighted {weighted}, {loss:?}, {model:?}"
        )
    }
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(3)
}

/// All weights, in the order of [`Mlp::tensors`].
fn numbers(model: &Mlp<Flex>) -> Vec<f64> {
    model
        .tensors()
        .into_iter()
        .flat_map(|(_, data)| data.iter::<f64>().collect::<Vec<_>>())
        .collect()
}

/// All gradients, in that order.
fn gradient(
    model: &Mlp<Exact>,
    gradients: &<Exact as burn::tensor::backend::AutodiffBackend>::Gradients,
) -> Vec<f64> {
    let of_embeddings = model.embeddings().map(|weight| {
        let gradient = weight.val().grad(gradients).unwrap();
        gradient.into_data().iter::<f64>().collect::<Vec<_>>()
    });
    let of_layers = model.layers().flat_map(|layer| {
        let weight = layer.weight.val().grad(gradients).unwrap().into_data();
        let bias = layer.bias.as_ref().unwrap().val().grad(gradients).unwrap().into_data();
        [weight, bias].map(|data| data.iter::<f64>().collect::<Vec<_>>())
    });
    of_embeddings.chain(of_layers).flatten().collect()
}

/// Each task with each form of its targets.
fn tasks() -> [(Task, bool); 6] {
    [
        (Task::Binary, true),
        (Task::Binary, false),
        (Task::MultiLabel { num_labels: 3 }, false),
        (Task::Multiclass { num_classes: 4 }, true),
        (Task::Multiclass { num_classes: 4 }, false),
        (Task::Multiclass { num_classes: 19 }, true),
    ]
}

fn case(task: Task, classes: bool, activation: Activation) -> Case {
    let model = MlpConfig::new(5, task.d_output())
        .with_hidden(vec![7, 18])
        .with_activation(activation)
        .with_seed(11);
    Case { model, task, loss: LossConfig::default(), classes, weighted: false, rows: 21 }
}

#[test]
fn every_activation_with_every_loss() {
    for activation in ACTIVATIONS {
        for (task, classes) in tasks() {
            case(task, classes, activation).check();
            let mut dropped = case(task, classes, activation);
            dropped.model.input_dropout = 0.2;
            dropped.model.dropout = 0.3;
            dropped.check();
        }
    }
}

#[test]
fn every_loss_with_smoothing_and_weights() {
    for (task, classes) in tasks() {
        let mut case = case(task, classes, Activation::Tanh);
        case.weighted = true;
        let outputs = task.d_output().max(2);
        let class_weights = (0..outputs).map(|class| 0.5 + class as f64 / 4.0).collect();
        case.loss =
            LossConfig::default().with_label_smoothing(0.1).with_class_weights(class_weights);
        if !matches!(task, Task::Multiclass { .. }) {
            let pos_weight = (0..task.d_output()).map(|label| 1.5 + label as f64).collect();
            case.loss = case.loss.with_pos_weight(pos_weight);
        }
        case.check();
    }
}

#[test]
fn every_size() {
    for rows in [1, 2, 6, 7, 15, 16, 17, 33, 100] {
        for (d_input, hidden) in [
            (1, vec![]),
            (1, vec![1]),
            (3, vec![16]),
            (16, vec![17, 1]),
            (17, vec![5, 6, 7]),
            (50, vec![31, 33]),
        ] {
            for task in [Task::Binary, Task::Multiclass { num_classes: 3 }] {
                let mut case = case(task, true, Activation::Gelu);
                case.model.d_input = d_input;
                case.model.hidden = hidden.clone();
                case.rows = rows;
                case.check();
            }
        }
    }
}

#[test]
fn embeddings() {
    for (d_input, hidden) in [(2, vec![]), (2, vec![5]), (7, vec![20, 3])] {
        let mut case = case(Task::Multiclass { num_classes: 3 }, true, Activation::Selu);
        case.model = MlpConfig { d_input, hidden, ..case.model }
            .with_embeddings(vec![EmbeddingConfig::new(4, 3), EmbeddingConfig::new(9, 20)]);
        case.check();
    }
}

#[test]
fn predictions() {
    for rows in [1, 2, 5, 95, 97, 200] {
        let mut case = case(Task::Multiclass { num_classes: 19 }, true, Activation::Silu);
        case.model = case.model.with_embeddings(vec![EmbeddingConfig::new(6, 2)]);
        case.rows = rows;
        let data = case.data();
        let model: Mlp<NdArray<f64>> = case.model.init(&Default::default()).unwrap();
        let width = case.model.d_input;
        let features = &data.features[..rows * width];
        let tensor = TensorData::new(features.to_vec(), [rows, width]);
        let exact = model.forward(Tensor::from_data(tensor, &Default::default()));
        let found = Network::of(&model).unwrap().logits(features);
        for (found, exact) in found.iter().zip(exact.into_data().iter::<f64>()) {
            assert!((f64::from(*found) - exact).abs() < 1e-5, "{found} {exact}");
        }
    }
}
