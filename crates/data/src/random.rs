use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Words of the ChaCha key stream set apart for each `index`: far more than one draw ever uses.
const WORDS_PER_INDEX_LOG2: u32 = 32;

/// The random numbers that `seed` means for one `purpose`, starting at its part number `index`.
///
/// Each purpose has a ChaCha stream of its own, so drawing more for one never changes another. Each
/// index (an epoch, say) starts at its own place in the stream, so it can be drawn without drawing
/// the earlier ones: a resumed run draws what the uninterrupted run would have drawn.
pub fn seeded_rng(seed: u64, purpose: [u8; 8], index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from_be_bytes(purpose));
    rng.set_word_pos(u128::from(index) << WORDS_PER_INDEX_LOG2);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn seed_purpose_and_index_each_change_the_numbers() {
        let first = |seed, purpose, index| seeded_rng(seed, purpose, index).next_u64();
        let base = first(1, *b"shuffle\0", 2);
        assert_eq!(base, first(1, *b"shuffle\0", 2));
        assert_ne!(base, first(0, *b"shuffle\0", 2));
        assert_ne!(base, first(1, *b"split\0\0\0", 2));
        assert_ne!(base, first(1, *b"shuffle\0", 3));
    }
}
