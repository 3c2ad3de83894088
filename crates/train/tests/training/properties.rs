//! What holds for all data, tried on random ones.

use burn::backend::Autodiff;
use burn_flex::Flex;
use kiln_data::{Dataset, Targets};
use kiln_model::{LossConfig, MlpConfig, Task};
use kiln_train::{BatchSize, Evaluation, OptimizerConfig, Predictions, TrainConfig, fit, predict};
use proptest::{collection::vec, prelude::*};

const TASK: Task = Task::Multiclass { num_classes: 3 };

fn dataset(features: &[f32], classes: &[u32]) -> Dataset {
    let targets = Targets::Classes { indices: classes.to_vec(), num_classes: 3 };
    Dataset::new(features.to_vec(), 2, targets).unwrap()
}

/// The items of `values`, in rows of `width`, in another order.
fn reordered<T: Copy>(values: &[T], width: usize, order: &[usize]) -> Vec<T> {
    order.iter().flat_map(|row| values[row * width..][..width].to_vec()).collect()
}

fn assert_close(a: f64, b: f64) -> Result<(), TestCaseError> {
    prop_assert!((a - b).abs() <= 1e-9 * (1.0 + a.abs()) || (a.is_nan() && b.is_nan()), "{a} {b}");
    Ok(())
}

/// Some rows: features, logits, classes, and an order of them.
fn rows() -> impl Strategy<Value = (Vec<f32>, Vec<f32>, Vec<u32>, Vec<usize>)> {
    (1..60_usize).prop_flat_map(|rows| {
        let order = Just((0..rows).collect::<Vec<_>>()).prop_shuffle();
        // Few different logits, so that some are equal.
        let logits = vec((-8..8_i8).prop_map(|logit| f32::from(logit) / 2.0), 3 * rows);
        (vec(-3.0..3.0_f32, 2 * rows), logits, vec(0..3_u32, rows), order)
    })
}

proptest! {
    #[test]
    fn metrics_do_not_depend_on_the_order_of_rows((features, logits, classes, order) in rows()) {
        let evaluation = |features: &[f32], logits: &[f32], classes: &[u32]| {
            let argmax = |row: &[f32]| {
                (0..3).rev().max_by(|a, b| row[*a as usize].total_cmp(&row[*b as usize])).unwrap()
            };
            let predictions = Predictions {
                logits: logits.to_vec(),
                losses: logits.chunks(3).map(|row| row[0].abs()).collect(),
                decisions: logits.chunks(3).map(argmax).collect(),
            };
            Evaluation::new(TASK, &dataset(features, classes), &predictions)
        };
        let a = evaluation(&features, &logits, &classes);
        let b = evaluation(
            &reordered(&features, 2, &order),
            &reordered(&logits, 3, &order),
            &reordered(&classes, 1, &order),
        );
        prop_assert_eq!(&a.confusion, &b.confusion);
        prop_assert_eq!((a.rows, a.accuracy), (b.rows, b.accuracy));
        prop_assert_eq!(a.balanced_accuracy, b.balanced_accuracy);
        prop_assert_eq!(a.macro_f1, b.macro_f1);
        prop_assert_eq!(&a.top_k_accuracy, &b.top_k_accuracy);
        for (a, b) in [
            (a.loss, b.loss),
            (a.log_loss, b.log_loss),
            (a.brier, b.brier),
            (a.calibration_error, b.calibration_error),
            (a.roc_auc.unwrap_or(-1.0), b.roc_auc.unwrap_or(-1.0)),
            (a.pr_auc.unwrap_or(-1.0), b.pr_auc.unwrap_or(-1.0)),
        ] {
            assert_close(a, b)?;
        }
    }

    #[test]
    fn a_weight_of_2_is_a_row_that_is_there_twice(
        (features, _, classes, _) in rows(),
        twice in vec(any::<bool>(), 60),
        seed: u64,
    ) {
        let rows = classes.len();
        let weights = (0..rows).map(|row| if twice[row] { 2.0 } else { 1.0 }).collect();
        let weighted = dataset(&features, &classes).with_weights(weights).unwrap();
        let again = (0..rows).filter(|row| twice[*row]);
        let order: Vec<usize> = (0..rows).chain(again).collect();
        let doubled = dataset(&reordered(&features, 2, &order), &reordered(&classes, 1, &order));

        let model = MlpConfig::new(2, 3).with_hidden(vec![4]);
        let config = TrainConfig::new()
            .with_batch_size(BatchSize::All)
            .with_optimizer(OptimizerConfig::sgd())
            .with_learning_rate(0.1)
            .with_num_epochs(3)
            .with_seed(seed);
        let trained = [&weighted, &doubled].map(|data| {
            let device = Default::default();
            let data = data.clone();
            fit::<Autodiff<Flex>>(&model, TASK, &config, data, None, &device, &mut []).unwrap()
        });
        let [a, b] = [0, 1].map(|at| trained[at].model.tensors());
        for ((name, a), (_, b)) in a.iter().zip(&b) {
            for (a, b) in a.iter::<f32>().zip(b.iter::<f32>()) {
                prop_assert!((a - b).abs() < 1e-5, "{name}: {a} {b}");
            }
        }
        let loss = |data: &Dataset| {
            let loss = LossConfig::default();
            let predictions =
                predict(&trained[0].model, TASK, &loss, data, &Default::default()).unwrap();
            Evaluation::new(TASK, data, &predictions).loss
        };
        let (a, b) = (loss(&weighted), loss(&doubled));
        prop_assert!((a - b).abs() < 1e-6 * (1.0 + a), "{a} {b}");
    }
}
