use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{available_parallelism, spawn};

use super::order::Part;
use super::pieces::Pieces;
use crate::error::TableError;
use kiln_data::{Dataset, Portion, Share, Targets};

/// Rows that are handed over at a time, where a batch has not more: for each hand-over two threads have to
/// wake up.
const HANDED_OVER: usize = 16_384;
/// Most threads that read.
const READERS: usize = 8;
/// Parts that are read ahead, by all threads together. Pieces are cut where a chunk of the file ends, so that
/// several shards need their next one at the same time, and at the start of an epoch all of them a first one.
const READ_AHEAD: usize = 16;

/// The rows of an epoch, and of those that follow, in order; see [`RowStream::batches`](kiln_data::RowStream::batches).
///
/// After an error there are no more. The threads that read end when it is dropped.
#[derive(Debug)]
pub struct StreamedBatches(Receiver<Result<Portion, TableError>>);

impl Iterator for StreamedBatches {
    type Item = Result<Portion, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.recv().ok()
    }
}

/// Where an epoch begins, and how its rows are handed over.
#[derive(Debug, Clone, Copy)]
struct Plan {
    seed: u64,
    first_epoch: u64,
    /// Rows of the first epoch that are left out.
    left_out: usize,
    handed_over: usize,
    share: Share,
}

impl StreamedBatches {
    pub(super) fn new(
        rows: &Arc<Pieces>,
        seed: u64,
        epoch: u64,
        batches: usize,
        batch_size: usize,
        share: Share,
    ) -> Self {
        assert!(share.rank < share.ranks && share.ranks <= Share::MOST_RANKS, "{share:?}");
        let (left_out, all) = (batches * batch_size, rows.rows);
        assert!(batch_size > 0 && left_out < all, "batch {batches} of {batch_size} of {all} rows");
        let handed_over = (HANDED_OVER / batch_size).max(1) * batch_size;
        let plan = Plan { seed, first_epoch: epoch, left_out, handed_over, share };
        // What trains takes the other half of the processor; of a GPU, the reading is all there is to do.
        let readers = available_parallelism().map_or(1, |all| all.get() / 2).clamp(1, READERS);
        let parts = (0..readers).map(|reader| {
            let (sender, parts) = sync_channel(READ_AHEAD / readers);
            let rows = Arc::clone(rows);
            spawn(move || read(&rows, plan, reader, readers, &sender));
            parts
        });
        let turns = Turns { rows: Arc::clone(rows), parts: parts.collect() };
        let (sender, batches) = sync_channel(2);
        spawn(move || turns.hand_over(plan, &sender));
        Self(batches)
    }
}

impl Plan {
    /// The epochs, and how many rows of each are left out.
    fn epochs(self) -> impl Iterator<Item = (u64, usize)> {
        let left_out = move |epoch| if epoch == self.first_epoch { self.left_out } else { 0 };
        (self.first_epoch..).map(move |epoch| (epoch, left_out(epoch)))
    }
}

/// The parts of an epoch that have rows which are not left out, in the order in which they are needed.
fn parts(rows: &Pieces, plan: Plan, epoch: u64, taken: &[usize; Share::MOST_RANKS]) -> Vec<Part> {
    let mut parts = rows.shards.epoch(&rows.entries, plan.seed, epoch);
    parts.retain(|part| part.start + part.rows > taken[part.shard] && plan.share.takes(part.shard));
    // Those that are begun in their middle are needed first, each in the turn of its shard.
    parts.sort_by_key(|part| (part.start.max(taken[part.shard]), part.shard));
    parts
}

/// Reads every `readers`-th part, until nobody listens any more.
fn read(
    rows: &Pieces,
    plan: Plan,
    reader: usize,
    readers: usize,
    parts_read: &SyncSender<Result<Dataset, TableError>>,
) {
    for (epoch, left_out) in plan.epochs() {
        let taken = rows.shards.taken(left_out);
        let parts = parts(rows, plan, epoch, &taken);
        for part in parts.iter().skip(reader).step_by(readers) {
            let loaded = rows.load(part, plan.seed, epoch);
            let failed = loaded.is_err();
            if parts_read.send(loaded).is_err() || failed {
                return;
            }
        }
    }
}

/// Takes rows from the shards in turns.
struct Turns {
    rows: Arc<Pieces>,
    /// What each reader has read.
    parts: Vec<Receiver<Result<Dataset, TableError>>>,
}

/// What a shard has in memory.
struct Present {
    part: Dataset,
    /// Rows of it that have been taken.
    taken: usize,
}

impl Turns {
    fn hand_over(&self, plan: Plan, sender: &SyncSender<Result<Portion, TableError>>) {
        for (epoch, left_out) in plan.epochs() {
            match self.epoch(plan, epoch, left_out, sender) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    // It does not matter whether anybody still listens.
                    let _ = sender.send(Err(error));
                    return;
                }
            }
        }
    }

    /// Hands over an epoch; false where nobody listens any more.
    fn epoch(
        &self,
        plan: Plan,
        epoch: u64,
        left_out: usize,
        sender: &SyncSender<Result<Portion, TableError>>,
    ) -> Result<bool, TableError> {
        let all = self.rows.shards.taken(self.rows.rows);
        let mut taken = self.rows.shards.taken(left_out);
        let parts = parts(&self.rows, plan, epoch, &taken);
        let mut next_part = 0;
        let mut shards: [Option<Present>; Share::MOST_RANKS] = std::array::from_fn(|_| None);
        let unfinished = (0..Share::MOST_RANKS).filter(|shard| taken[*shard] < all[*shard]);
        let next = unfinished.min_by_key(|shard| taken[*shard]);
        let mut shard = next.expect("there are rows left");
        let mut left = self.rows.rows - left_out;
        while left > 0 {
            let rows = left.min(plan.handed_over);
            let mut batch = Gathered::new(&self.rows, rows.div_ceil(plan.share.ranks));
            for place in 0..rows {
                while taken[shard] == all[shard] {
                    shard = (shard + 1) % Share::MOST_RANKS;
                }
                if !plan.share.takes(shard) {
                    taken[shard] += 1;
                    shard = (shard + 1) % Share::MOST_RANKS;
                    continue;
                }
                let present = match &mut shards[shard] {
                    Some(present) if present.taken < present.part.rows() => present,
                    other => {
                        let part = &parts[next_part];
                        debug_assert_eq!(part.shard, shard, "parts come as they are needed");
                        let reader = &self.parts[next_part % self.parts.len()];
                        // The old one first, so that both are never there at a time.
                        *other = None;
                        let loaded = reader.recv().expect("a reader ends with an error only")?;
                        next_part += 1;
                        other.insert(Present { part: loaded, taken: taken[shard] - part.start })
                    }
                };
                batch.push(&present.part, present.taken, place);
                present.taken += 1;
                taken[shard] += 1;
                shard = (shard + 1) % Share::MOST_RANKS;
            }
            left -= rows;
            if sender.send(Ok(batch.finish(rows))).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Rows from several parts.
struct Gathered {
    features: Vec<f32>,
    d_input: usize,
    targets: Targets,
    weights: Vec<f32>,
    places: Vec<u32>,
}

impl Gathered {
    fn new(of: &Pieces, rows: usize) -> Self {
        let d_input = of.preprocessor.d_input();
        let features = Vec::with_capacity(rows * d_input);
        let (targets, weights, places) = (of.targets(), Vec::new(), Vec::with_capacity(rows));
        Self { features, d_input, targets, weights, places }
    }

    fn push(&mut self, part: &Dataset, row: usize, place: usize) {
        self.places.push(place as u32);
        self.features.extend_from_slice(part.row(row));
        match (&mut self.targets, part.targets()) {
            (Targets::Classes { indices, .. }, Targets::Classes { indices: from, .. }) => {
                indices.push(from[row]);
            }
            (Targets::Dense { values, width }, Targets::Dense { values: from, .. }) => {
                values.extend_from_slice(&from[row * *width..][..*width]);
            }
            _ => unreachable!("one encoder makes one form of targets"),
        }
        self.weights.extend(part.weights().map(|weights| weights[row]));
    }

    /// `rows`: with those of other shares.
    fn finish(self, rows: usize) -> Portion {
        let Self { features, d_input, targets, weights, places } = self;
        let weights = (!weights.is_empty()).then_some(weights);
        let data = || Dataset::from_checked(features, d_input, targets, weights);
        Portion { rows, data: (!places.is_empty()).then(data), places }
    }
}
