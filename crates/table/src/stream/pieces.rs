use kiln_data::{Dataset, Share, Targets};

use super::hold_out::HoldOut;
use super::index::Entry;
use super::order::{Part, Shards, row_order};
use crate::error::{TableError, no_problems};
use crate::preprocess::{Binding, Preprocessor};
use crate::read::TableFile;
use crate::target::{TargetEncoder, TargetForm};
use crate::weights::read_weights;

/// Most bytes of features of all pieces that are in memory at a time.
const PIECES_BYTES: usize = 128 << 20;
/// Most rows of a piece.
const PIECE_ROWS: usize = 32_768;

/// A file, cut into pieces that are read and preprocessed one at a time.
#[derive(Debug)]
pub(super) struct Pieces {
    file: TableFile,
    pub(super) entries: Vec<Entry>,
    pub(super) shards: Shards,
    pub(super) rows: usize,
    pub(super) preprocessor: Preprocessor,
    binding: Binding,
    encoder: TargetEncoder,
    weight: Option<String>,
    hold_out: Option<HoldOut>,
}

impl Pieces {
    pub(super) fn new(
        file: TableFile,
        entries: Vec<Entry>,
        preprocessor: Preprocessor,
        encoder: TargetEncoder,
        weight: Option<String>,
        hold_out: Option<HoldOut>,
    ) -> Result<Self, TableError> {
        let binding = preprocessor.bind(file.name(), file.columns())?;
        let row_bytes = size_of::<f32>() * preprocessor.d_input();
        let piece_rows = (PIECES_BYTES / (Share::MOST_RANKS * row_bytes)).clamp(1, PIECE_ROWS);
        Ok(Self {
            file,
            shards: Shards::new(&entries, piece_rows),
            rows: entries.iter().map(|entry| entry.train_rows).sum(),
            entries,
            preprocessor,
            binding,
            encoder,
            weight,
            hold_out,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.file.name()
    }

    /// The form of the targets: those of no rows.
    pub(super) fn targets(&self) -> Targets {
        let num_classes = self.encoder.classes().len();
        match self.encoder.form() {
            TargetForm::Binary { .. } | TargetForm::Sparse { .. } => {
                Targets::Classes { indices: Vec::new(), num_classes }
            }
            TargetForm::Categorical { .. } | TargetForm::OneHot | TargetForm::Labels => {
                Targets::Dense { values: Vec::new(), width: num_classes }
            }
        }
    }

    /// The rows of a part, in the order of the epoch.
    pub(super) fn load(&self, part: &Part, seed: u64, epoch: u64) -> Result<Dataset, TableError> {
        let entries = &self.entries[part.entries.clone()];
        let rows = entries.iter().map(|entry| entry.rows).sum();
        let table = self.file.read(entries[0].start, rows)?;
        let encoded = self.encoder.encode_any(&table)?;
        let weights = self.weight.as_deref().map(|of| read_weights(&table, of)).transpose()?;

        let held_out = self.hold_out.map(HoldOut::rule);
        let (d_input, first) = (self.preprocessor.d_input(), entries[0].start.row);
        // Of the rows to train on: where their features, their target and their weight are.
        let (mut chosen, mut with_target) = (Vec::with_capacity(part.rows), 0);
        for (row, kept) in encoded.kept.iter().enumerate() {
            if *kept && !held_out.as_ref().is_some_and(|held_out| held_out(first + row)) {
                chosen.push([row, with_target]);
            }
            with_target += usize::from(*kept);
        }
        if chosen.len() != part.rows {
            return Err(self.file.changed());
        }
        let order = row_order(part, seed, epoch);
        let mut place = vec![0; part.rows];
        order.iter().enumerate().for_each(|(to, from)| place[*from] = to);
        let mut features = vec![0.0; part.rows * d_input];
        let (mut next, mut first) = (0, 0);
        for rows in table.chunks() {
            let transformed = self.preprocessor.transform(&self.binding, rows);
            no_problems(table.name(), &transformed.problems)?;
            let end = first + rows.batch.num_rows();
            while let Some([row, _]) = chosen.get(next).filter(|[row, _]| *row < end) {
                let from = &transformed.features[(row - first) * d_input..][..d_input];
                features[place[next] * d_input..][..d_input].copy_from_slice(from);
                next += 1;
            }
            first = end;
        }
        let in_order = |of: usize| order.iter().map(|at| chosen[*at][of]).collect::<Vec<usize>>();
        let targets = encoded.targets.select(&in_order(1));
        let weights =
            weights.map(|weights| in_order(0).into_iter().map(|row| weights[row]).collect());
        Ok(Dataset::from_checked(features, d_input, targets, weights))
    }
}
