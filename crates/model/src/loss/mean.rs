use burn::tensor::{Tensor, backend::Backend};

/// The mean over the rows of a batch: Σ wᵢ·lᵢ / Σ wᵢ, with all weights 1 where there are none.
/// Zero if all weights are.
///
/// # Shapes
///
/// losses, weights: `[batch_size]`, result: `[1]`
pub fn weighted_mean<B: Backend>(
    losses: Tensor<B, 1>,
    weights: Option<Tensor<B, 1>>,
) -> Tensor<B, 1> {
    match weights {
        None => losses.mean(),
        // A batch may by chance hold rows of weight 0 only; they ask for no update.
        Some(weights) => {
            let sum = weights.clone().sum().clamp_min(f32::MIN_POSITIVE);
            (losses * (weights / sum)).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_flex::Flex;

    #[test]
    fn weights_count_rows() {
        let losses = Tensor::<Flex, 1>::from_floats([1.0, 2.0, 6.0], &Default::default());
        let weights = |w: [f32; 3]| Some(Tensor::from_floats(w, &Default::default()));
        let mean = |weights| weighted_mean(losses.clone(), weights).into_scalar();
        assert_eq!(mean(None), 3.0);
        assert!((mean(weights([2.0, 1.0, 0.0])) - 4.0 / 3.0).abs() < 1e-6);
        assert_eq!(mean(weights([0.0, 0.0, 0.0])), 0.0);
    }
}
