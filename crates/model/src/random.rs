use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator of initial weights: each purpose has its own ChaCha8 stream, so that what one
/// draws never shifts what another does.
pub(crate) fn init_rng(seed: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from_be_bytes(*b"init\0\0\0\0"));
    rng
}
