use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::{Activation, ModelError};

/// How the weights of a layer are drawn before training; biases start at zero.
///
/// `fan_in` and `fan_out` are the layer's input and output widths, `gain` belongs to the
/// activation that follows (√2 for ReLU, 5/3 for tanh, 1 for SELU and for the output layer).
///
/// | Name | Distribution | Source |
/// |---|---|---|
/// | `KaimingUniform` | U(−a, a), a = gain·√(3 / fan_in) | He et al. 2015 |
/// | `KaimingNormal` | N(0, gain² / fan_in) | He et al. 2015 |
/// | `XavierUniform` | U(−a, a), a = gain·√(6 / (fan_in + fan_out)) | Glorot & Bengio 2010 |
/// | `XavierNormal` | N(0, gain²·2 / (fan_in + fan_out)) | Glorot & Bengio 2010 |
/// | `Uniform` | U(−`limit`, `limit`) | |
/// | `Normal` | N(0, `std`²) | |
/// | `Zeros` | 0 | |
///
/// Numbers are drawn on the host from ChaCha8, so one seed means the same weights on every
/// backend. With `Zeros` all units of a hidden layer stay equal for ever; it is of use for linear
/// models (`hidden` empty) and for tests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Initializer {
    /// Uniform, scaled by `fan_in`.
    KaimingUniform,
    /// Normal, scaled by `fan_in`.
    KaimingNormal,
    /// Uniform, scaled by `fan_in + fan_out`.
    XavierUniform,
    /// Normal, scaled by `fan_in + fan_out`.
    XavierNormal,
    /// Uniform between −`limit` and `limit`.
    Uniform {
        /// Positive and finite.
        limit: f64,
    },
    /// Normal around 0.
    Normal {
        /// Standard deviation, positive and finite.
        std: f64,
    },
    /// All zero.
    Zeros,
}

impl Initializer {
    /// Draws the weights of one layer.
    ///
    /// # Shapes
    ///
    /// `[fan_in, fan_out]`
    pub(crate) fn weights<B: Backend>(
        &self,
        [fan_in, fan_out]: [usize; 2],
        activation: Activation,
        rng: &mut impl Rng,
        device: &B::Device,
    ) -> Tensor<B, 2> {
        let gain = activation.gain();
        let (n_in, n_out) = (fan_in as f64, fan_out as f64);
        let len = fan_in * fan_out;
        let values = match *self {
            Self::KaimingUniform => uniform(len, gain * (3.0 / n_in).sqrt(), rng),
            Self::KaimingNormal => normal(len, gain / n_in.sqrt(), rng),
            Self::XavierUniform => uniform(len, gain * (6.0 / (n_in + n_out)).sqrt(), rng),
            Self::XavierNormal => normal(len, gain * (2.0 / (n_in + n_out)).sqrt(), rng),
            Self::Uniform { limit } => uniform(len, limit, rng),
            Self::Normal { std } => normal(len, std, rng),
            Self::Zeros => vec![0.0; len],
        };
        Tensor::from_data(TensorData::new(values, [fan_in, fan_out]), device)
    }

    pub(crate) fn validate(&self) -> Result<(), ModelError> {
        let (field, value) = match *self {
            Self::Uniform { limit } => ("initializer.limit", limit),
            Self::Normal { std } => ("initializer.std", std),
            _ => return Ok(()),
        };
        if value.is_finite() && value > 0.0 {
            Ok(())
        } else {
            Err(ModelError::field(field, value, "a finite number above 0"))
        }
    }
}

impl Activation {
    /// The initial weights which keep the variance of the signal steady through layers with this
    /// activation: Kaiming for the rectifiers, Xavier for the saturating functions, LeCun's
    /// (Kaiming with gain 1) for SELU.
    pub fn default_initializer(&self) -> Initializer {
        match self {
            Self::Identity | Self::Tanh | Self::Sigmoid => Initializer::XavierUniform,
            Self::Selu => Initializer::KaimingNormal,
            _ => Initializer::KaimingUniform,
        }
    }
}

fn uniform(len: usize, limit: f64, rng: &mut impl Rng) -> Vec<f32> {
    (0..len).map(|_| ((2.0 * rng.random::<f64>() - 1.0) * limit) as f32).collect()
}

// Box & Muller 1958; 1 − u keeps the logarithm's argument above zero.
fn normal(len: usize, std: f64, rng: &mut impl Rng) -> Vec<f32> {
    let mut values = Vec::with_capacity(len + 1);
    while values.len() < len {
        let radius = std * (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        values.extend([(radius * cos) as f32, (radius * sin) as f32]);
    }
    values.truncate(len);
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::init_rng;
    use burn_flex::Flex;

    fn moments(initializer: Initializer, activation: Activation) -> (f64, f64, f64) {
        let weights = initializer.weights::<Flex>(
            [300, 200],
            activation,
            &mut init_rng(1),
            &Default::default(),
        );
        let values: Vec<f64> = weights.into_data().iter().collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        (mean, variance.sqrt(), values.iter().fold(0.0, |max, v| v.abs().max(max)))
    }

    #[test]
    fn spread_is_that_of_the_formula() {
        let (relu, tanh) = (Activation::Relu, Activation::Tanh);
        for (initializer, activation, std) in [
            (Initializer::KaimingUniform, relu, (2.0_f64 / 300.0).sqrt()),
            (Initializer::KaimingNormal, relu, (2.0_f64 / 300.0).sqrt()),
            (Initializer::XavierUniform, tanh, 5.0 / 3.0 * (2.0_f64 / 500.0).sqrt()),
            (Initializer::XavierNormal, tanh, 5.0 / 3.0 * (2.0_f64 / 500.0).sqrt()),
            (Initializer::Uniform { limit: 0.3 }, relu, 0.3 / 3.0_f64.sqrt()),
            (Initializer::Normal { std: 0.02 }, relu, 0.02),
            (Initializer::Zeros, relu, 0.0),
        ] {
            let (mean, found, _) = moments(initializer, activation);
            // 60,000 draws: five standard errors of the mean and of the deviation.
            assert!(mean.abs() <= 5.0 * std / 60_000_f64.sqrt(), "{initializer:?} mean {mean}");
            assert!((found - std).abs() <= 0.015 * std, "{initializer:?} {found} against {std}");
        }
    }

    #[test]
    fn uniform_stays_within_its_limit() {
        let (_, _, max) = moments(Initializer::Uniform { limit: 0.3 }, Activation::Relu);
        assert!(max <= 0.3 && max > 0.299, "{max}");
    }
}
