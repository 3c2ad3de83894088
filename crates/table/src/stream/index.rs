use crate::read::ChunkStart;

/// Most entries of an index.
const MOST_ENTRIES: usize = 1 << 16;

/// Some successive rows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Entry {
    pub(super) start: ChunkStart,
    /// In the file.
    pub(super) rows: usize,
    /// To be trained on.
    pub(super) train_rows: usize,
}

/// Where the rows of a file are, in bounded memory: an entry for each chunk, or, of a very long file, for
/// each 2, 4, … chunks.
#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<Entry>,
    chunks_per_entry: usize,
    chunks: usize,
    most_entries: usize,
}

impl Index {
    pub(super) fn new() -> Self {
        let (entries, most_entries) = (Vec::new(), MOST_ENTRIES);
        Self { entries, chunks_per_entry: 1, chunks: 0, most_entries }
    }

    /// Takes in the next chunk.
    pub(super) fn push(&mut self, chunk: Entry) {
        if self.chunks.is_multiple_of(self.chunks_per_entry) {
            if self.entries.len() == self.most_entries {
                self.entries = self.entries.chunks(2).map(joined).collect();
                self.chunks_per_entry *= 2;
            }
            self.entries.push(chunk);
        } else {
            let last = self.entries.last_mut().expect("an entry has begun");
            *last = joined(&[*last, chunk]);
        }
        self.chunks += 1;
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }
}

fn joined(entries: &[Entry]) -> Entry {
    Entry {
        start: entries[0].start,
        rows: entries.iter().map(|entry| entry.rows).sum(),
        train_rows: entries.iter().map(|entry| entry.train_rows).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_has_an_entry_for_several_chunks() {
        let mut index = Index { most_entries: 4, ..Index::new() };
        for chunk in 0..27 {
            let start = ChunkStart { row: 10 * chunk, byte: chunk as u64, line: 0 };
            index.push(Entry { start, rows: 10, train_rows: 9 });
        }
        let entries = index.into_entries();
        let of = |entry: &Entry| (entry.start.row, entry.start.byte, entry.rows, entry.train_rows);
        let found: Vec<_> = entries.iter().map(of).collect();
        assert_eq!(found, [(0, 0, 80, 72), (80, 8, 80, 72), (160, 16, 80, 72), (240, 24, 30, 27)]);
    }
}
