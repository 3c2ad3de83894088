//! Weights of networks that were trained elsewhere, as those of a [`kiln_model::Mlp`].
//!
//! [`Layers::recognise`] finds the layers of a multilayer perceptron among named tensors, as PyTorch
//! (`Linear`, `BatchNorm1d`, `LayerNorm`) and Keras (`Dense`, `BatchNormalization`, `LayerNormalization`) name
//! and lay them out. A [`Description`] says what weights do not contain, and makes a model file of them.
//!
//! ```
//! use burn::tensor::TensorData;
//! use burn_flex::Flex;
//! use kiln_import::Layers;
//! use kiln_model::Activation;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).state_dict()
//! let tensors = [
//!     ("0.weight".to_owned(), TensorData::from([[1.0_f32, 0.0], [0.0, 1.0], [1.0, 1.0]])),
//!     ("0.bias".to_owned(), TensorData::from([0.0_f32, 0.0, 0.5])),
//!     ("2.weight".to_owned(), TensorData::from([[1.0_f32, -1.0, 2.0]])),
//!     ("2.bias".to_owned(), TensorData::from([0.25_f32])),
//! ];
//! let layers = Layers::recognise(tensors.into(), None, None)?;
//! let config = layers.config().with_activation(Activation::Tanh);
//! let network = layers.network::<Flex>(&config, &Default::default())?;
//! assert_eq!((config.d_input, config.hidden, config.d_output), (2, vec![3], 1));
//! # let _ = network;
//! # Ok(())
//! # }
//! ```

mod description;
mod error;
mod layers;
mod module;
mod torch;
mod weights;

pub use description::{Description, Outputs, manifest_like};
pub use error::ImportError;
pub use layers::Layers;
pub use torch::read_torch;
pub use weights::read_weights;
