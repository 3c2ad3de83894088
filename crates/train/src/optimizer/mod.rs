mod record;

use std::str::FromStr;

use burn::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, AdanConfig, GradientsParams, Optimizer, RmsPropConfig,
    SgdConfig, decay::WeightDecayConfig, momentum::MomentumConfig,
};
use burn::tensor::backend::AutodiffBackend;
use kiln_model::Mlp;
use serde::{Deserialize, Serialize};

use crate::error::{TrainError, check};
pub(crate) use record::RecordError;

/// How a gradient becomes a change of the weights. The updates are Burn's.
///
/// | Name | Default values | Source |
/// |---|---|---|
/// | `Sgd` | momentum 0, plain, no decay | Robbins & Monro 1951; Sutskever et al. 2013 |
/// | `Adam` | β 0.9, 0.999, ε 1e-8 | Kingma & Ba 2015 (arXiv:1412.6980) |
/// | `AdamW` | β 0.9, 0.999, ε 1e-8, decay 0.01 | Loshchilov & Hutter 2019 (arXiv:1711.05101) |
/// | `RmsProp` | α 0.99, ε 1e-8, momentum 0 | Tieleman & Hinton 2012 |
/// | `AdaGrad` | ε 1e-10 | Duchi et al. 2011 |
/// | `Adan` | β 0.98, 0.92, 0.99, ε 1e-8 | Xie et al. 2022 (arXiv:2208.06677) |
///
/// The defaults are PyTorch's, not Burn's, whose ε is 1e-5 and whose momentum is dampened by 0.1.
/// `weight_decay` is an L2 penalty added to the gradient, but decoupled from it in `AdamW` and
/// `Adan`. It acts on weights and biases alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum OptimizerConfig {
    /// Gradient descent.
    Sgd {
        /// Share of the last step that goes on, in [0, 1).
        momentum: f64,
        /// Looks one step ahead; needs a momentum.
        nesterov: bool,
        /// ≥ 0.
        weight_decay: f64,
    },
    /// Adaptive moments.
    Adam {
        /// Memory of the mean gradient, in [0, 1).
        beta_1: f64,
        /// Memory of the mean squared gradient, in [0, 1).
        beta_2: f64,
        /// Added to the root of the latter, > 0.
        epsilon: f64,
        /// ≥ 0.
        weight_decay: f64,
    },
    /// Adam with decoupled weight decay.
    AdamW {
        /// Memory of the mean gradient, in [0, 1).
        beta_1: f64,
        /// Memory of the mean squared gradient, in [0, 1).
        beta_2: f64,
        /// Added to the root of the latter, > 0.
        epsilon: f64,
        /// ≥ 0.
        weight_decay: f64,
    },
    /// Steps divided by the root of the mean squared gradient.
    RmsProp {
        /// Memory of the mean squared gradient, in [0, 1).
        alpha: f64,
        /// Added to its root, > 0.
        epsilon: f64,
        /// Share of the last step that goes on, in [0, 1).
        momentum: f64,
        /// ≥ 0.
        weight_decay: f64,
    },
    /// Steps divided by the root of the sum of all squared gradients.
    AdaGrad {
        /// Added to that root, > 0.
        epsilon: f64,
        /// ≥ 0.
        weight_decay: f64,
    },
    /// Adaptive Nesterov momentum.
    Adan {
        /// Memory of the mean gradient, in [0, 1).
        beta_1: f64,
        /// Memory of the mean change of the gradient, in [0, 1).
        beta_2: f64,
        /// Memory of the mean squared gradient, in [0, 1).
        beta_3: f64,
        /// Added to the root of the latter, > 0.
        epsilon: f64,
        /// ≥ 0.
        weight_decay: f64,
    },
}

impl OptimizerConfig {
    /// Plain gradient descent.
    pub fn sgd() -> Self {
        Self::momentum(0.0)
    }

    /// Gradient descent with momentum, in [0, 1); 0.9 is usual.
    pub fn momentum(momentum: f64) -> Self {
        Self::Sgd { momentum, nesterov: false, weight_decay: 0.0 }
    }

    /// Gradient descent with Nesterov's momentum, in (0, 1); 0.9 is usual.
    pub fn nesterov(momentum: f64) -> Self {
        Self::Sgd { momentum, nesterov: true, weight_decay: 0.0 }
    }

    /// Adam with its usual constants.
    pub fn adam() -> Self {
        Self::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }

    /// AdamW with its usual constants.
    pub fn adam_w() -> Self {
        Self::AdamW { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }

    /// RMSprop with its usual constants.
    pub fn rms_prop() -> Self {
        Self::RmsProp { alpha: 0.99, epsilon: 1e-8, momentum: 0.0, weight_decay: 0.0 }
    }

    /// AdaGrad with its usual constants.
    pub fn ada_grad() -> Self {
        Self::AdaGrad { epsilon: 1e-10, weight_decay: 0.0 }
    }

    /// Adan with its usual constants.
    pub fn adan() -> Self {
        Self::Adan { beta_1: 0.98, beta_2: 0.92, beta_3: 0.99, epsilon: 1e-8, weight_decay: 0.0 }
    }

    pub(crate) fn validate(&self) -> Result<(), TrainError> {
        let (memories, epsilon, weight_decay) = match *self {
            Self::Sgd { momentum, nesterov, weight_decay } => {
                if nesterov && momentum == 0.0 {
                    let expected = "above 0 for Nesterov's momentum";
                    return Err(TrainError::field("optimizer.momentum", 0, expected));
                }
                (vec![("momentum", momentum)], 1.0, weight_decay)
            }
            Self::Adam { beta_1, beta_2, epsilon, weight_decay }
            | Self::AdamW { beta_1, beta_2, epsilon, weight_decay } => {
                (vec![("beta_1", beta_1), ("beta_2", beta_2)], epsilon, weight_decay)
            }
            Self::RmsProp { alpha, epsilon, momentum, weight_decay } => {
                (vec![("alpha", alpha), ("momentum", momentum)], epsilon, weight_decay)
            }
            Self::AdaGrad { epsilon, weight_decay } => (vec![], epsilon, weight_decay),
            Self::Adan { beta_1, beta_2, beta_3, epsilon, weight_decay } => {
                let memories = vec![("beta_1", beta_1), ("beta_2", beta_2), ("beta_3", beta_3)];
                (memories, epsilon, weight_decay)
            }
        };
        for (name, value) in memories {
            let in_range = (0.0..1.0).contains(&value);
            check(&format!("optimizer.{name}"), value, in_range, "a number in [0, 1)")?;
        }
        let in_range = epsilon > 0.0 && epsilon.is_finite();
        check("optimizer.epsilon", epsilon, in_range, "a finite number above 0")?;
        let in_range = weight_decay >= 0.0 && weight_decay.is_finite();
        check("optimizer.weight_decay", weight_decay, in_range, "a finite number, at least 0")
    }

    pub(crate) fn init<B: AutodiffBackend>(&self) -> Box<dyn Step<B>> {
        let decay = |penalty: f64| (penalty > 0.0).then(|| WeightDecayConfig::new(penalty as f32));
        match *self {
            Self::Sgd { momentum, nesterov, weight_decay } => Box::new(
                SgdConfig::new()
                    .with_weight_decay(decay(weight_decay))
                    .with_momentum((momentum > 0.0).then(|| {
                        MomentumConfig::new()
                            .with_momentum(momentum)
                            .with_dampening(0.0)
                            .with_nesterov(nesterov)
                    }))
                    .init::<B, Mlp<B>>(),
            ),
            Self::Adam { beta_1, beta_2, epsilon, weight_decay } => Box::new(
                AdamConfig::new()
                    .with_beta_1(beta_1 as f32)
                    .with_beta_2(beta_2 as f32)
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(decay(weight_decay))
                    .init::<B, Mlp<B>>(),
            ),
            Self::AdamW { beta_1, beta_2, epsilon, weight_decay } => Box::new(
                AdamWConfig::new()
                    .with_beta_1(beta_1 as f32)
                    .with_beta_2(beta_2 as f32)
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(weight_decay as f32)
                    .init::<B, Mlp<B>>(),
            ),
            Self::RmsProp { alpha, epsilon, momentum, weight_decay } => Box::new(
                RmsPropConfig::new()
                    .with_alpha(alpha as f32)
                    .with_epsilon(epsilon as f32)
                    .with_momentum(momentum as f32)
                    .with_weight_decay(decay(weight_decay))
                    .init::<B, Mlp<B>>(),
            ),
            Self::AdaGrad { epsilon, weight_decay } => Box::new(
                AdaGradConfig::new()
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(decay(weight_decay))
                    .init::<B, Mlp<B>>(),
            ),
            Self::Adan { beta_1, beta_2, beta_3, epsilon, weight_decay } => Box::new(
                AdanConfig::new()
                    .with_beta_1(beta_1 as f32)
                    .with_beta_2(beta_2 as f32)
                    .with_beta_3(beta_3 as f32)
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(weight_decay as f32)
                    .init::<B, Mlp<B>>(),
            ),
        }
    }
}

impl OptimizerConfig {
    /// The same rule, for the kernels.
    pub(crate) fn kernel(&self) -> kiln_kernels::Optimizer {
        use kiln_kernels::Optimizer;
        let adam = |beta_1: f64, beta_2: f64, epsilon: f64, weight_decay: f64, decoupled| {
            Optimizer::Adam {
                beta_1: beta_1 as f32,
                beta_2: beta_2 as f32,
                epsilon: epsilon as f32,
                weight_decay: weight_decay as f32,
                decoupled,
            }
        };
        match *self {
            Self::Sgd { momentum, nesterov, weight_decay } => Optimizer::Sgd {
                momentum: momentum as f32,
                nesterov,
                weight_decay: weight_decay as f32,
            },
            Self::Adam { beta_1, beta_2, epsilon, weight_decay } => {
                adam(beta_1, beta_2, epsilon, weight_decay, false)
            }
            Self::AdamW { beta_1, beta_2, epsilon, weight_decay } => {
                adam(beta_1, beta_2, epsilon, weight_decay, true)
            }
            Self::RmsProp { alpha, epsilon, momentum, weight_decay } => Optimizer::RmsProp {
                alpha: alpha as f32,
                epsilon: epsilon as f32,
                momentum: momentum as f32,
                weight_decay: weight_decay as f32,
            },
            Self::AdaGrad { epsilon, weight_decay } => {
                Optimizer::AdaGrad { epsilon: epsilon as f32, weight_decay: weight_decay as f32 }
            }
            Self::Adan { beta_1, beta_2, beta_3, epsilon, weight_decay } => Optimizer::Adan {
                beta_1: beta_1 as f32,
                beta_2: beta_2 as f32,
                beta_3: beta_3 as f32,
                epsilon: epsilon as f32,
                weight_decay: weight_decay as f32,
            },
        }
    }
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::adam()
    }
}

impl OptimizerConfig {
    /// The decay of the weights.
    pub fn weight_decay(&self) -> f64 {
        match self {
            Self::Sgd { weight_decay, .. }
            | Self::Adam { weight_decay, .. }
            | Self::AdamW { weight_decay, .. }
            | Self::RmsProp { weight_decay, .. }
            | Self::AdaGrad { weight_decay, .. }
            | Self::Adan { weight_decay, .. } => *weight_decay,
        }
    }

    /// The decay of the weights, ≥ 0, to be set.
    pub fn weight_decay_mut(&mut self) -> &mut f64 {
        match self {
            Self::Sgd { weight_decay, .. }
            | Self::Adam { weight_decay, .. }
            | Self::AdamW { weight_decay, .. }
            | Self::RmsProp { weight_decay, .. }
            | Self::AdaGrad { weight_decay, .. }
            | Self::Adan { weight_decay, .. } => weight_decay,
        }
    }

    /// Sets the decay of the weights, ≥ 0.
    pub fn with_weight_decay(mut self, decay: f64) -> Self {
        *self.weight_decay_mut() = decay;
        self
    }

    /// The name from which [`OptimizerConfig::from_str`] makes an optimizer of this kind.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd { nesterov: true, .. } => "nesterov",
            Self::Sgd { momentum, .. } if *momentum > 0.0 => "momentum",
            Self::Sgd { .. } => "sgd",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
            Self::RmsProp { .. } => "rmsprop",
            Self::AdaGrad { .. } => "adagrad",
            Self::Adan { .. } => "adan",
        }
    }
}

impl FromStr for OptimizerConfig {
    type Err = TrainError;

    /// `sgd`, `momentum`, `nesterov`, `adam`, `adamw`, `rmsprop`, `adagrad` or `adan`, each with its
    /// usual constants.
    fn from_str(name: &str) -> Result<Self, TrainError> {
        Ok(match name {
            "sgd" => Self::sgd(),
            "momentum" => Self::momentum(0.9),
            "nesterov" => Self::nesterov(0.9),
            "adam" => Self::adam(),
            "adamw" => Self::adam_w(),
            "rmsprop" => Self::rms_prop(),
            "adagrad" => Self::ada_grad(),
            "adan" => Self::adan(),
            other => {
                let expected = "sgd, momentum, nesterov, adam, adamw, rmsprop, adagrad or adan";
                return Err(TrainError::field("optimizer", format!("\"{other}\""), expected));
            }
        })
    }
}

/// Burn's `Optimizer`, made safe for `dyn`: each of its optimizers is a type of its own.
pub(crate) trait Step<B: AutodiffBackend>: Send {
    fn step(&mut self, learning_rate: f64, model: Mlp<B>, gradients: GradientsParams) -> Mlp<B>;

    /// What it keeps of the parameters of `model`.
    fn save(&self, model: &Mlp<B>) -> Vec<u8>;

    /// The optimizer with what [`Step::save`] has given; `model` has the same network.
    fn load(
        self: Box<Self>,
        saved: &[u8],
        model: &Mlp<B>,
        device: &B::Device,
    ) -> Result<Box<dyn Step<B>>, RecordError>;
}

impl<B: AutodiffBackend, O: Optimizer<Mlp<B>, B> + 'static> Step<B> for O {
    fn step(&mut self, learning_rate: f64, model: Mlp<B>, gradients: GradientsParams) -> Mlp<B> {
        Optimizer::step(self, learning_rate, model, gradients)
    }

    fn save(&self, model: &Mlp<B>) -> Vec<u8> {
        record::to_bytes(self.to_record(), model)
    }

    fn load(
        self: Box<Self>,
        saved: &[u8],
        model: &Mlp<B>,
        device: &B::Device,
    ) -> Result<Box<dyn Step<B>>, RecordError> {
        Ok(Box::new(self.load_record(record::from_bytes(saved, model, device)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::GradientClipping;
    use burn::backend::Autodiff;
    use burn::{
        module::{Module, ModuleMapper, Param},
        tensor::{Tensor, TensorData},
    };
    use burn_ndarray::NdArray;
    use kiln_model::MlpConfig;
    use std::collections::HashMap;

    type B = Autodiff<NdArray<f64>>;

    #[derive(Deserialize)]
    struct Reference {
        learning_rate: f64,
        start: Vec<f64>,
        gradients: Vec<Vec<f64>>,
        paths: HashMap<String, Vec<Vec<f64>>>,
    }

    struct Start(Vec<f64>);

    impl ModuleMapper<B> for Start {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            if D < 2 {
                return param;
            }
            let data = TensorData::new(self.0.clone(), param.shape());
            param.map(|tensor| Tensor::from_data(data, &tensor.device()).require_grad())
        }
    }

    /// Where five weights go under the gradients of the reference.
    fn path(
        reference: &Reference,
        config: OptimizerConfig,
        clipping: Option<GradientClipping>,
    ) -> Vec<Vec<f64>> {
        let model = MlpConfig::new(5, 1).init::<B>(&Default::default()).unwrap();
        let mut model = model.map(&mut Start(reference.start.clone()));
        let mut optimizer = config.init::<B>();
        let mut path = Vec::new();
        for gradient in &reference.gradients {
            let gradient = TensorData::new(gradient.clone(), [5, 1]);
            let gradient = Tensor::<NdArray<f64>, 2>::from_data(gradient, &Default::default());
            let mut gradients = GradientsParams::new();
            let id = model.layers().next().unwrap().weight.id;
            gradients.register::<NdArray<f64>, 2>(id, gradient);
            if let Some(clipping) = clipping {
                gradients = clipping.apply(&model, gradients);
            }
            model = optimizer.step(reference.learning_rate, model, gradients);
            let weights = model.layers().next().unwrap().weight.val();
            path.push(weights.into_data().iter().collect());
        }
        path
    }

    #[test]
    fn every_update_is_that_of_pytorch() {
        let reference: Reference =
            serde_json::from_str(include_str!("../../tests/reference/optimizers.json")).unwrap();
        let decay = 0.05;
        let mut adam_decay = OptimizerConfig::adam();
        if let OptimizerConfig::Adam { weight_decay, .. } = &mut adam_decay {
            *weight_decay = decay;
        }
        let sgd_decay =
            OptimizerConfig::Sgd { momentum: 0.9, nesterov: false, weight_decay: decay };
        let norm = Some(GradientClipping::Norm(1.0));
        let runs = [
            ("sgd", OptimizerConfig::sgd(), None),
            ("momentum", OptimizerConfig::momentum(0.9), None),
            ("nesterov", OptimizerConfig::nesterov(0.9), None),
            ("sgd_decay", sgd_decay, None),
            ("sgd_norm_1", OptimizerConfig::sgd(), norm),
            ("adam", OptimizerConfig::adam(), None),
            ("adam_decay", adam_decay, None),
            ("adamw", OptimizerConfig::adam_w(), None),
            ("rmsprop", OptimizerConfig::rms_prop(), None),
            ("adagrad", OptimizerConfig::ada_grad(), None),
        ];
        assert_eq!(runs.len(), reference.paths.len());
        for (name, config, clipping) in runs {
            let found = path(&reference, config, clipping).concat();
            for (found, expected) in found.iter().zip(reference.paths[name].concat()) {
                // Burn keeps its constants, β₂ = 0.999 for one, in f32.
                assert!((found - expected).abs() < 1e-5, "{name}: {found} against {expected}");
            }
        }
    }

    #[test]
    fn names_go_there_and_back() {
        for name in ["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "adan"] {
            let optimizer: OptimizerConfig = name.parse().unwrap();
            assert_eq!(optimizer.name(), name);
            assert_eq!(optimizer.with_weight_decay(0.25).weight_decay(), 0.25);
        }
    }
}
