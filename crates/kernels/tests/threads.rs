//! What is promised of whole runs: the number of threads changes nothing, and steps take no memory.

use burn_flex::Flex;
use kiln_kernels::{Batch, Clipping, Loss, Network, Optimizer, Targets, Trainer, TrainerConfig};
use kiln_model::{EmbeddingConfig, LossConfig, MlpConfig, Task};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 700;
const D_INPUT: usize = 40;

fn model() -> MlpConfig {
    MlpConfig::new(D_INPUT, 5)
        .with_hidden(vec![130, 70])
        .with_embeddings(vec![EmbeddingConfig::new(3, 4)])
}

fn trainer(batch_size: usize, clipping: Option<Clipping>) -> Trainer {
    let start = model().init::<Flex>(&Default::default()).unwrap();
    let loss = Loss::new(Task::Multiclass { num_classes: 5 }, &LossConfig::default()).unwrap();
    let optimizer = Optimizer::Adam {
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
        decoupled: false,
    };
    let config =
        TrainerConfig { loss, optimizer, clipping, input_dropout: 0.1, dropout: 0.2, batch_size };
    Trainer::new(Network::of(&start).unwrap(), config)
}

fn features() -> Vec<f32> {
    (0..ROWS * D_INPUT)
        .map(|at| if at % D_INPUT == D_INPUT - 1 { (at % 3) as f32 } else { (at as f32).sin() })
        .collect()
}

fn run(threads: usize, clipping: Option<Clipping>) -> (Vec<f32>, Vec<f32>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (features, classes) = (features(), (0..ROWS as u32).map(|row| row % 5).collect::<Vec<_>>());
    let order: Vec<u32> = (0..ROWS as u32).rev().collect();
    pool.install(|| {
        let mut trainer = trainer(600, clipping);
        let losses = (0..6)
            .map(|step| {
                // The last batch of an epoch is smaller.
                let rows = if step % 2 == 0 { &order[..600] } else { &order[600..] };
                let batch = Batch::new(&features, Targets::Classes(&classes), None, rows);
                trainer.step(&batch, 0.01, &ChaCha8Rng::seed_from_u64(step))
            })
            .collect();
        (losses, trainer.network().logits(&features))
    })
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    for clipping in [None, Some(Clipping::Value(1e-3)), Some(Clipping::Norm(0.05))] {
        let one = run(1, clipping);
        assert!(one.0[4] < one.0[0], "{:?}", one.0);
        for threads in [2, 3, 8] {
            assert_eq!(run(threads, clipping), one, "{threads} threads");
        }
    }
}

#[test]
fn a_step_of_one_thread_allocates_nothing() {
    let (features, classes) = (features(), vec![1; ROWS]);
    let order: Vec<u32> = (0..32).collect();
    let model = MlpConfig::new(D_INPUT, 5).with_hidden(vec![64, 64]);
    let network = Network::of(&model.init::<Flex>(&Default::default()).unwrap()).unwrap();
    let config = TrainerConfig {
        loss: Loss::new(Task::Multiclass { num_classes: 5 }, &LossConfig::default()).unwrap(),
        optimizer: Optimizer::Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.0 },
        clipping: None,
        input_dropout: 0.0,
        dropout: 0.1,
        batch_size: 32,
    };
    let mut trainer = Trainer::new(network, config);
    let batch = Batch::new(&features, Targets::Classes(&classes), None, &order);
    let rng = ChaCha8Rng::seed_from_u64(0);
    let mut step = || {
        trainer.step(&batch, 0.01, &rng);
    };
    // The first finds out what the processor can do.
    step();
    assert_eq!(allocation_counter::measure(step).count_total, 0);
}
