use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The dropout of an iteration, counted from 0: a run that goes on from there draws what it would
/// have drawn.
pub(crate) fn dropout_rng(seed: u64, iteration: usize) -> ChaCha8Rng {
    stream(seed, *b"dropout\0", iteration)
}

/// The rows of a bootstrap resample, counted from 0.
pub(crate) fn bootstrap_rng(seed: u64, resample: usize) -> ChaCha8Rng {
    stream(seed, *b"bootstrp", resample)
}

/// The order into which a feature's values are put, by the number of the feature and repeat.
pub(crate) fn importance_rng(seed: u64, index: usize) -> ChaCha8Rng {
    stream(seed, *b"permute\0", index)
}

/// The seed of a restart, counted from 0: the first has the run's own.
pub(crate) fn restart_seed(seed: u64, restart: usize) -> u64 {
    match restart {
        0 => seed,
        restart => stream(seed, *b"restart\0", restart).next_u64(),
    }
}

/// The seed of a network of an ensemble, counted from 0: the first has that of a single one.
pub(crate) fn member_seed(seed: u64, member: usize) -> u64 {
    match member {
        0 => seed,
        member => stream(seed, *b"member\0\0", member).next_u64(),
    }
}

/// Each purpose has a ChaCha stream of its own, and each index 2³² words of it.
fn stream(seed: u64, purpose: [u8; 8], index: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from_be_bytes(purpose));
    rng.set_word_pos((index as u128) << 32);
    rng
}
