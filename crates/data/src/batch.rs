use std::ops::Range;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use crate::dataset::{Dataset, Targets};
use crate::error::DataError;
use crate::share::Share;
use crate::shuffle::permutation;

/// The targets of a batch.
#[derive(Debug, Clone)]
pub enum BatchTargets<B: Backend> {
    /// One class index per row, `[batch_size]`.
    Classes(Tensor<B, 1, Int>),
    /// One vector per row with values in [0, 1], `[batch_size, width]`.
    Dense(Tensor<B, 2>),
}

/// Some rows of a dataset, on the device.
#[derive(Debug, Clone)]
pub struct Batch<B: Backend> {
    /// Features, `[batch_size, d_input]`.
    pub features: Tensor<B, 2>,
    /// Targets, one per row.
    pub targets: BatchTargets<B>,
    /// Row weights, `[batch_size]`, if rows carry weights.
    pub weights: Option<Tensor<B, 1>>,
}

impl<B: Backend> Batch<B> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.features.dims()[0]
    }

    fn select(&self, rows: Tensor<B, 1, Int>) -> Self {
        Self {
            features: self.features.clone().select(0, rows.clone()),
            targets: match &self.targets {
                BatchTargets::Classes(t) => {
                    BatchTargets::Classes(t.clone().select(0, rows.clone()))
                }
                BatchTargets::Dense(t) => BatchTargets::Dense(t.clone().select(0, rows.clone())),
            },
            weights: self.weights.clone().map(|w| w.select(0, rows)),
        }
    }

    fn slice(&self, rows: Range<usize>) -> Self {
        Self {
            features: self.features.clone().slice([rows.clone()]),
            targets: match &self.targets {
                BatchTargets::Classes(t) => BatchTargets::Classes(t.clone().slice([rows.clone()])),
                BatchTargets::Dense(t) => BatchTargets::Dense(t.clone().slice([rows.clone()])),
            },
            weights: self.weights.clone().map(|w| w.slice([rows])),
        }
    }
}

/// A dataset that lives on the device, handed out in batches.
///
/// The rows are put on the device once. An epoch uploads its order, one integer per row, and every
/// batch is then gathered on the device: a step copies nothing from the host.
#[derive(Debug, Clone)]
pub struct Batches<B: Backend> {
    all: Batch<B>,
    batch_size: usize,
    num_outputs: usize,
    weight_sum: f64,
    device: B::Device,
}

impl<B: Backend> Batches<B> {
    /// Puts `dataset` on `device`, to be handed out in batches of `batch_size` rows.
    ///
    /// A `batch_size` above the number of rows means all rows. The dataset is taken by value, so a
    /// backend that works in host memory can keep its buffers instead of copying them.
    ///
    /// # Errors
    ///
    /// A `batch_size` of 0.
    pub fn new(dataset: Dataset, batch_size: usize, device: &B::Device) -> Result<Self, DataError> {
        if batch_size == 0 {
            return Err(DataError::mismatch("batch_size is 0", "at least 1"));
        }
        let (rows, d_input) = (dataset.rows(), dataset.d_input());
        let num_outputs = dataset.targets().num_outputs();
        let (features, targets, weights) = dataset.into_parts();
        let weight_sum = match &weights {
            Some(weights) => weights.iter().copied().map(f64::from).sum(),
            None => rows as f64,
        };
        let targets = match targets {
            Targets::Classes { indices, .. } => {
                BatchTargets::Classes(upload(TensorData::new(indices, [rows]), device))
            }
            Targets::Dense { values, width } => BatchTargets::Dense(Tensor::from_data(
                TensorData::new(values, [rows, width]),
                device,
            )),
        };
        Ok(Self {
            all: Batch {
                features: Tensor::from_data(TensorData::new(features, [rows, d_input]), device),
                targets,
                weights: weights
                    .map(|weights| Tensor::from_data(TensorData::new(weights, [rows]), device)),
            },
            batch_size: batch_size.min(rows),
            num_outputs,
            weight_sum,
            device: device.clone(),
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.all.rows()
    }

    /// Features per row.
    pub fn d_input(&self) -> usize {
        self.all.features.dims()[1]
    }

    /// Outputs a network needs for the targets: the number of classes, or the width of dense ones.
    pub fn num_outputs(&self) -> usize {
        self.num_outputs
    }

    /// Number of classes, where targets are class indices.
    pub fn num_classes(&self) -> Option<usize> {
        match self.all.targets {
            BatchTargets::Classes(_) => Some(self.num_outputs),
            BatchTargets::Dense(_) => None,
        }
    }

    /// The sum of all row weights, without rounding to `f32`; the number of rows if there are none.
    pub fn weight_sum(&self) -> f64 {
        self.weight_sum
    }

    /// Rows in every batch but the last, which has what remains.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Batches in an epoch, `ceil(rows / batch_size)`.
    pub fn iterations(&self) -> usize {
        self.rows().div_ceil(self.batch_size)
    }

    /// Where the rows are.
    pub fn device(&self) -> &B::Device {
        &self.device
    }

    /// The batches of one epoch, in the order of [`permutation`]`(rows, seed, epoch)`.
    ///
    /// Every row comes once. Where one batch holds all rows they come in the dataset's own order,
    /// for inside a batch the order of rows doesn't matter.
    pub fn shuffled(&self, seed: u64, epoch: u64) -> impl ExactSizeIterator<Item = Batch<B>> {
        let order = (self.iterations() > 1).then(|| {
            let order = permutation(self.rows(), seed, epoch);
            let order: Vec<i64> = order.into_iter().map(|row| row as i64).collect();
            upload(TensorData::new(order, [self.rows()]), &self.device)
        });
        self.ranges().map(move |rows| match &order {
            Some(order) => self.all.select(order.clone().slice([rows])),
            None => self.all.clone(),
        })
    }

    /// As [`Batches::shuffled`], but of these rows only, which are indices into the dataset.
    pub fn shuffled_of<'a>(
        &'a self,
        rows: &[u32],
        seed: u64,
        epoch: u64,
    ) -> impl Iterator<Item = Batch<B>> + 'a {
        let count = rows.len();
        let order: Vec<i64> = match count > self.batch_size {
            true => permutation(count, seed, epoch).iter().map(|at| rows[*at].into()).collect(),
            false => rows.iter().map(|row| (*row).into()).collect(),
        };
        let order: Tensor<B, 1, Int> = upload(TensorData::new(order, [count]), &self.device);
        (0..count).step_by(self.batch_size).map(move |start| {
            let batch = start..count.min(start + self.batch_size);
            self.all.select(order.clone().slice([batch]))
        })
    }

    /// As [`Batches::shuffled`], but of each batch the rows that `share` takes: `None` where it takes none.
    /// With their places in the batch, ascending, and the number of all its rows.
    pub fn shuffled_share(
        &self,
        seed: u64,
        epoch: u64,
        share: Share,
    ) -> impl ExactSizeIterator<Item = (Option<Batch<B>>, Vec<u32>, usize)> {
        let order = (self.iterations() > 1).then(|| permutation(self.rows(), seed, epoch));
        self.ranges().map(move |rows| {
            let places: Vec<u32> =
                (0..rows.len() as u32).filter(|at| share.takes(*at as usize)).collect();
            let row = |place: &u32| {
                let place = rows.start + *place as usize;
                order.as_ref().map_or(place, |order| order[place]) as i64
            };
            let own: Vec<i64> = places.iter().map(row).collect();
            let count = own.len();
            let batch = (count > 0)
                .then(|| self.all.select(upload(TensorData::new(own, [count]), &self.device)));
            (batch, places, rows.len())
        })
    }

    /// Some rows in the dataset's own order.
    ///
    /// # Panics
    ///
    /// If there are no such rows.
    pub fn rows_at(&self, rows: Range<usize>) -> Batch<B> {
        if rows == (0..self.rows()) { self.all.clone() } else { self.all.slice(rows) }
    }

    /// The batches in the dataset's own order.
    pub fn in_order(&self) -> impl ExactSizeIterator<Item = Batch<B>> {
        self.ranges().map(|rows| self.rows_at(rows))
    }

    fn ranges(&self) -> impl ExactSizeIterator<Item = Range<usize>> {
        let (rows, batch_size) = (self.rows(), self.batch_size);
        (0..self.iterations()).map(move |iteration| {
            let start = iteration * batch_size;
            start..rows.min(start + batch_size)
        })
    }
}

/// Integers as the backend's own integer type, which differs from one backend to the next.
fn upload<B: Backend>(data: TensorData, device: &B::Device) -> Tensor<B, 1, Int> {
    Tensor::from_data(data, device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_flex::{Flex, FlexDevice};
    use expect_test::expect;

    /// Row `i` has features `[i, 10 i]`, class `i % 3` and weight `i`.
    fn dataset(rows: usize) -> Dataset {
        let features = (0..rows).flat_map(|i| [i as f32, 10.0 * i as f32]).collect();
        let indices = (0..rows).map(|i| (i % 3) as u32).collect();
        let targets = Targets::Classes { indices, num_classes: 3 };
        let dataset = Dataset::new(features, 2, targets).expect("valid dataset");
        let weights = (0..rows).map(|i| i as f32).collect();
        dataset.with_weights(weights).expect("valid weights")
    }

    fn batches(rows: usize, batch_size: usize) -> Batches<Flex> {
        Batches::new(dataset(rows), batch_size, &FlexDevice).expect("valid batch size")
    }

    /// The rows of a batch, after checking that targets and weights belong to them.
    fn rows_of(batch: &Batch<Flex>) -> Vec<usize> {
        let features: Vec<f32> = batch.features.to_data().to_vec().expect("f32 features");
        let rows: Vec<usize> = features.chunks(2).map(|row| row[0] as usize).collect();
        let BatchTargets::Classes(classes) = &batch.targets else {
            panic!("class targets expected");
        };
        let weights = batch.weights.as_ref().expect("weights expected");
        let expected: Vec<f32> = rows.iter().flat_map(|&i| [i as f32, 10.0 * i as f32]).collect();
        assert_eq!(features, expected);
        let expected: Vec<i32> = rows.iter().map(|i| (i % 3) as i32).collect();
        assert_eq!(classes.to_data().to_vec::<i32>().expect("int classes"), expected);
        let expected: Vec<f32> = rows.iter().map(|&i| i as f32).collect();
        assert_eq!(weights.to_data().to_vec::<f32>().expect("f32 weights"), expected);
        rows
    }

    fn rows_per_batch(batches: impl Iterator<Item = Batch<Flex>>) -> Vec<Vec<usize>> {
        batches.map(|batch| rows_of(&batch)).collect()
    }

    #[test]
    fn facts_are_known_after_upload() {
        let batches = batches(10, 4);
        assert_eq!((batches.rows(), batches.d_input()), (10, 2));
        assert_eq!((batches.batch_size(), batches.iterations()), (4, 3));
        assert_eq!((batches.num_outputs(), batches.num_classes()), (3, Some(3)));
        assert_eq!(batches.weight_sum(), 45.0);
        assert_eq!(batches.device(), &FlexDevice);
    }

    #[test]
    fn in_order_ends_with_a_short_batch() {
        let batches = batches(7, 3);
        assert_eq!(batches.in_order().len(), 3);
        assert_eq!(rows_per_batch(batches.in_order()), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
    }

    #[test]
    fn shuffled_follows_the_permutation() {
        let batches = batches(11, 4);
        let found = rows_per_batch(batches.shuffled(5, 2));
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 3]);
        assert_eq!(found.concat(), permutation(11, 5, 2));
        assert_ne!(found.concat(), rows_per_batch(batches.shuffled(5, 3)).concat());
    }

    #[test]
    fn shares_make_up_each_batch() {
        for (rows, batch_size) in [(11, 4), (6, 6), (100, 70)] {
            let batches = batches(rows, batch_size);
            let mut found: Vec<Vec<Option<usize>>> = Vec::new();
            for rank in 0..3 {
                let share = Share { rank, ranks: 3 };
                for (at, (batch, places, all)) in batches.shuffled_share(5, 2, share).enumerate() {
                    found.resize(found.len().max(at + 1), vec![None; all]);
                    let own = batch.map_or_else(Vec::new, |batch| rows_of(&batch));
                    assert_eq!(own.len(), places.len());
                    own.into_iter().zip(places).for_each(|(row, place)| {
                        assert!(found[at][place as usize].replace(row).is_none());
                    });
                }
            }
            let found: Vec<Vec<usize>> =
                found.into_iter().map(|rows| rows.into_iter().flatten().collect()).collect();
            assert_eq!(found, rows_per_batch(batches.shuffled(5, 2)));
        }
    }

    #[test]
    fn full_batch_keeps_the_order_of_the_dataset() {
        for batch_size in [6, 7, usize::MAX] {
            let batches = batches(6, batch_size);
            assert_eq!((batches.batch_size(), batches.iterations()), (6, 1));
            assert_eq!(rows_per_batch(batches.shuffled(1, 1)), [[0, 1, 2, 3, 4, 5]]);
            assert_eq!(rows_per_batch(batches.in_order()), [[0, 1, 2, 3, 4, 5]]);
        }
    }

    #[test]
    fn dense_targets_are_gathered_by_row() {
        let targets = Targets::Dense { values: vec![0.0, 0.5, 0.25, 0.75, 1.0, 0.125], width: 2 };
        let dataset = Dataset::new(vec![0.0, 1.0, 2.0], 1, targets).expect("valid dataset");
        let batches = Batches::<Flex>::new(dataset, 1, &FlexDevice).expect("valid batch size");
        assert_eq!((batches.num_outputs(), batches.num_classes()), (2, None));
        assert_eq!(batches.weight_sum(), 3.0);

        let read = |batch: Batch<Flex>| -> Vec<f32> {
            assert!(batch.weights.is_none());
            match batch.targets {
                BatchTargets::Dense(t) => t.into_data().to_vec().expect("f32 targets"),
                BatchTargets::Classes(_) => panic!("dense targets expected"),
            }
        };
        let order = permutation(3, 8, 0);
        let expected = [[0.0, 0.5], [0.25, 0.75], [1.0, 0.125]];
        for (batch, row) in batches.shuffled(8, 0).zip(order) {
            assert_eq!(read(batch), expected[row]);
        }
        for (batch, row) in batches.in_order().zip(expected) {
            assert_eq!(read(batch), row);
        }
    }

    #[test]
    fn batch_size_0_is_an_error() {
        let error = Batches::<Flex>::new(dataset(2), 0, &FlexDevice).expect_err("must be refused");
        expect!["batch_size is 0, expected at least 1"].assert_eq(&error.to_string());
    }
}
