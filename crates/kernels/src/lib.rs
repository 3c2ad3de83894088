//! The CPU kernels behind Kiln's training and bulk prediction.
//!
//! Burn's operations each read and write whole tensors. Between them a step of training spends more
//! time on memory, allocation and bookkeeping than on arithmetic. Here a step is two phases. In the
//! first each thread takes some rows of the batch through the network and back; in the second each takes
//! some of the weights, computes their gradient, and updates them while it is in the cache. Weights lie in
//! memory as the products read them ([`Network`]).
//!
//! A [`Trainer`] gives the same numbers whatever the number of threads. [`KilnBackend`] says for which
//! backends it does the work.
//!
//! ```
//! use burn_flex::Flex;
//! use kiln_kernels::{Batch, Loss, Network, Optimizer, Targets, Trainer, TrainerConfig};
//! use kiln_model::{LossConfig, MlpConfig, Task};
//! use rand::SeedableRng;
//!
//! // The class is whether the only feature is positive.
//! let model = MlpConfig::new(1, 1).with_hidden(vec![8]).init::<Flex>(&Default::default())?;
//! let network = Network::of(&model).expect("no normalization");
//! let mut trainer = Trainer::new(
//!     network,
//!     TrainerConfig {
//!         loss: Loss::new(Task::Binary, &LossConfig::default())?,
//!         optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 },
//!         clipping: None,
//!         input_dropout: 0.0,
//!         dropout: 0.0,
//!         batch_size: 2,
//!     },
//! );
//! let batch = Batch::new(&[-1.0, 1.0], Targets::Classes(&[0, 1]), None, &[0, 1]);
//! let rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
//! let losses: Vec<f32> = (0..50).map(|_| trainer.step(&batch, 0.5, &rng)).collect();
//! assert!(losses[49] < 0.1 * losses[0]);
//! # Ok::<(), kiln_model::ModelError>(())
//! ```

mod activation;
mod backend;
mod batch;
mod elementary;
mod groups;
mod lane;
mod loss;
mod network;
mod optimizer;
mod product;
mod shard;
mod simd;
mod threads;
mod tile;
mod trainer;
mod update;

pub use backend::KilnBackend;
pub use batch::Batch;
pub use loss::{Loss, Targets};
pub use network::Network;
pub use optimizer::Optimizer;
pub use trainer::{DistributedStep, Trainer, TrainerConfig};
pub use update::Clipping;
