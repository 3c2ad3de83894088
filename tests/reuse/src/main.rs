//! Trains exclusive or with `kiln-model` and nothing else of Kiln.

use burn::backend::{Autodiff, Flex};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::Tensor;
use kiln_model::{Activation, LossConfig, MlpConfig, ModelError, Task, weighted_mean};

type B = Autodiff<Flex>;

fn main() -> Result<(), ModelError> {
    let device = Default::default();
    let config = MlpConfig::new(2, 1).with_hidden(vec![8]).with_activation(Activation::Tanh);
    let mut model = config.init::<B>(&device)?;
    let loss = LossConfig::default().init_binary::<B>(1, &device)?;
    let mut adam = AdamConfig::new().init();

    let features = Tensor::<B, 2>::from_floats([[0., 0.], [0., 1.], [1., 0.], [1., 1.]], &device);
    let targets = Tensor::<B, 2>::from_floats([[0.], [1.], [1.], [0.]], &device);
    for _ in 0..200 {
        let losses = loss.forward(model.forward(features.clone()), targets.clone());
        let gradients = weighted_mean(losses, None).backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = adam.step(0.05, model, gradients);
    }

    let decisions = Task::Binary.decide(model.forward(features));
    let decisions: Vec<i64> = decisions.into_data().iter().collect();
    println!("0⊕0 = {}, 0⊕1 = {}, 1⊕0 = {}, 1⊕1 = {}", decisions[0], decisions[1], decisions[2], decisions[3]);
    assert_eq!(decisions, [0, 1, 1, 0]);
    Ok(())
}
