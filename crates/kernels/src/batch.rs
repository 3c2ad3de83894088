use crate::loss::Targets;
use crate::network::Network;

/// Some rows of a dataset in host memory: a batch, or one process's part of one.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Row-major, of the whole dataset.
    pub features: &'a [f32],
    /// Of the whole dataset.
    pub targets: Targets<'a>,
    /// Of the whole dataset, where rows carry weights.
    pub weights: Option<&'a [f32]>,
    /// The rows of this batch, or part.
    pub rows: &'a [u32],
    /// Where each of them stands in the batch, if not one behind the other from its beginning.
    positions: Option<&'a [u32]>,
    /// Of the whole batch.
    batch_rows: usize,
    weight: f64,
    /// What the loss of a row is multiplied by, beside its weight.
    scale: f32,
}

impl<'a> Batch<'a> {
    /// The given rows of a dataset.
    pub fn new(
        features: &'a [f32],
        targets: Targets<'a>,
        weights: Option<&'a [f32]>,
        rows: &'a [u32],
    ) -> Self {
        let weight = weight(weights, rows);
        // A batch may by chance hold rows of weight 0 only; they ask for no update.
        let scale = (1.0 / weight.max(f64::from(f32::MIN_POSITIVE))) as f32;
        let (positions, batch_rows) = (None, rows.len());
        Self { features, targets, weights, rows, positions, batch_rows, weight, scale }
    }

    /// The rows of a dataset that one process takes of a batch of `batch_rows`, where other processes take
    /// the others: for [`crate::Trainer::step_distributed`].
    ///
    /// `positions` says where each of them stands in the batch, which decides its dropout. There may be no row.
    ///
    /// # Panics
    ///
    /// If there are not as many positions as rows.
    pub fn part(
        features: &'a [f32],
        targets: Targets<'a>,
        weights: Option<&'a [f32]>,
        rows: &'a [u32],
        positions: &'a [u32],
        batch_rows: usize,
    ) -> Self {
        assert_eq!(rows.len(), positions.len(), "a position for each row");
        // What all rows of the batch weigh is known only when all have been asked.
        let scale = (1.0 / batch_rows as f64) as f32;
        let (weight, positions) = (weight(weights, rows), Some(positions));
        Self { features, targets, weights, rows, positions, batch_rows, weight, scale }
    }

    /// The number of rows, or the sum of their weights: of a part, its own.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    pub(crate) fn features(&self, network: &Network, row: u32) -> &'a [f32] {
        let width = network.d_input();
        &self.features[row as usize * width..][..width]
    }

    /// The part that a row's loss has in the mean.
    pub(crate) fn share(&self, row: u32) -> f32 {
        self.weights.map_or(1.0, |weights| weights[row as usize]) * self.scale
    }

    pub(crate) fn batch_rows(&self) -> usize {
        self.batch_rows
    }

    /// Where the rows of a range of this part stand in the batch.
    pub(crate) fn places(&self, first: usize, rows: usize) -> Places<'a> {
        match self.positions {
            None => Places::From(first),
            Some(positions) => Places::At(&positions[first..][..rows]),
        }
    }
}

/// Where rows stand in a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Places<'a> {
    /// One behind the other.
    From(usize),
    /// Each by itself.
    At(&'a [u32]),
}

fn weight(weights: Option<&[f32]>, rows: &[u32]) -> f64 {
    match weights {
        None => rows.len() as f64,
        Some(weights) => rows.iter().map(|row| f64::from(weights[*row as usize])).sum(),
    }
}
