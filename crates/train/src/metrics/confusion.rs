//! The confusion matrix, and the metrics that are ratios of its counts.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// How often each class was predicted as each class: counts `[num_classes, num_classes]`, a row
/// for each actual class, a column for each predicted one.
///
/// In JSON it is its rows: `[[2, 0], [1, 3]]`.
///
/// Every metric is a fraction in [0, 1]. One that divides zero by zero (the precision of a class
/// never predicted, the accuracy of an empty matrix) is 0, scikit-learn's `zero_division=0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    num_classes: usize,
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// An empty matrix.
    ///
    /// # Panics
    ///
    /// When `num_classes` is 0.
    pub fn new(num_classes: usize) -> Self {
        assert!(num_classes > 0, "num_classes must be at least 1");
        Self { num_classes, counts: vec![0; num_classes * num_classes] }
    }

    /// The matrix of rows with known classes and the classes predicted for them.
    ///
    /// # Panics
    ///
    /// When `num_classes` is 0, the slices differ in length, or a class is not below
    /// `num_classes`.
    pub fn from_classes(actual: &[u32], predicted: &[u32], num_classes: usize) -> Self {
        assert_eq!(actual.len(), predicted.len(), "one predicted class for each actual one");
        let mut matrix = Self::new(num_classes);
        for (&actual, &predicted) in actual.iter().zip(predicted) {
            matrix.add(actual as usize, predicted as usize);
        }
        matrix
    }

    /// Counts one row.
    ///
    /// # Panics
    ///
    /// When a class is not below `num_classes`.
    pub fn add(&mut self, actual: usize, predicted: usize) {
        let index = self.index(actual, predicted);
        self.counts[index] += 1;
    }

    /// How many classes there are.
    pub fn num_classes(&self) -> usize {
        self.num_classes
    }

    /// How many rows of class `actual` were predicted as `predicted`.
    ///
    /// # Panics
    ///
    /// When a class is not below `num_classes`.
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        self.counts[self.index(actual, predicted)]
    }

    /// How many rows were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many rows are of this class.
    ///
    /// # Panics
    ///
    /// When `class` is not below `num_classes`.
    pub fn support(&self, class: usize) -> u64 {
        (0..self.num_classes).map(|predicted| self.count(class, predicted)).sum()
    }

    /// Fraction of all rows predicted right: `sum_c count(c, c) / total`.
    pub fn accuracy(&self) -> f64 {
        let right = (0..self.num_classes).map(|class| self.count(class, class)).sum();
        ratio(right, self.total())
    }

    /// Fraction of the rows predicted as this class that are of it: `tp / (tp + fp)`.
    ///
    /// # Panics
    ///
    /// When `class` is not below `num_classes`.
    pub fn precision(&self, class: usize) -> f64 {
        ratio(self.count(class, class), self.predicted(class))
    }

    /// Fraction of the rows of this class that were predicted as it: `tp / (tp + fn)`.
    ///
    /// # Panics
    ///
    /// When `class` is not below `num_classes`.
    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.count(class, class), self.support(class))
    }

    /// Harmonic mean of precision and recall: `2 tp / (2 tp + fp + fn)`.
    ///
    /// # Panics
    ///
    /// When `class` is not below `num_classes`.
    pub fn f1(&self, class: usize) -> f64 {
        ratio(2 * self.count(class, class), self.support(class) + self.predicted(class))
    }

    /// Unweighted mean of the recall of the classes that have rows; guessing gives
    /// `1 / (number of such classes)`.
    ///
    /// Source: scikit-learn's `balanced_accuracy_score`.
    pub fn balanced_accuracy(&self) -> f64 {
        mean((0..self.num_classes).filter(|&c| self.support(c) > 0).map(|c| self.recall(c)))
    }

    /// Unweighted mean of F1 over the classes that occur, as actual or as predicted.
    ///
    /// A class that has no rows but was predicted counts, with 0.
    ///
    /// Source: scikit-learn's `f1_score(average="macro", zero_division=0)`, which takes the same
    /// classes when it is given no `labels`.
    pub fn macro_f1(&self) -> f64 {
        let occurs = |c: &usize| self.support(*c) + self.predicted(*c) > 0;
        mean((0..self.num_classes).filter(occurs).map(|c| self.f1(c)))
    }

    /// The counts with precision and recall, as lines of aligned text.
    ///
    /// Classes head their columns by name where that fits in 80 characters, and by index where it
    /// does not; long names are then cut. Ten classes fit while counts have five digits. A ratio
    /// that divides by zero is shown as `-`.
    ///
    /// # Panics
    ///
    /// When there is not one name for each class.
    pub fn table(&self, class_names: &[String]) -> String {
        assert_eq!(class_names.len(), self.num_classes, "one name for each class");
        let names: Vec<String> = class_names.iter().map(|name| one_line(name)).collect();
        let (mut labels, mut headings, mut gap) = (names.clone(), names, 2);
        if line_width(&labels, &self.column_widths(&headings), gap) > LINE {
            gap = 1;
            headings = (0..self.num_classes).map(|class| class.to_string()).collect();
            let index_width = width(&headings);
            for (label, index) in labels.iter_mut().zip(&headings) {
                if label != index {
                    *label = format!("{index:>index_width$} {label}");
                }
            }
            let rest = line_width(&[], &self.column_widths(&headings), gap) - PRECISION.len();
            let room = LINE.saturating_sub(rest).max(PRECISION.len());
            labels.iter_mut().for_each(|label| cut(label, room));
        }
        self.lines(&labels, &headings, gap)
    }

    fn lines(&self, labels: &[String], headings: &[String], gap: usize) -> String {
        let columns = self.column_widths(headings);
        let first = width(labels).max(PRECISION.len());
        let line = |label: &str, cells: &[String], last: &str| {
            let mut line = format!("{label:<first$}");
            for (cell, column) in cells.iter().zip(&columns) {
                line += &format!("{:gap$}{cell:>column$}", "");
            }
            line += &format!("{:gap$}{last:>1$}", "", RECALL.len());
            line.trim_end().to_owned() + "\n"
        };
        let classes = 0..self.num_classes;
        let mut text = format!("{:<first$}{:gap$}predicted\n", "", "");
        text += &line("actual", headings, RECALL);
        for actual in classes.clone() {
            let counts: Vec<String> = classes
                .clone()
                .map(|predicted| self.count(actual, predicted).to_string())
                .collect();
            let recall = shown(self.recall(actual), self.support(actual));
            text += &line(&labels[actual], &counts, &recall);
        }
        let precision: Vec<String> =
            classes.map(|c| shown(self.precision(c), self.predicted(c))).collect();
        text += &line(PRECISION, &precision, "");
        text
    }

    /// One width for each column of counts.
    fn column_widths(&self, headings: &[String]) -> Vec<usize> {
        let of = |class: usize| {
            let counts = (0..self.num_classes).map(|actual| self.count(actual, class));
            let digits = counts.max().unwrap_or(0).to_string().len();
            headings[class].chars().count().max(digits).max(RATIO)
        };
        (0..self.num_classes).map(of).collect()
    }

    /// How many rows were predicted as this class.
    fn predicted(&self, class: usize) -> u64 {
        (0..self.num_classes).map(|actual| self.count(actual, class)).sum()
    }

    fn index(&self, actual: usize, predicted: usize) -> usize {
        // Unchecked, a predicted class out of range would be counted in the next row.
        assert!(actual < self.num_classes, "actual class {actual} of {}", self.num_classes);
        assert!(
            predicted < self.num_classes,
            "predicted class {predicted} of {}",
            self.num_classes
        );
        actual * self.num_classes + predicted
    }
}

/// The [table](ConfusionMatrix::table) with indices for names.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = (0..self.num_classes).map(|class| class.to_string()).collect();
        f.write_str(&self.table(&names))
    }
}

impl Serialize for ConfusionMatrix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.counts.chunks_exact(self.num_classes))
    }
}

impl<'de> Deserialize<'de> for ConfusionMatrix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<Vec<u64>>::deserialize(deserializer)?;
        let num_classes = rows.len();
        if num_classes == 0 {
            return Err(D::Error::custom("a confusion matrix has no rows, expected at least 1"));
        }
        if let Some(row) = rows.iter().position(|row| row.len() != num_classes) {
            return Err(D::Error::custom(format_args!(
                "row {row} of a confusion matrix has {} counts, expected {num_classes}",
                rows[row].len()
            )));
        }
        let counts = rows.concat();
        // F1 doubles a count, so half the range is what every sum stays within.
        let total = counts.iter().try_fold(0_u64, |sum, &count| sum.checked_add(count));
        if total.is_none_or(|total| total > u64::MAX / 2) {
            return Err(D::Error::custom("the counts of a confusion matrix add up to over 2^63"));
        }
        Ok(Self { num_classes, counts })
    }
}

/// The width that a table should fit in, in characters.
const LINE: usize = 80;
const PRECISION: &str = "precision";
const RECALL: &str = "recall";
/// The width of `0.000`.
const RATIO: usize = 5;

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u64), |(sum, count), v| (sum + v, count + 1));
    if count == 0 { 0.0 } else { sum / count as f64 }
}

fn shown(value: f64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{value:.3}") }
}

fn line_width(labels: &[String], columns: &[usize], gap: usize) -> usize {
    let cells: usize = columns.iter().map(|column| gap + column).sum();
    width(labels).max(PRECISION.len()) + cells + gap + RECALL.len()
}

fn width(texts: &[String]) -> usize {
    texts.iter().map(|text| text.chars().count()).max().unwrap_or(0)
}

/// Class names come from files: a line break would tear the table, an escape drive the terminal.
fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cut(text: &mut String, room: usize) {
    if text.chars().count() > room {
        *text = text.chars().take(room - 1).chain(['…']).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{assert_close, load};
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn every_metric_agrees_with_scikit_learn() {
        for case in load().multiclass {
            let name = &case.name;
            let m = ConfusionMatrix::from_classes(&case.actual, &case.predicted, case.num_classes);
            for (actual, row) in case.confusion.iter().enumerate() {
                for (predicted, &count) in row.iter().enumerate() {
                    assert_eq!(m.count(actual, predicted), count, "{name}");
                }
            }
            assert_eq!(m.total(), case.actual.len() as u64, "{name}");
            assert_close(m.accuracy(), case.accuracy, name);
            assert_close(m.balanced_accuracy(), case.balanced_accuracy, name);
            assert_close(m.macro_f1(), case.macro_f1, name);
            for class in 0..case.num_classes {
                assert_eq!(m.support(class), case.support[class], "{name}");
                assert_close(m.precision(class), case.precision[class], name);
                assert_close(m.recall(class), case.recall[class], name);
                assert_close(m.f1(class), case.f1[class], name);
            }
        }
    }

    #[test]
    fn rows_are_actual_and_columns_predicted() {
        let mut matrix = ConfusionMatrix::new(2);
        matrix.add(0, 1);
        assert_eq!((matrix.count(0, 1), matrix.count(1, 0)), (1, 0));
        assert_eq!((matrix.support(0), matrix.support(1)), (1, 0));
    }

    #[test]
    fn an_empty_matrix_is_zero_everywhere() {
        let matrix = ConfusionMatrix::new(3);
        assert_eq!(matrix.total(), 0);
        for value in [matrix.accuracy(), matrix.balanced_accuracy(), matrix.macro_f1()] {
            assert_eq!(value, 0.0);
        }
        assert_eq!((matrix.precision(2), matrix.recall(2), matrix.f1(2)), (0.0, 0.0, 0.0));
    }

    #[test]
    fn json_holds_the_rows_and_comes_back_the_same() {
        let matrix = ConfusionMatrix::from_classes(&[0, 0, 1], &[0, 1, 1], 2);
        let json = serde_json::to_string(&matrix).unwrap();
        assert_eq!(json, "[[1,1],[0,1]]");
        assert_eq!(serde_json::from_str::<ConfusionMatrix>(&json).unwrap(), matrix);
    }

    #[test]
    fn malformed_json_is_an_error() {
        let error = |json| serde_json::from_str::<ConfusionMatrix>(json).unwrap_err().to_string();
        assert_eq!(error("[]"), "a confusion matrix has no rows, expected at least 1");
        assert_eq!(error("[[1,0],[0]]"), "row 1 of a confusion matrix has 1 counts, expected 2");
        assert_eq!(
            error("[[18446744073709551615]]"),
            "the counts of a confusion matrix add up to over 2^63"
        );
    }

    #[test]
    fn short_names_head_the_columns() {
        let matrix =
            ConfusionMatrix::from_classes(&[0, 0, 1, 1, 1, 2, 2], &[0, 0, 1, 1, 2, 2, 1], 3);
        let expected = "            predicted
actual      setosa  versicolor  virginica  recall
setosa           2           0          0   1.000
versicolor       0           2          1   0.667
virginica        0           1          1   0.500
precision    1.000       0.667      0.500
";
        assert_eq!(matrix.table(&names(&["setosa", "versicolor", "virginica"])), expected);
    }

    #[test]
    fn names_that_do_not_fit_are_cut_and_columns_numbered() {
        let long: Vec<String> = (0..10).map(|c| format!("a long name, number {c}")).collect();
        let classes: Vec<u32> = (0..10).collect();
        let mut matrix = ConfusionMatrix::from_classes(&classes, &classes, 10);
        matrix.counts[0] = 12_345;
        let table = matrix.table(&long);
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        let start = "              predicted
actual            0     1     2     3     4     5     6     7     8     9 recall
0 a long nam… 12345     0     0     0     0     0     0     0     0     0  1.000
";
        assert!(table.starts_with(start), "{table}");
    }

    #[test]
    fn a_ratio_over_nothing_is_shown_as_a_dash() {
        let matrix = ConfusionMatrix::from_classes(&[0], &[0], 2);
        let expected = "           predicted
actual         0      1  recall
0              1      0   1.000
1              0      0       -
precision  1.000      -
";
        assert_eq!(matrix.to_string(), expected);
    }

    #[test]
    fn control_characters_in_names_do_not_reach_the_table() {
        let table = ConfusionMatrix::new(2).table(&names(&["a\nb", "\u{1b}[31m"]));
        assert_eq!(table.lines().count(), 5);
        assert!(!table.contains('\u{1b}'));
    }

    #[test]
    fn one_class_has_a_table() {
        let table = ConfusionMatrix::from_classes(&[0], &[0], 1).table(&names(&["only"]));
        assert!(table.contains("only           1   1.000"), "{table}");
    }

    #[test]
    #[should_panic(expected = "predicted class 2 of 2")]
    fn a_class_out_of_range_panics() {
        ConfusionMatrix::new(2).add(0, 2);
    }
}
