//! The losses against PyTorch and Keras (`reference/losses.py` made the numbers), against finite
//! differences, and against each other.

use burn::backend::Autodiff;
use burn::tensor::{
    Int, Tensor, TensorData,
    backend::{AutodiffBackend, Backend},
};
use burn_flex::Flex;
use burn_ndarray::NdArray;
use kiln_model::{LossConfig, weighted_mean};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize, Clone)]
struct Case {
    name: String,
    loss: String,
    logits: Vec<Vec<f64>>,
    targets: serde_json::Value,
    label_smoothing: f64,
    class_weights: Option<Vec<f64>>,
    pos_weight: Option<Vec<f64>>,
    row_weights: Option<Vec<f64>>,
    torch: Option<Values>,
    keras: Option<Values>,
}

#[derive(Deserialize, Clone, Debug)]
struct Values {
    per_row: Vec<f64>,
    mean: f64,
    gradient: Vec<Vec<f64>>,
}

fn matrix<B: Backend>(rows: &[Vec<f64>]) -> Tensor<B, 2> {
    let data = TensorData::new(rows.concat(), [rows.len(), rows[0].len()]);
    Tensor::from_data(data, &Default::default())
}

fn indices<B: Backend>(classes: &[i64]) -> Tensor<B, 1, Int> {
    Tensor::from_data(classes, &Default::default())
}

fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    tensor.into_data().iter().collect()
}

impl Case {
    fn losses<B: Backend>(&self, logits: Tensor<B, 2>) -> Tensor<B, 1> {
        let config = LossConfig {
            label_smoothing: self.label_smoothing,
            class_weights: self.class_weights.clone(),
            pos_weight: self.pos_weight.clone(),
        };
        let device = Default::default();
        let [_, width] = logits.dims();
        let dense = || -> Tensor<B, 2> {
            matrix(&serde_json::from_value::<Vec<Vec<f64>>>(self.targets.clone()).unwrap())
        };
        match self.loss.as_str() {
            "binary" => config.init_binary(width, &device).unwrap().forward(logits, dense()),
            "categorical" => {
                config.init_categorical(width, &device).unwrap().forward(logits, dense())
            }
            "sparse" => {
                let classes: Vec<i64> = serde_json::from_value(self.targets.clone()).unwrap();
                config.init_sparse(width, &device).unwrap().forward(logits, indices(&classes))
            }
            other => panic!("no loss is called {other}"),
        }
    }

    fn run<B: AutodiffBackend>(&self) -> Values {
        let logits = matrix::<B>(&self.logits).require_grad();
        let losses = self.losses(logits.clone());
        let weights = self
            .row_weights
            .as_ref()
            .map(|weights| Tensor::from_data(weights.as_slice(), &Default::default()));
        let mean = weighted_mean(losses.clone(), weights);
        let gradient = logits.grad(&mean.backward()).unwrap();
        let width = self.logits[0].len();
        Values {
            per_row: values(losses),
            mean: values(mean)[0],
            gradient: values(gradient).chunks(width).map(<[f64]>::to_vec).collect(),
        }
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str::<Reference>(include_str!("reference/losses.json")).unwrap().cases
}

/// `tolerance` is relative to the larger of 1 and the expected value.
fn assert_close(name: &str, found: &Values, expected: &Values, tolerance: f64) {
    let all = |v: &Values| [v.per_row.clone(), v.gradient.concat(), vec![v.mean]].concat();
    let (found, expected) = (all(found), all(expected));
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!(
            (found - expected).abs() <= tolerance * expected.abs().max(1.0),
            "{name}: {found} against {expected}"
        );
    }
}

fn assert_equals_references<B: AutodiffBackend>(tolerance: f64) {
    let (mut torch, mut keras) = (0, 0);
    for case in cases() {
        let found = case.run::<B>();
        if let Some(expected) = &case.torch {
            assert_close(&format!("{} (torch)", case.name), &found, expected, tolerance);
            torch += 1;
        }
        if let Some(expected) = &case.keras {
            assert_close(&format!("{} (keras)", case.name), &found, expected, tolerance);
            keras += 1;
        }
    }
    assert!(torch >= 40 && keras >= 20, "{torch} cases from PyTorch, {keras} from Keras");
}

#[test]
fn losses_and_gradients_equal_pytorch_and_keras_in_f64() {
    assert_equals_references::<Autodiff<NdArray<f64>>>(1e-12);
}

#[test]
fn losses_and_gradients_equal_pytorch_and_keras_in_f32() {
    assert_equals_references::<Autodiff<NdArray>>(1e-6);
    assert_equals_references::<Autodiff<Flex>>(1e-6);
}

#[test]
fn gradients_equal_central_differences() {
    let h = 1e-6;
    for case in cases().iter().filter(|case| !case.name.contains("extreme")) {
        let gradient = case.run::<Autodiff<NdArray<f64>>>().gradient;
        for (row, of_row) in gradient.iter().enumerate() {
            for (column, slope) in of_row.iter().enumerate() {
                let mean_at = |step: f64| {
                    let mut moved = case.clone();
                    moved.logits[row][column] += step;
                    moved.run::<Autodiff<NdArray<f64>>>().mean
                };
                let difference = (mean_at(h) - mean_at(-h)) / (2.0 * h);
                assert!(
                    (slope - difference).abs() < 1e-8,
                    "{} [{row}, {column}]: {slope} against {difference}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn losses_and_gradients_are_finite_at_a_billion() {
    for case in cases().iter().filter(|case| case.name.contains("extreme")) {
        assert!(case.logits.concat().iter().any(|z| z.abs() == 1e9), "{}", case.name);
        for found in [case.run::<Autodiff<NdArray>>(), case.run::<Autodiff<Flex>>()] {
            let all = [found.per_row, found.gradient.concat(), vec![found.mean]].concat();
            assert!(all.iter().all(|v| v.is_finite()), "{}: {all:?}", case.name);
        }
    }
}

#[test]
fn gradients_of_many_rows_are_exact_in_f32_too() {
    // Enough numbers for SIMD, whose short cuts the small cases above would not see.
    let (rows, classes) = (257, 11);
    let logits: Vec<Vec<f64>> = (0..rows)
        .map(|row| (0..classes).map(|c| f64::from(((row * 31 + c) as f32).sin() * 6.0)).collect())
        .collect();
    let indices: Vec<usize> = (0..rows).map(|row| row * 7 % classes).collect();
    let one_hot: Vec<Vec<f64>> = indices
        .iter()
        .map(|index| (0..classes).map(|c| f64::from(u8::from(c == *index))).collect())
        .collect();
    for (loss, targets) in [
        ("sparse", serde_json::json!(indices)),
        ("categorical", serde_json::json!(one_hot)),
        ("binary", serde_json::json!(one_hot)),
    ] {
        let case = Case {
            name: format!("{loss} of many rows"),
            loss: loss.to_owned(),
            logits: logits.clone(),
            targets,
            label_smoothing: 0.0,
            class_weights: None,
            pos_weight: None,
            row_weights: None,
            torch: None,
            keras: None,
        };
        let mut expected = case.run::<Autodiff<NdArray<f64>>>();
        let mut found = [case.run::<Autodiff<NdArray>>(), case.run::<Autodiff<Flex>>()];
        // Per row: the mean divides the gradient by the number of rows.
        for values in found.iter_mut().chain([&mut expected]) {
            values.gradient.iter_mut().flatten().for_each(|g| *g *= rows as f64);
        }
        for found in &found {
            assert_close(&case.name, found, &expected, 2e-6);
        }
        assert_eq!(
            case.run::<Autodiff<NdArray>>().gradient,
            case.run::<Autodiff<NdArray>>().gradient
        );
    }
}

#[test]
fn sparse_equals_categorical_on_one_hot() {
    let logits = vec![vec![0.2, -1.0, 3.0], vec![1e3, 0.0, -1e3], vec![0.0, 0.0, 0.0]];
    let (classes, one_hot) = ([2, 1, 0], [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]);
    for config in [
        LossConfig::default(),
        LossConfig::default().with_label_smoothing(0.2),
        LossConfig::default().with_class_weights(vec![0.5, 2.0, 3.0]),
        LossConfig::default().with_label_smoothing(0.2).with_class_weights(vec![0.5, 2.0, 3.0]),
    ] {
        let device = Default::default();
        let sparse = config.init_sparse::<NdArray<f64>>(3, &device).unwrap();
        let categorical = config.init_categorical::<NdArray<f64>>(3, &device).unwrap();
        let sparse = values(sparse.forward(matrix(&logits), indices(&classes)));
        let targets = matrix(&one_hot.map(|row| row.to_vec()));
        let categorical = values(categorical.forward(matrix(&logits), targets));
        for (sparse, categorical) in sparse.iter().zip(&categorical) {
            assert!((sparse - categorical).abs() <= 1e-12 * categorical.abs().max(1.0));
        }
    }
}

#[test]
fn binary_equals_sparse_on_two_classes() {
    // A logit z for the positive class is a softmax over the logits [0, z].
    let logits = [-3.0, -0.1, 0.0, 0.4, 25.0];
    let classes = [1, 0, 1, 0, 0];
    let config = LossConfig::default().with_class_weights(vec![0.7, 2.5]);
    let device = Default::default();
    let binary = config.init_binary::<NdArray<f64>>(1, &device).unwrap().forward(
        matrix(&logits.map(|z| vec![z])),
        matrix(&classes.map(|class| vec![class as f64])),
    );
    let sparse = config
        .init_sparse::<NdArray<f64>>(2, &device)
        .unwrap()
        .forward(matrix(&logits.map(|z| vec![0.0, z])), indices(&classes));
    for (binary, sparse) in values(binary).iter().zip(values(sparse)) {
        assert!((binary - sparse).abs() < 1e-12, "{binary} {sparse}");
    }
}

#[test]
fn pos_weight_of_a_binary_target_is_the_class_weight_of_its_positive_class() {
    let (logits, targets) = (matrix(&[vec![1.2], vec![-0.3]]), matrix(&[vec![1.0], vec![0.25]]));
    let losses = |config: LossConfig| {
        let loss = config.init_binary::<NdArray<f64>>(1, &Default::default()).unwrap();
        values(loss.forward(logits.clone(), targets.clone()))
    };
    assert_eq!(
        losses(LossConfig::default().with_pos_weight(vec![3.0])),
        losses(LossConfig::default().with_class_weights(vec![1.0, 3.0]))
    );
}

/// The loss of a row whose class is the first of two, as its logit falls from 30 to −30.
fn losses_from_right_to_wrong() -> [Vec<f64>; 3] {
    let logits: Vec<f64> = (-30..=30).rev().map(f64::from).collect();
    let rows: Vec<Vec<f64>> = logits.iter().map(|z| vec![*z, 0.0]).collect();
    let (config, device) = (LossConfig::default(), Default::default());
    let binary = config.init_binary::<NdArray<f64>>(1, &device).unwrap();
    let categorical = config.init_categorical::<NdArray<f64>>(2, &device).unwrap();
    let sparse = config.init_sparse::<NdArray<f64>>(2, &device).unwrap();
    let column: Vec<Vec<f64>> = logits.iter().map(|z| vec![*z]).collect();
    [
        values(binary.forward(matrix(&column), Tensor::ones([column.len(), 1], &device))),
        values(categorical.forward(matrix(&rows), matrix(&vec![vec![1.0, 0.0]; rows.len()]))),
        values(sparse.forward(matrix(&rows), indices(&vec![0; rows.len()]))),
    ]
}

#[test]
fn loss_goes_to_zero_as_the_prediction_reaches_the_target() {
    for losses in losses_from_right_to_wrong() {
        assert!(losses[0] < 1e-12, "{}", losses[0]);
    }
}

#[test]
fn loss_grows_as_the_prediction_leaves_the_target() {
    for losses in losses_from_right_to_wrong() {
        assert!(losses.windows(2).all(|pair| pair[0] < pair[1]));
        assert!((losses[60] - 30.0).abs() < 1e-9, "{}", losses[60]);
    }
}
