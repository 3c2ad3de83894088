use std::sync::Arc;

use kiln_data::{DataError, Portion, RowStream, Share, Targets};

use super::batches::StreamedBatches;
use super::pieces::Pieces;
use crate::preprocess::Preprocessor;

/// The training rows of a file, which are read and preprocessed anew in every epoch.
///
/// They are what a [`Dataset`](kiln_data::Dataset) of them would be, in an order that differs. At any time
/// about 128 MiB of features are in memory, beside what reading takes.
#[derive(Debug, Clone)]
pub struct StreamedRows {
    pieces: Arc<Pieces>,
    identity: Arc<[u8]>,
}

impl StreamedRows {
    /// `identity`: of the values in the file.
    pub(super) fn new(pieces: Pieces, identity: Vec<u8>) -> Self {
        Self { pieces: Arc::new(pieces), identity: identity.into() }
    }

    /// The name of the file, for messages.
    pub fn name(&self) -> &str {
        self.pieces.name()
    }

    /// The preprocessing, fitted on these rows.
    pub fn preprocessor(&self) -> &Preprocessor {
        &self.pieces.preprocessor
    }

    /// As [`RowStream::batches`]. Reading and preprocessing go on ahead, in threads of their own; what is
    /// not in `share` is not read.
    ///
    /// # Panics
    ///
    /// If `batch_size` is 0, the epoch has no such batch, or there is no such share.
    pub fn batches(
        &self,
        seed: u64,
        epoch: u64,
        batches: usize,
        batch_size: usize,
        share: Share,
    ) -> StreamedBatches {
        StreamedBatches::new(&self.pieces, seed, epoch, batches, batch_size, share)
    }
}

impl RowStream for StreamedRows {
    fn rows(&self) -> usize {
        self.pieces.rows
    }

    fn d_input(&self) -> usize {
        self.pieces.preprocessor.d_input()
    }

    fn targets(&self) -> Targets {
        self.pieces.targets()
    }

    fn identity(&self) -> Vec<u8> {
        // The constants of the preprocessor are those of the rows.
        let preprocessor = serde_json::to_vec(self.preprocessor());
        let preprocessor = preprocessor.expect("plain data with text keys");
        [&self.identity, preprocessor.as_slice()].concat()
    }

    fn batches(
        &self,
        seed: u64,
        epoch: u64,
        batches: usize,
        batch_size: usize,
        share: Share,
    ) -> Box<dyn Iterator<Item = Result<Portion, DataError>> + Send> {
        let batches = self.batches(seed, epoch, batches, batch_size, share);
        Box::new(batches.map(|portion| portion.map_err(|error| DataError::Stream(error.into()))))
    }
}
