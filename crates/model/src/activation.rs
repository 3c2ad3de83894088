use std::str::FromStr;

use burn::tensor::{Tensor, activation, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::{ModelError, stable::softplus};

/// The non-linear function between two layers, applied to each element.
///
/// | Name | f(x) |
/// |---|---|
/// | `Identity` | x |
/// | `Relu` | max(x, 0) |
/// | `LeakyRelu` | x if x > 0, else `negative_slope`·x |
/// | `Gelu` | x·Φ(x), Φ the standard normal distribution function |
/// | `Silu` | x·sigmoid(x) |
/// | `Elu` | x if x > 0, else `alpha`·(eˣ − 1) |
/// | `Selu` | 1.0507·ELU(x) with alpha 1.67326 |
/// | `Mish` | x·tanh(softplus(x)) |
/// | `Softplus` | ln(1 + eˣ) |
/// | `Tanh` | tanh(x) |
/// | `Sigmoid` | 1 / (1 + e⁻ˣ) |
///
/// Sources: He et al. 2015 (arXiv:1502.01852), Hendrycks & Gimpel 2016 (arXiv:1606.08415),
/// Clevert et al. 2015 (arXiv:1511.07289), Klambauer et al. 2017 (arXiv:1706.02515),
/// Misra 2019 (arXiv:1908.08681).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Activation {
    /// x: a network of linear layers only.
    Identity,
    /// max(x, 0).
    #[default]
    Relu,
    /// x where positive, `negative_slope`·x elsewhere.
    LeakyRelu {
        /// Slope left of zero, a finite number; 0.01 is usual.
        negative_slope: f64,
    },
    /// x·Φ(x), with the exact error function.
    Gelu,
    /// x·sigmoid(x), also called swish.
    Silu,
    /// x where positive, `alpha`·(eˣ − 1) elsewhere.
    Elu {
        /// The limit to the left is −`alpha`; positive and finite, 1.0 is usual.
        alpha: f64,
    },
    /// The self-normalizing ELU.
    Selu,
    /// x·tanh(softplus(x)).
    Mish,
    /// ln(1 + eˣ), a smooth ReLU.
    Softplus,
    /// The hyperbolic tangent.
    Tanh,
    /// The logistic function.
    Sigmoid,
}

/// Each activation by name, those with a constant with the usual one.
const NAMES: [(&str, Activation); 11] = [
    ("relu", Activation::Relu),
    ("leaky_relu", Activation::LeakyRelu { negative_slope: 0.01 }),
    ("gelu", Activation::Gelu),
    ("silu", Activation::Silu),
    ("elu", Activation::Elu { alpha: 1.0 }),
    ("selu", Activation::Selu),
    ("mish", Activation::Mish),
    ("softplus", Activation::Softplus),
    ("tanh", Activation::Tanh),
    ("sigmoid", Activation::Sigmoid),
    ("identity", Activation::Identity),
];

impl FromStr for Activation {
    type Err = ModelError;

    /// `relu`, `leaky_relu`, `gelu`, `silu`, `elu`, `selu`, `mish`, `softplus`, `tanh`, `sigmoid` or
    /// `identity`; those with a constant get the usual one.
    fn from_str(name: &str) -> Result<Self, ModelError> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, activation)| *activation).ok_or_else(|| {
            let expected = format!("one of {}", NAMES.map(|(name, _)| name).join(", "));
            ModelError::field("activation", format!("\"{name}\""), expected)
        })
    }
}

impl Activation {
    /// SELU's `alpha` (Klambauer et al. 2017, equation 14).
    pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
    /// What SELU multiplies the ELU by (ibid.).
    pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

    /// The name from which [`Activation::from_str`] makes an activation of this kind.
    pub fn name(&self) -> &'static str {
        let same = |other: &Self| std::mem::discriminant(self) == std::mem::discriminant(other);
        let found = NAMES.iter().find(|(_, activation)| same(activation));
        found.map(|(name, _)| *name).expect("every activation has a name")
    }

    /// Applies the function to each element.
    ///
    /// Value and gradient are finite for every finite input up to ±1e9.
    ///
    /// # Shapes
    ///
    /// `[batch_size, width]` → `[batch_size, width]`
    pub fn forward<B: Backend>(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        match *self {
            Self::Identity => x,
            Self::Relu => activation::relu(x),
            Self::LeakyRelu { negative_slope } => activation::leaky_relu(x, negative_slope),
            Self::Gelu => gelu(x),
            Self::Silu => activation::silu(x),
            Self::Elu { alpha } => elu(x, alpha),
            Self::Selu => elu(x, Self::SELU_ALPHA).mul_scalar(Self::SELU_SCALE),
            Self::Mish => x.clone().mul(softplus(x).tanh()),
            Self::Softplus => softplus(x),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => activation::sigmoid(x),
        }
    }

    /// The factor by which weights must grow to make up for the variance that the function takes
    /// away. As `torch.nn.init.calculate_gain`, but 1 for SELU, whose paper asks for it.
    pub(crate) fn gain(&self) -> f64 {
        match *self {
            Self::Identity | Self::Sigmoid | Self::Selu => 1.0,
            Self::Tanh => 5.0 / 3.0,
            Self::LeakyRelu { negative_slope } => (2.0 / (1.0 + negative_slope.powi(2))).sqrt(),
            _ => std::f64::consts::SQRT_2,
        }
    }

    pub(crate) fn validate(&self) -> Result<(), ModelError> {
        match *self {
            Self::LeakyRelu { negative_slope } if !negative_slope.is_finite() => Err(
                ModelError::field("activation.negative_slope", negative_slope, "a finite number"),
            ),
            Self::Elu { alpha } if !(alpha.is_finite() && alpha > 0.0) => {
                Err(ModelError::field("activation.alpha", alpha, "a finite number above 0"))
            }
            _ => Ok(()),
        }
    }
}

// Burn's own gelu takes its slope from the tanh approximation, which is off by up to 4e-4.
fn gelu<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let twice_phi = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0);
    x.mul_scalar(0.5).mul(twice_phi)
}

// Burn's own elu and selu take exp(x) of large positive x on the branch that the mask
// throws away: the value is right, the gradient is 0·∞ = NaN from x = 89 on.
fn elu<B: Backend>(x: Tensor<B, 2>, alpha: f64) -> Tensor<B, 2> {
    let left = x.clone().clamp_max(0.0).exp().sub_scalar(1.0).mul_scalar(alpha);
    let mask = x.clone().lower_equal_elem(0.0);
    x.mask_where(mask, left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Autodiff;
    use burn_ndarray::NdArray;

    type B = Autodiff<NdArray<f64>>;

    const ALL: [Activation; 11] = [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu { negative_slope: 0.01 },
        Activation::Gelu,
        Activation::Silu,
        Activation::Elu { alpha: 1.3 },
        Activation::Selu,
        Activation::Mish,
        Activation::Softplus,
        Activation::Tanh,
        Activation::Sigmoid,
    ];

    fn value_and_slope<A: burn::tensor::backend::AutodiffBackend>(
        activation: Activation,
        x: &[f64],
    ) -> (Vec<f64>, Vec<f64>) {
        let device = Default::default();
        let data = burn::tensor::TensorData::new(x.to_vec(), [x.len(), 1]);
        let input = Tensor::<A, 2>::from_data(data, &device).require_grad();
        let output = activation.forward(input.clone());
        let grads = output.clone().sum().backward();
        let slope = input.grad(&grads).unwrap();
        (output.into_data().iter().collect(), slope.into_data().iter().collect())
    }

    #[test]
    fn slope_equals_central_difference() {
        let x = [-3.0, -1.1, -0.2, 0.3, 0.9, 2.5];
        for activation in ALL {
            // Burn takes every sigmoid in f32, also on an f64 backend: a wider step, a coarser bar.
            let (h, tolerance) = match activation {
                Activation::Sigmoid | Activation::Silu => (1e-2, 5e-5),
                _ => (1e-5, 1e-9),
            };
            let (_, slope) = value_and_slope::<B>(activation, &x);
            let (above, _) = value_and_slope::<B>(activation, &x.map(|v| v + h));
            let (below, _) = value_and_slope::<B>(activation, &x.map(|v| v - h));
            for i in 0..x.len() {
                let difference = (above[i] - below[i]) / (2.0 * h);
                assert!(
                    (slope[i] - difference).abs() < tolerance,
                    "{activation:?} at {}: {} against {difference}",
                    x[i],
                    slope[i]
                );
            }
        }
    }

    #[test]
    fn values_are_those_of_pytorch() {
        // torch.nn.functional.*(torch.tensor([-1.0, 2.0], dtype=torch.float64))
        let expected = [
            [-1.0, 2.0],
            [0.0, 2.0],
            [-0.01, 2.0],
            [-0.15865525393145707, 1.9544997361036416],
            [-0.2689414213699951, 1.7615941559557646],
            [-0.8217567264763759, 2.0],
            [-1.1113307378125625, 2.101401974710961],
            [-0.3034014613741089, 1.9439589595339946],
            [0.31326168751822286, 2.1269280110429727],
            [-0.7615941559557649, 0.9640275800758169],
            [0.2689414213699951, 0.8807970779778823],
        ];
        for (activation, expected) in ALL.into_iter().zip(expected) {
            let (value, _) = value_and_slope::<B>(activation, &[-1.0, 2.0]);
            for (value, expected) in value.into_iter().zip(expected) {
                assert!((value - expected).abs() < 2e-7, "{activation:?}: {value} {expected}");
            }
        }
    }

    #[test]
    fn values_and_slopes_stay_finite_far_from_zero() {
        for activation in ALL {
            let (value, slope) = value_and_slope::<Autodiff<burn_flex::Flex>>(
                activation,
                &[-1e9, -1e3, -100.0, 0.0, 100.0, 1e3, 1e9],
            );
            assert!(value.iter().chain(&slope).all(|v| v.is_finite()), "{activation:?} {slope:?}");
        }
    }

    #[test]
    fn names_go_there_and_back() {
        for (name, activation) in NAMES {
            assert_eq!((name.parse(), activation.name()), (Ok(activation), name));
        }
        assert_eq!(
            "rely".parse::<Activation>().unwrap_err().to_string(),
            "`activation` is \"rely\", expected one of relu, leaky_relu, gelu, silu, elu, selu, \
             mish, softplus, tanh, sigmoid, identity"
        );
    }
}
