use kiln_data::{DataError, seeded_rng};
use rand::Rng;

use crate::error::TableError;

/// Which rows of a file are held out: each by itself, with this probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HoldOut {
    /// In (0, 1).
    pub fraction: f64,
    /// The same seed and fraction hold out the same rows of a file.
    pub seed: u64,
}

impl HoldOut {
    pub(super) fn check(&self) -> Result<(), TableError> {
        let fraction = self.fraction;
        if fraction > 0.0 && fraction < 1.0 {
            Ok(())
        } else {
            Err(DataError::SplitFraction { fraction }.into())
        }
    }

    /// Says of a row of the file whether it is held out.
    pub(super) fn rule(self) -> impl Fn(usize) -> bool {
        let key = seeded_rng(self.seed, *b"holdout\0", 0).next_u64();
        let below = (self.fraction * 2.0_f64.powi(64)) as u64;
        // SplitMix64 (Steele, Lea and Flood 2014), of which any number can be drawn by itself.
        move |row| {
            let mut bits = key.wrapping_add((row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (bits ^ (bits >> 31)) < below
        }
    }
}
