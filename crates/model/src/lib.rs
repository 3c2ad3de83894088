//! Multilayer perceptrons for classification, and their losses, on any Burn backend.
//!
//! A config is plain data; [`MlpConfig::init`] checks it and makes an [`Mlp`]; its
//! [`Mlp::forward`] turns features into logits; a loss turns logits and targets into one value
//! per row.
//!
//! ```
//! use burn::tensor::Tensor;
//! use burn_flex::Flex;
//! use kiln_model::{Initializer, LossConfig, MlpConfig, weighted_mean};
//!
//! let device = Default::default();
//! let config = MlpConfig::new(2, 3).with_hidden(vec![16]).with_initializer(Initializer::Zeros);
//! let model = config.init::<Flex>(&device)?;
//! let loss = LossConfig::default().init_sparse::<Flex>(3, &device)?;
//!
//! let features = Tensor::from_floats([[0.0, 1.0], [1.0, 0.0]], &device);
//! let logits = model.forward(features); // [2, 3]
//! let losses = loss.forward(logits, Tensor::from_ints([0, 2], &device)); // [2]
//! // A network that knows nothing gives each of three classes a third: ln 3.
//! assert!((weighted_mean(losses, None).into_scalar() - 1.0986).abs() < 1e-4);
//! # Ok::<(), kiln_model::ModelError>(())
//! ```

mod activation;
mod dropout;
mod embedding;
mod ensemble;
mod error;
mod initializer;
mod loss;
mod members;
mod mlp;
mod norm;
mod random;
mod stable;
mod task;
mod weights;

pub use activation::Activation;
pub use dropout::fill_dropout_factors;
pub use embedding::EmbeddingConfig;
pub use ensemble::{member_tensor_name, pooled_logits};
pub use error::ModelError;
pub use initializer::Initializer;
pub use loss::{
    BinaryCrossEntropy, CategoricalCrossEntropy, LossConfig, SparseCategoricalCrossEntropy,
    weighted_mean,
};
pub use members::forward_train_members;
pub use mlp::{Mlp, MlpConfig};
pub use norm::Normalization;
pub use task::Task;
