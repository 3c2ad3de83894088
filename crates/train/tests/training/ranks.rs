//! Several processes, here threads, train what one trains.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use kiln_model::{EmbeddingConfig, MlpConfig, Normalization};
use kiln_train::{
    BatchSize, Checkpoints, Event, Every, Observer, OptimizerConfig, Recorder, TrainConfig,
    TrainData, TrainError,
};

use crate::threads::{alone, config, dataset, ends_as, on_ranks, weights};

fn model() -> MlpConfig {
    MlpConfig::new(3, 3)
        .with_hidden(vec![19, 5])
        .with_embeddings(vec![EmbeddingConfig::new(4, 2)])
        .with_input_dropout(0.2)
        .with_dropout(0.2)
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
                let found = on_ranks(size, &model, &config, &train, None, &mut recorder);
                ends_as(&expected, &found, 1e-5);
                assert_eq!(recorder.epochs.len(), expected.history.len());
            }
        }
    }
}

#[test]
fn statistics_of_batch_normalization_are_the_same_on_all_ranks() {
    let model = model().with_normalization(Normalization::Batch);
    let train = |_| TrainData::from(dataset(37 * 4 + 2));
    let found = on_ranks(3, &model, &config(), &train, None, &mut Recorder::new());
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
            let found = on_ranks(size, &model, &config(), &train, Some(&mut checkpoints), observer);
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
    let found = on_ranks(3, &model(), &config(), &train, None, &mut Recorder::new());
    for outcome in found {
        let error = outcome.unwrap_err().to_string();
        assert_eq!(error, "the data and settings of rank 1 are not those of rank 0");
    }
}

#[test]
fn more_ranks_than_parts_of_a_batch_are_refused() {
    let train = |_| TrainData::from(dataset(150));
    let found = on_ranks(33, &model(), &config(), &train, None, &mut Recorder::new());
    for outcome in found {
        assert_eq!(outcome.unwrap_err().to_string(), "`ranks` is 33, expected at most 32");
    }
}

#[test]
fn a_loss_that_diverges_ends_all_ranks() {
    let sgd = OptimizerConfig::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let config = TrainConfig::new().with_optimizer(sgd).with_learning_rate(1e30);
    let train = |_| TrainData::from(dataset(150));
    for outcome in on_ranks(2, &model(), &config, &train, None, &mut Recorder::new()) {
        assert!(matches!(outcome, Err(TrainError::Diverged { .. })));
    }
}
