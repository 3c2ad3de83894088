/// Logical parts of every batch: what one process trains on are some of them.
pub(crate) const SHARDS: usize = 32;

/// What one of several processes takes of each batch.
///
/// The row at a place `p` of a batch, or of an epoch that is streamed, belongs to shard `p mod 32`, and
/// shard `s` to rank `s mod ranks`. Which rows a batch has does not depend on how many ranks there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Counted from 0, below `ranks`.
    pub rank: usize,
    /// How many processes there are, from 1 to [`Share::MOST_RANKS`].
    pub ranks: usize,
}

impl Share {
    /// More processes than that have nothing to take.
    pub const MOST_RANKS: usize = SHARDS;

    /// All rows.
    pub const WHOLE: Self = Self { rank: 0, ranks: 1 };

    /// Whether the row at a place, counted from 0, is among them.
    pub fn takes(self, place: usize) -> bool {
        place % SHARDS % self.ranks == self.rank
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_one_ranks() {
        for ranks in [1, 2, 3, 5, 31, 32] {
            let shares = (0..ranks).map(|rank| Share { rank, ranks });
            for place in 0..100 {
                assert_eq!(shares.clone().filter(|share| share.takes(place)).count(), 1);
            }
        }
    }
}
