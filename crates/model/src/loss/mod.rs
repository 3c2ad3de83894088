//! The three cross-entropies. Each takes logits and returns one value per row.

mod binary;
mod categorical;
mod config;
mod mean;
mod sparse;

pub use binary::BinaryCrossEntropy;
pub use categorical::CategoricalCrossEntropy;
pub use config::LossConfig;
pub use mean::weighted_mean;
pub use sparse::SparseCategoricalCrossEntropy;
