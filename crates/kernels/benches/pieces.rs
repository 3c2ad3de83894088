//! The kernels one by one: `cargo bench -p kiln-kernels`. Throughput is in rows.

use burn_flex::Flex;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kiln_kernels::{Batch, Loss, Network, Optimizer, Targets, Trainer, TrainerConfig};
use kiln_model::{LossConfig, MlpConfig, Task};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ADAM: Optimizer = Optimizer::Adam {
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
    weight_decay: 0.0,
    decoupled: false,
};

/// Adam on the networks and batches that `benches/compare` has.
fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    for (layers, batch_size) in [
        (&[30, 64, 64, 2][..], 32),
        (&[784, 64, 10], 32),
        (&[784, 128, 64, 10], 64),
        (&[784, 512, 256, 10], 128),
        (&[784, 1024, 1024, 1024, 10], 256),
    ] {
        group.throughput(Throughput::Elements(batch_size as u64));
        let id = BenchmarkId::from_parameter(format!("{layers:?} {batch_size}"));
        // Where `fit` trains.
        group.bench_function(id, |bencher| {
            rayon::scope(|_| {
                let mut steps = Steps::new(layers, ADAM, batch_size);
                bencher.iter(|| steps.next());
            });
        });
    }
}

/// One row, so that little is done besides.
fn optimizer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("optimizer, 535,818 parameters");
    for (name, optimizer) in [
        ("sgd", Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 }),
        ("momentum", Optimizer::Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.0 }),
        ("adam", ADAM),
        ("adagrad", Optimizer::AdaGrad { epsilon: 1e-8, weight_decay: 0.0 }),
    ] {
        let mut steps = Steps::new(&[784, 512, 256, 10], optimizer, 1);
        group.bench_function(name, |bencher| bencher.iter(|| steps.next()));
    }
}

fn predict(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("predict 784-512-256-10");
    let network = network(&[784, 512, 256, 10]);
    for rows in [1, 2, 4, 32, 1_000] {
        group.throughput(Throughput::Elements(rows as u64));
        let features = uniform(rows * 784);
        group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
            bencher.iter(|| network.logits(&features));
        });
    }
}

fn loss(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("loss");
    const ROWS: usize = 1_000;
    group.throughput(Throughput::Elements(ROWS as u64));
    for num_classes in [2, 10, 100] {
        let task = Task::Multiclass { num_classes };
        let loss = Loss::new(task, &LossConfig::default()).expect("the default");
        let (logits, classes) = (uniform(ROWS * num_classes), classes(ROWS, num_classes));
        group.bench_function(BenchmarkId::new("classes", num_classes), |bencher| {
            bencher.iter(|| loss.of_rows(&logits, Targets::Classes(&classes)));
        });
    }
}

/// A run that begins again when the rows are used up.
struct Steps {
    trainer: Trainer,
    features: Vec<f32>,
    classes: Vec<u32>,
    order: Vec<u32>,
    batch_size: usize,
    taken: usize,
}

impl Steps {
    fn new(layers: &[usize], optimizer: Optimizer, batch_size: usize) -> Self {
        // More than a batch, for rows come from memory.
        let rows = 20_000;
        let (d_input, d_output) = (layers[0], layers[layers.len() - 1]);
        let task = Task::Multiclass { num_classes: d_output };
        let config = TrainerConfig {
            loss: Loss::new(task, &LossConfig::default()).expect("the default"),
            optimizer,
            clipping: None,
            input_dropout: 0.0,
            dropout: 0.0,
            batch_size,
        };
        Self {
            trainer: Trainer::new(network(layers), config),
            features: uniform(rows * d_input),
            classes: classes(rows, d_output),
            order: classes(rows, rows),
            batch_size,
            taken: 0,
        }
    }

    fn next(&mut self) -> f32 {
        if self.taken + self.batch_size > self.order.len() {
            self.taken = 0;
        }
        let rows = &self.order[self.taken..][..self.batch_size];
        self.taken += self.batch_size;
        let batch = Batch::new(&self.features, Targets::Classes(&self.classes), None, rows);
        self.trainer.step(&batch, 1e-3, &random())
    }
}

fn network(layers: &[usize]) -> Network {
    let [d_input, hidden @ .., d_output] = layers else { panic!("an input and an output") };
    let config = MlpConfig::new(*d_input, *d_output).with_hidden(hidden.to_vec());
    let model = config.init::<Flex>(&Default::default()).expect("in range");
    Network::of(&model).expect("no normalization")
}

fn uniform(len: usize) -> Vec<f32> {
    let mut random = random();
    (0..len).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn classes(rows: usize, num_classes: usize) -> Vec<u32> {
    let mut random = random();
    (0..rows).map(|_| random.random_range(0..num_classes as u32)).collect()
}

fn random() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(0)
}

criterion_group!(pieces, step, optimizer, predict, loss);
criterion_main!(pieces);
