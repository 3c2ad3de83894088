//! The order in which rows that are read from a file come to a network.
//!
//! The chunks of the file are joined to *pieces* and these dealt to 32 logical *shards*. In an epoch each
//! shard has its pieces in an order drawn anew, and in each piece its rows. Row `r` of the epoch is the next
//! row of shard `r mod 32`; a shard that has no more is passed over. So each batch has rows of up to 32
//! places of the file, and which rows they are depends on the seed and the epoch alone: not on how many
//! processes take part, each with some of the shards, nor on where a run is resumed.

use std::ops::Range;

use rand::seq::SliceRandom;

use super::index::Entry;
use kiln_data::Share;
use kiln_data::seeded_rng;
use kiln_data::shuffled;

/// The pieces of each shard.
#[derive(Debug)]
pub(super) struct Shards {
    shards: Vec<Shard>,
}

#[derive(Debug, Clone, Default)]
struct Shard {
    /// As ranges of entries of the index.
    pieces: Vec<Range<usize>>,
    /// Rows to train on.
    rows: usize,
}

/// A piece, or a part of one, in an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) shard: usize,
    /// Of the index.
    pub(super) entries: Range<usize>,
    /// Rows of the shard that come before it in the epoch.
    pub(super) start: usize,
    /// Rows to train on.
    pub(super) rows: usize,
}

impl Shards {
    /// Deals pieces of up to about `piece_rows` rows.
    pub(super) fn new(entries: &[Entry], piece_rows: usize) -> Self {
        let rows: usize = entries.iter().map(|entry| entry.train_rows).sum();
        // All shards are to have as many pieces, so that all of them last till the end of the epoch.
        let pieces = rows.div_ceil(piece_rows).max(1).next_multiple_of(Share::MOST_RANKS);
        let piece_rows = rows.div_ceil(pieces).max(1);
        let mut shards = vec![Shard::default(); Share::MOST_RANKS];
        let (mut first, mut in_piece, mut dealt) = (0, 0, 0);
        for (at, entry) in entries.iter().enumerate() {
            in_piece += entry.train_rows;
            if in_piece >= piece_rows || (at + 1 == entries.len() && in_piece > 0) {
                let shard = &mut shards[dealt % Share::MOST_RANKS];
                shard.pieces.push(first..at + 1);
                shard.rows += in_piece;
                (first, in_piece, dealt) = (at + 1, 0, dealt + 1);
            }
        }
        Self { shards }
    }

    /// The parts of an epoch in the order in which their first rows are needed.
    ///
    /// The first piece of each shard comes in two parts, one at the start and one at the end of the epoch, of
    /// which the former is smaller in the first shards: else all shards would need their next piece at the
    /// same time, again and again.
    pub(super) fn epoch(&self, entries: &[Entry], seed: u64, epoch: u64) -> Vec<Part> {
        let mut rng = seeded_rng(seed, *b"pieces\0\0", epoch);
        let mut parts = Vec::new();
        for (shard, Shard { pieces, .. }) in self.shards.iter().enumerate() {
            let mut pieces = pieces.clone();
            pieces.shuffle(&mut rng);
            if let Some(first) = pieces.first().cloned() {
                let cut = first.start + (first.len() * (shard + 1)).div_ceil(Share::MOST_RANKS);
                pieces[0] = first.start..cut;
                pieces.push(cut..first.end);
            }
            let mut start = 0;
            for piece in pieces {
                let rows = entries[piece.clone()].iter().map(|entry| entry.train_rows).sum();
                if rows > 0 {
                    parts.push(Part { shard, entries: piece, start, rows });
                    start += rows;
                }
            }
        }
        parts.sort_by_key(|part| (part.start, part.shard));
        parts
    }

    /// How many rows of each shard are among the first `rows` of an epoch.
    pub(super) fn taken(&self, rows: usize) -> [usize; Share::MOST_RANKS] {
        let after = |rounds: usize| self.shards.iter().map(|shard| shard.rows.min(rounds)).sum();
        let longest = self.shards.iter().map(|shard| shard.rows).max().unwrap_or(0);
        // The most rounds that are over.
        let (mut rounds, mut above) = (0, longest + 1);
        while rounds + 1 < above {
            let middle = usize::midpoint(rounds, above);
            let sum: usize = after(middle);
            if sum <= rows { rounds = middle } else { above = middle }
        }
        let done: usize = after(rounds);
        let mut left = rows - done.min(rows);
        std::array::from_fn(|shard| {
            let of = self.shards[shard].rows;
            let one_more = usize::from(of > rounds && left > 0);
            left -= one_more;
            of.min(rounds) + one_more
        })
    }
}

/// The order of the rows of a part.
pub(super) fn row_order(part: &Part, seed: u64, epoch: u64) -> Vec<usize> {
    // An index has less than 2²⁰ entries.
    let index = (epoch << 20) | part.entries.start as u64;
    shuffled(part.rows, &mut seeded_rng(seed, *b"piecerow", index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(rows: &[usize]) -> Vec<Entry> {
        let entry = |train_rows: &usize| Entry { train_rows: *train_rows, ..Entry::default() };
        rows.iter().map(entry).collect()
    }

    fn shapes() -> Vec<Vec<usize>> {
        vec![
            vec![5],
            vec![8192; 3],
            vec![0, 7, 0, 0, 1, 0],
            (0..500).map(|i| 8192 - i).collect(),
            (0..77).map(|i| if i % 3 == 0 { 0 } else { 100 + i }).collect(),
        ]
    }

    #[test]
    fn every_entry_comes_once_in_an_epoch() {
        for rows in shapes() {
            let entries = entries(&rows);
            let shards = Shards::new(&entries, 20_000);
            let parts = shards.epoch(&entries, 1, 2);
            let mut seen = vec![0; rows.len()];
            for part in &parts {
                part.entries.clone().for_each(|entry| seen[entry] += 1);
                assert_eq!(part.rows, rows[part.entries.clone()].iter().sum::<usize>());
            }
            for (times, rows) in seen.into_iter().zip(&rows) {
                assert!(times == 1 || (*rows == 0 && times < 2));
            }
            assert_eq!(parts, shards.epoch(&entries, 1, 2));
            if rows.len() > 100 {
                assert_ne!(parts, shards.epoch(&entries, 1, 3));
                assert_ne!(parts, shards.epoch(&entries, 2, 2));
            }
        }
    }

    #[test]
    fn parts_of_a_shard_follow_each_other() {
        let entries = entries(&[1000; 700]);
        let shards = Shards::new(&entries, 4000);
        let mut ends = [0; Share::MOST_RANKS];
        for part in shards.epoch(&entries, 9, 0) {
            assert_eq!(part.start, ends[part.shard]);
            ends[part.shard] += part.rows;
        }
        // 5 or 6 pieces of 4 thousand.
        assert!(ends.iter().all(|rows| [20_000, 24_000].contains(rows)), "{ends:?}");
    }

    #[test]
    fn first_parts_end_one_after_the_other() {
        let entries = entries(&[100; Share::MOST_RANKS * Share::MOST_RANKS]);
        let shards = Shards::new(&entries, 3200);
        let parts = shards.epoch(&entries, 0, 0);
        let first: Vec<usize> = parts[..Share::MOST_RANKS].iter().map(|part| part.rows).collect();
        assert_eq!(first, (1..=Share::MOST_RANKS).map(|shard| 100 * shard).collect::<Vec<_>>());
    }

    #[test]
    fn shards_need_their_next_piece_at_different_times() {
        let entries = entries(&[100; 10 * Share::MOST_RANKS * Share::MOST_RANKS]);
        let shards = Shards::new(&entries, 3200);
        let mut starts: Vec<usize> = Vec::new();
        let parts = shards.epoch(&entries, 7, 1).into_iter().filter(|part| part.start > 0);
        starts.extend(parts.map(|part| part.start));
        starts.sort_unstable();
        // One for each 100 rows of a shard, to the end of the epoch.
        assert_eq!(starts, (1..=10 * Share::MOST_RANKS - 1).map(|at| 100 * at).collect::<Vec<_>>());
    }

    #[test]
    fn rows_are_taken_in_turns() {
        let entries = entries(&[3, 1, 2]);
        let shards = Shards::new(&entries, 1);
        let taken = |rows| shards.taken(rows)[..3].to_vec();
        let expected =
            [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1], [2, 1, 2], [3, 1, 2]];
        for (rows, expected) in expected.into_iter().enumerate() {
            assert_eq!(taken(rows), expected, "{rows}");
        }
    }
}
