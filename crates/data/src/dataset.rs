use crate::error::DataError;
use crate::split::{split_indices, stratified_split_indices};

/// What a row should be mapped to.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One class per row.
    Classes {
        /// One class index per row, each below `num_classes`.
        indices: Vec<u32>,
        /// Number of classes.
        num_classes: usize,
    },
    /// One vector per row: a distribution over classes, or a 0/1 label per column.
    Dense {
        /// Row-major `[rows, width]`, each value in [0, 1].
        values: Vec<f32>,
        /// Values per row.
        width: usize,
    },
}

impl Targets {
    /// Outputs a network needs for these targets: the number of classes, or the width.
    pub fn num_outputs(&self) -> usize {
        match self {
            Self::Classes { num_classes, .. } => *num_classes,
            Self::Dense { width, .. } => *width,
        }
    }

    /// How many rows each class has; `None` for dense targets.
    pub fn class_sizes(&self) -> Option<Vec<usize>> {
        let Self::Classes { indices, num_classes } = self else { return None };
        let mut sizes = vec![0; *num_classes];
        indices.iter().for_each(|class| sizes[*class as usize] += 1);
        Some(sizes)
    }

    fn check(&self, rows: usize) -> Result<(), DataError> {
        match self {
            Self::Classes { indices, num_classes } => {
                check_target_count(indices.len(), rows, 1)?;
                match indices.iter().position(|&c| c as usize >= *num_classes) {
                    None => Ok(()),
                    Some(row) => Err(DataError::class_index(row, indices[row], *num_classes)),
                }
            }
            Self::Dense { width: 0, .. } => {
                Err(DataError::mismatch("dense targets have width 0", "at least 1"))
            }
            Self::Dense { values, width } => {
                check_target_count(values.len(), rows, *width)?;
                match values.iter().position(|v| !(0.0..=1.0).contains(v)) {
                    None => Ok(()),
                    Some(at) => Err(DataError::Value {
                        row: at / width,
                        column: Some(at % width),
                        what: "target",
                        found: values[at].to_string(),
                        expected: "a number from 0 to 1".to_owned(),
                    }),
                }
            }
        }
    }

    /// The targets of some rows, in this order.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Classes { indices, num_classes } => Self::Classes {
                indices: rows.iter().map(|&row| indices[row]).collect(),
                num_classes: *num_classes,
            },
            Self::Dense { values, width } => {
                Self::Dense { values: select_rows(values, *width, rows), width: *width }
            }
        }
    }
}

/// A table ready for a network: features, targets and perhaps row weights, on the host.
///
/// Every value has been checked: features are finite, class indices are below the number of
/// classes, dense targets are in [0, 1], and some weight is above 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    features: Vec<f32>,
    d_input: usize,
    targets: Targets,
    weights: Option<Vec<f32>>,
}

impl Dataset {
    /// A dataset of `features.len() / d_input` rows.
    ///
    /// # Shapes
    ///
    /// `features`: row-major `[rows, d_input]`.
    ///
    /// # Errors
    ///
    /// No features or no rows; a number of values that does not fit; a feature that is not finite;
    /// a class index that is not below `num_classes`; a dense target outside [0, 1].
    pub fn new(features: Vec<f32>, d_input: usize, targets: Targets) -> Result<Self, DataError> {
        if d_input == 0 {
            return Err(DataError::mismatch("d_input is 0", "at least 1 feature"));
        }
        if features.is_empty() {
            return Err(DataError::NoRows);
        }
        if !features.len().is_multiple_of(d_input) {
            return Err(DataError::mismatch(
                format!("found {} feature values", features.len()),
                format!("a multiple of d_input = {d_input}"),
            ));
        }
        targets.check(features.len() / d_input)?;
        if let Some(at) = features.iter().position(|value| !value.is_finite()) {
            return Err(DataError::Value {
                row: at / d_input,
                column: Some(at % d_input),
                what: "feature",
                found: features[at].to_string(),
                expected: "a finite number".to_owned(),
            });
        }
        Ok(Self { features, d_input, targets, weights: None })
    }

    /// A dataset of values that were checked one by one, as a [`RowStream`](crate::RowStream) does; all
    /// its rows may have a weight of 0.
    ///
    /// Nothing is checked again: values that [`new`](Self::new) refuses make losses that are not numbers.
    pub fn from_checked(
        features: Vec<f32>,
        d_input: usize,
        targets: Targets,
        weights: Option<Vec<f32>>,
    ) -> Self {
        Self { features, d_input, targets, weights }
    }

    /// The same rows, each counting `weights[row]` times in a mean over rows.
    ///
    /// # Errors
    ///
    /// Not one weight per row; a weight that is negative or not finite; no weight above 0.
    pub fn with_weights(mut self, weights: Vec<f32>) -> Result<Self, DataError> {
        let rows = self.rows();
        if weights.len() != rows {
            return Err(DataError::mismatch(
                format!("found {} row weights", weights.len()),
                format!("one for each of {rows} rows"),
            ));
        }
        if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            return Err(DataError::Value {
                row,
                column: None,
                what: "weight",
                found: weights[row].to_string(),
                expected: "a finite number, 0 or more".to_owned(),
            });
        }
        if weights.iter().all(|&weight| weight == 0.0) {
            return Err(DataError::WeightsAllZero { rows });
        }
        self.weights = Some(weights);
        Ok(self)
    }

    /// Number of rows, at least 1.
    pub fn rows(&self) -> usize {
        self.features.len() / self.d_input
    }

    /// Features per row, at least 1.
    pub fn d_input(&self) -> usize {
        self.d_input
    }

    /// All features, row-major `[rows, d_input]`.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// The features of one row, `[d_input]`.
    ///
    /// # Panics
    ///
    /// If `row` is not below [`rows`](Self::rows).
    pub fn row(&self, row: usize) -> &[f32] {
        &self.features[row * self.d_input..][..self.d_input]
    }

    /// The targets of all rows.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The weights of all rows, if rows carry weights.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
    }

    /// A dataset of the given rows in the given order; a row may come more than once.
    ///
    /// # Errors
    ///
    /// No rows, or only rows of weight 0.
    ///
    /// # Panics
    ///
    /// If `rows` holds a number that is not below [`rows`](Self::rows).
    pub fn select(&self, rows: &[usize]) -> Result<Self, DataError> {
        if rows.is_empty() {
            return Err(DataError::NoRows);
        }
        self.of_rows(select_rows(&self.features, self.d_input, rows), rows)
    }

    /// The same rows with the given columns of their features, in the given order.
    ///
    /// # Panics
    ///
    /// If there are none, or one is not below [`d_input`](Self::d_input).
    pub fn with_columns(&self, columns: &[usize]) -> Self {
        assert!(!columns.is_empty(), "a row has one feature at least");
        let rows = self.features.chunks_exact(self.d_input);
        let features = rows.flat_map(|row| columns.iter().map(|column| row[*column])).collect();
        let (targets, weights) = (self.targets.clone(), self.weights.clone());
        Self { features, d_input: columns.len(), targets, weights }
    }

    /// The targets and weights of the given rows, with their features.
    fn of_rows(&self, features: Vec<f32>, rows: &[usize]) -> Result<Self, DataError> {
        let targets = self.targets.select(rows);
        let selected = Self { features, d_input: self.d_input, targets, weights: None };
        match &self.weights {
            None => Ok(selected),
            Some(weights) => selected.with_weights(select_rows(weights, 1, rows)),
        }
    }

    /// The first so many rows; all of them if there are not more.
    ///
    /// # Errors
    ///
    /// If that is no row, or only rows of weight 0.
    pub fn head(&self, rows: usize) -> Result<Self, DataError> {
        self.select(&(0..rows.min(self.rows())).collect::<Vec<_>>())
    }

    /// Features, targets and weights, without a copy.
    pub fn into_parts(self) -> (Vec<f32>, Targets, Option<Vec<f32>>) {
        (self.features, self.targets, self.weights)
    }

    /// Splits off a random part of the rows: `(rest, held_out)`.
    ///
    /// `fraction`, in (0, 1), is the share of rows held out; [`split_indices`] says which.
    ///
    /// # Errors
    ///
    /// A fraction outside (0, 1); a part without rows, or with no weight above 0.
    pub fn split(self, fraction: f64, seed: u64) -> Result<(Self, Self), DataError> {
        let (rest, held_out) = split_indices(self.rows(), fraction, seed)?;
        self.hold_out(&rest, &held_out)
    }

    /// Splits off a random part of the rows with the same share of every class: `(rest, held_out)`.
    ///
    /// `fraction`, in (0, 1), is the share of rows held out; [`stratified_split_indices`] says
    /// which.
    ///
    /// # Errors
    ///
    /// Dense targets; a fraction outside (0, 1); a part without rows, or with no weight above 0; no
    /// class with two rows or more.
    pub fn split_stratified(self, fraction: f64, seed: u64) -> Result<(Self, Self), DataError> {
        match &self.targets {
            Targets::Classes { indices, num_classes } => {
                let (rest, held_out) =
                    stratified_split_indices(indices, *num_classes, fraction, seed)?;
                self.hold_out(&rest, &held_out)
            }
            Targets::Dense { width, .. } => Err(DataError::Split {
                rows: self.rows(),
                problem: format!(
                    "a stratified split needs class indices as targets, found dense targets of \
                     width {width}"
                ),
            }),
        }
    }

    /// The rows `rest`, which are sorted, and the rows `held_out`. The first move to the front of the memory
    /// where they are, so that a large dataset is never there twice.
    fn hold_out(mut self, rest: &[usize], held_out: &[usize]) -> Result<(Self, Self), DataError> {
        let held_out = self.select(held_out)?;
        let (mut features, d_input) = (std::mem::take(&mut self.features), self.d_input);
        for (to, &from) in rest.iter().enumerate() {
            features.copy_within(from * d_input..(from + 1) * d_input, to * d_input);
        }
        features.truncate(rest.len() * d_input);
        features.shrink_to_fit();
        Ok((self.of_rows(features, rest)?, held_out))
    }
}

fn check_target_count(values: usize, rows: usize, width: usize) -> Result<(), DataError> {
    // Divided, because `rows * width` may be more than a usize holds.
    if values.is_multiple_of(width) && values / width == rows {
        return Ok(());
    }
    Err(DataError::mismatch(
        format!("found {values} target values"),
        format!("{width} for each of {rows} rows"),
    ))
}

fn select_rows(values: &[f32], width: usize, rows: &[usize]) -> Vec<f32> {
    let mut selected = Vec::with_capacity(rows.len() * width);
    for &row in rows {
        selected.extend_from_slice(&values[row * width..][..width]);
    }
    selected
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn classes(indices: &[u32]) -> Targets {
        Targets::Classes { indices: indices.to_vec(), num_classes: 3 }
    }

    fn dense(values: &[f32], width: usize) -> Targets {
        Targets::Dense { values: values.to_vec(), width }
    }

    fn four_rows() -> Dataset {
        let features = (0..8).map(|i| i as f32).collect();
        Dataset::new(features, 2, classes(&[0, 1, 2, 1])).expect("valid dataset")
    }

    fn message<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
        result.expect_err("must be refused").to_string()
    }

    #[test]
    fn rows_keep_their_features() {
        let dataset = four_rows();
        assert_eq!((dataset.rows(), dataset.d_input()), (4, 2));
        assert_eq!(dataset.row(2), [4.0, 5.0]);
        assert_eq!(dataset.features()[6..], [6.0, 7.0]);
        assert_eq!(dataset.targets(), &classes(&[0, 1, 2, 1]));
        assert_eq!(dataset.targets().num_outputs(), 3);
        assert_eq!(dataset.weights(), None);
    }

    #[test]
    fn select_keeps_rows_targets_and_weights_together() {
        let dataset = four_rows();
        let dataset = dataset.with_weights(vec![1.0, 2.0, 0.0, 4.0]).expect("valid weights");
        let (features, targets, weights) =
            dataset.select(&[3, 0, 3]).expect("valid rows").into_parts();
        assert_eq!(features, [6.0, 7.0, 0.0, 1.0, 6.0, 7.0]);
        assert_eq!(targets, classes(&[1, 0, 1]));
        assert_eq!(weights, Some(vec![4.0, 1.0, 4.0]));
    }

    #[test]
    fn select_keeps_rows_of_dense_targets_whole() {
        let targets = dense(&[0.0, 1.0, 0.5, 0.25], 2);
        let dataset = Dataset::new(vec![1.0, 2.0], 1, targets).expect("valid dataset");
        assert_eq!(dataset.targets().num_outputs(), 2);
        let swapped = dataset.select(&[1, 0]).expect("valid rows");
        assert_eq!(swapped.targets(), &dense(&[0.5, 0.25, 0.0, 1.0], 2));
    }

    #[test]
    fn selecting_nothing_is_an_error() {
        expect!["the dataset has no rows, expected at least 1"]
            .assert_eq(&message(four_rows().select(&[])));
    }

    #[test]
    fn wrong_counts_are_errors() {
        expect!["d_input is 0, expected at least 1 feature"].assert_eq(&message(Dataset::new(
            vec![1.0],
            0,
            classes(&[0]),
        )));
        expect!["the dataset has no rows, expected at least 1"].assert_eq(&message(Dataset::new(
            vec![],
            2,
            classes(&[]),
        )));
        expect!["found 3 feature values, expected a multiple of d_input = 2"]
            .assert_eq(&message(Dataset::new(vec![1.0; 3], 2, classes(&[0]))));
        expect!["found 1 target values, expected 1 for each of 2 rows"]
            .assert_eq(&message(Dataset::new(vec![1.0; 4], 2, classes(&[0]))));
        expect!["found 5 target values, expected 3 for each of 2 rows"]
            .assert_eq(&message(Dataset::new(vec![1.0; 4], 2, dense(&[0.0; 5], 3))));
        expect!["dense targets have width 0, expected at least 1"]
            .assert_eq(&message(Dataset::new(vec![1.0; 4], 2, dense(&[], 0))));
    }

    #[test]
    fn feature_that_is_not_finite_is_an_error() {
        for (value, found) in
            [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")]
        {
            let features = vec![0.0, 1.0, 2.0, 3.0, 4.0, value];
            assert_eq!(
                message(Dataset::new(features, 3, classes(&[0, 0]))),
                format!(
                    "row 1, column 2 (both counted from 0): feature is {found}, expected a finite \
                     number"
                )
            );
        }
    }

    #[test]
    fn target_out_of_range_is_an_error() {
        expect!["row 1 (counted from 0): class index is 3, expected one below 3"]
            .assert_eq(&message(Dataset::new(vec![1.0; 2], 1, classes(&[2, 3]))));
        for (value, found) in [(f32::NAN, "NaN"), (-0.5, "-0.5"), (1.5, "1.5")] {
            let targets = dense(&[0.0, 1.0, 0.5, value], 2);
            assert_eq!(
                message(Dataset::new(vec![1.0; 2], 1, targets)),
                format!(
                    "row 1, column 1 (both counted from 0): target is {found}, expected a number \
                     from 0 to 1"
                )
            );
        }
    }

    #[test]
    fn wrong_weights_are_errors() {
        expect!["found 3 row weights, expected one for each of 4 rows"]
            .assert_eq(&message(four_rows().with_weights(vec![1.0; 3])));
        for (value, found) in [(f32::NAN, "NaN"), (-1.0, "-1"), (f32::INFINITY, "inf")] {
            assert_eq!(
                message(four_rows().with_weights(vec![1.0, value, 1.0, 1.0])),
                format!(
                    "row 1 (counted from 0): weight is {found}, expected a finite number, 0 or more"
                )
            );
        }
        expect!["the weights of all 4 rows are 0, expected at least one above 0"]
            .assert_eq(&message(four_rows().with_weights(vec![0.0; 4])));
    }

    #[test]
    fn split_parts_hold_every_row_once() {
        let (rest, held_out) = four_rows().split(0.25, 5).expect("valid split");
        assert_eq!((rest.rows(), held_out.rows()), (3, 1));
        let mut firsts: Vec<f32> = [&rest, &held_out]
            .iter()
            .flat_map(|part| (0..part.rows()).map(|row| part.row(row)[0]))
            .collect();
        firsts.sort_by(f32::total_cmp);
        assert_eq!(firsts, [0.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn stratified_split_takes_from_each_class() {
        let targets = classes(&[0, 1, 2, 0, 1, 2]);
        let dataset = Dataset::new(vec![1.0; 6], 1, targets).expect("valid dataset");
        let (rest, held_out) = dataset.split_stratified(0.5, 1).expect("valid split");
        for part in [rest, held_out] {
            let Targets::Classes { mut indices, .. } = part.targets().clone() else {
                panic!("class targets expected");
            };
            indices.sort_unstable();
            assert_eq!(indices, [0, 1, 2]);
        }
    }

    #[test]
    fn split_part_without_weight_is_an_error() {
        let dataset = Dataset::new(vec![1.0; 2], 1, classes(&[0, 0])).expect("valid dataset");
        let dataset = dataset.with_weights(vec![1.0, 0.0]).expect("valid weights");
        expect!["the weights of all 1 rows are 0, expected at least one above 0"]
            .assert_eq(&message(dataset.split(0.5, 0)));
    }

    #[test]
    fn dense_targets_cannot_be_stratified() {
        let dataset = Dataset::new(vec![1.0; 2], 1, dense(&[0.0, 1.0], 1)).expect("valid dataset");
        expect![
            "a stratified split needs class indices as targets, found dense targets of width 1"
        ]
        .assert_eq(&message(dataset.split_stratified(0.5, 0)));
    }
}
