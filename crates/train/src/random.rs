use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The dropout of an iteration, counted from 0. Each has 2³² words of the stream to itself, so that
/// a run that goes on from iteration n draws what it would have drawn.
pub(crate) fn dropout_rng(seed: u64, iteration: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from_be_bytes(*b"dropout\0"));
    rng.set_word_pos((iteration as u128) << 32);
    rng
}

/// The seed of a restart, counted from 0: the first has the run's own.
pub(crate) fn restart_seed(seed: u64, restart: usize) -> u64 {
    if restart == 0 {
        return seed;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from_be_bytes(*b"restart\0"));
    rng.set_word_pos((restart as u128) << 32);
    rng.next_u64()
}
