use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// Inverted dropout (Srivastava et al. 2014): each element is set to zero with probability `rate`
/// and divided by 1 − `rate` otherwise, so that the expected value stays.
///
/// The mask is drawn on the host. Burn's own layer draws from the backend's generator, whose seed
/// is one global of the process: the result would hang on what else has run.
pub(crate) fn dropout<B: Backend>(x: Tensor<B, 2>, rate: f64, rng: &mut impl Rng) -> Tensor<B, 2> {
    if rate == 0.0 {
        return x;
    }
    let [rows, width] = x.dims();
    let mut mask = vec![0.0; rows * width];
    fill_dropout_factors(rate, rng, &mut mask);
    masked(x, mask)
}

/// What [`dropout`] makes of the rows at `places` of a batch of `batch_rows`; the generator is behind the
/// whole batch afterwards.
pub(crate) fn dropout_part<B: Backend>(
    x: Tensor<B, 2>,
    rate: f64,
    rng: &mut ChaCha8Rng,
    places: &[u32],
    batch_rows: usize,
) -> Tensor<B, 2> {
    if rate == 0.0 {
        return x;
    }
    let (width, start) = (x.dims()[1], rng.get_word_pos());
    let mut mask = vec![0.0; places.len() * width];
    for (at, place) in places.iter().enumerate() {
        rng.set_word_pos(start + (*place as usize * width) as u128);
        fill_dropout_factors(rate, rng, &mut mask[at * width..][..width]);
    }
    rng.set_word_pos(start + (batch_rows * width) as u128);
    masked(x, mask)
}

pub(crate) fn masked<B: Backend>(x: Tensor<B, 2>, mask: Vec<f32>) -> Tensor<B, 2> {
    let (shape, device) = (x.dims(), x.device());
    x * Tensor::from_data(TensorData::new(mask, shape), &device)
}

/// Fills in what inverted dropout multiplies one number after the other by: 0 with probability `rate`, a fraction
/// in [0, 1), and 1 / (1 − `rate`) otherwise. Each takes one 32-bit word of the generator.
pub fn fill_dropout_factors(rate: f64, rng: &mut impl Rng, factors: &mut [f32]) {
    let keep = (1.0 / (1.0 - rate)) as f32;
    let threshold = (rate * f64::from(u32::MAX)) as u32;
    // Many words at a time take the generator a fraction of what they do one by one.
    let mut words = [0u32; 64];
    for factors in factors.chunks_mut(words.len()) {
        let words = &mut words[..factors.len()];
        rng.fill(words);
        for (factor, word) in factors.iter_mut().zip(words) {
            *factor = if *word < threshold { 0.0 } else { keep };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::init_rng;
    use burn_flex::Flex;

    #[test]
    fn each_factor_takes_a_word() {
        let (mut one_by_one, mut at_once) = (init_rng(1), init_rng(1));
        for count in [1, 63, 200, 5] {
            let mut factors = vec![0.0; count];
            fill_dropout_factors(0.4, &mut at_once, &mut factors);
            let threshold = (0.4 * f64::from(u32::MAX)) as u32;
            for factor in factors {
                assert_eq!(factor == 0.0, one_by_one.next_u32() < threshold);
            }
            assert_eq!(at_once.get_word_pos(), one_by_one.get_word_pos());
        }
    }

    #[test]
    fn a_part_drops_what_the_whole_drops_of_it() {
        let ones = |rows| Tensor::<Flex, 2>::ones([rows, 7], &Default::default());
        let (mut whole, mut part) = (init_rng(3), init_rng(3));
        for _ in 0..2 {
            let all: Vec<f32> = dropout(ones(9), 0.4, &mut whole).into_data().to_vec().unwrap();
            let some = dropout_part(ones(3), 0.4, &mut part, &[1, 2, 7], 9);
            let some: Vec<f32> = some.into_data().to_vec().unwrap();
            assert_eq!(some, [&all[7..21], &all[49..56]].concat());
        }
    }

    #[test]
    fn drops_the_stated_share_and_keeps_the_mean() {
        let x = Tensor::<Flex, 2>::ones([200, 100], &Default::default());
        let y: Vec<f64> = dropout(x, 0.3, &mut init_rng(0)).into_data().iter::<f64>().collect();
        let dropped = y.iter().filter(|v| **v == 0.0).count() as f64 / y.len() as f64;
        assert!((dropped - 0.3).abs() < 0.015, "{dropped}");
        assert!(y.iter().all(|v| *v == 0.0 || (v - 1.0 / 0.7).abs() < 1e-6));
    }
}
