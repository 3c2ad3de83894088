//! Numbers as piecewise-linear columns.

use serde::{Deserialize, Serialize};

/// Most edges that a file may give a column.
const EDGES_LIMIT: usize = 1025;

/// A number as one column for each bin, so that the next layer learns a slope for each where it else has one
/// for all: 2·(s − m), where s is 0 below the bin, 1 above it, and within it the share of the bin that lies below
/// the number, and m is its mean over the training rows. So the many rows that are 0, say, are about 0 in the bins
/// of the few that are not, and leave those alone.
///
/// From Gorishniy, Rubachev and Babenko 2022, "On Embeddings for Numerical Features in Tabular Deep Learning"
/// (arXiv:2203.05556), the piecewise-linear encoding. Bins hold about as many rows each. A number that alone has as
/// many rows as a bin gets an edge of its own, and the other bins are made of what remains: that 90 % of a column are
/// 0 takes no bins from the rest. So LightGBM finds its bins (Ke et al. 2017, `GreedyFindBin`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bins {
    /// Where bins begin and end, ascending: one more than there are bins.
    pub edges: Vec<f64>,
    /// For each bin the mean over the training rows of the share of it that lies below the number, in [0, 1].
    pub means: Vec<f64>,
}

impl Bins {
    /// About so many bins of `sorted`: numbers, ascending, and how many rows each stands for. `None` where there
    /// would be a single bin, which is the number itself.
    pub(crate) fn fit(sorted: &[(f64, u64)], bins: usize) -> Option<Self> {
        let mut runs: Vec<(f64, u64)> = Vec::new();
        for (number, rows) in sorted {
            match runs.last_mut() {
                Some((last, of_last)) if last == number => *of_last += rows,
                _ => runs.push((*number, *rows)),
            }
        }
        let (first, last) = (runs.first()?.0, runs.last()?.0);
        let mut edges = vec![first, last];
        let mut bins = bins as u64;
        loop {
            let left: u64 = runs.iter().map(|(_, rows)| rows).sum();
            let before = bins;
            runs.retain(|(number, rows)| {
                let alone = bins > 0 && rows * before >= left;
                if alone {
                    edges.push(*number);
                    bins -= 1;
                }
                !alone
            });
            if bins == before || bins == 0 {
                break;
            }
        }
        let left: u64 = runs.iter().map(|(_, rows)| rows).sum();
        let mut passed = 0;
        let mut next = 1;
        for (number, rows) in &runs {
            passed += rows;
            // The number with which the share of a bin is reached.
            while next < bins && passed * bins >= next * left {
                edges.push(*number);
                next += 1;
            }
        }
        edges.sort_unstable_by(f64::total_cmp);
        // -0 and 0 are one number.
        edges.dedup_by(|a, b| a == b);
        (edges.len() > 2).then(|| Self::of(edges, sorted))
    }

    fn of(edges: Vec<f64>, sorted: &[(f64, u64)]) -> Self {
        let all: u64 = sorted.iter().map(|(_, rows)| rows).sum();
        let mean = |bin: &[f64]| {
            let of =
                |(number, rows): &(f64, u64)| share(bin[0], width(bin), *number) * *rows as f64;
            sorted.iter().map(of).sum::<f64>() / all as f64
        };
        let means = edges.windows(2).map(mean).collect();
        Self { edges, means }
    }

    /// How many there are.
    pub fn width(&self) -> usize {
        self.edges.len() - 1
    }

    pub(super) fn names<'a>(&'a self, feature: &'a str) -> impl Iterator<Item = String> + 'a {
        self.edges.windows(2).map(move |bin| format!("{feature} from {} to {}", bin[0], bin[1]))
    }

    /// For each bin where it begins, how wide it is, and what is taken off the share of it.
    pub fn parts(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        let bins = self.edges.windows(2).zip(&self.means);
        bins.map(|(bin, mean)| (bin[0], width(bin), *mean))
    }

    pub(super) fn write(&self, value: f64, out: &mut [f32]) {
        for ((start, width, mean), out) in self.parts().zip(out) {
            *out = (2.0 * (share(start, width, value) - mean)) as f32;
        }
    }

    pub(super) fn problem(&self) -> Option<String> {
        let count = self.edges.len();
        if !(2..=EDGES_LIMIT).contains(&count) {
            return Some(format!("{count} edges of bins, expected 2 to {EDGES_LIMIT}"));
        }
        let means = self.means.len();
        if means != count - 1 {
            return Some(format!("{means} means of bins, expected {}", count - 1));
        }
        if !self.means.iter().all(|mean| (0.0..=1.0).contains(mean)) {
            return Some("means of bins, expected numbers in [0, 1]".to_owned());
        }
        let rises = self.edges.windows(2).all(|bin| bin[0] < bin[1]);
        let finite = self.edges.iter().all(|edge| edge.is_finite());
        (!(rises && finite)).then(|| "edges of bins, expected finite numbers that rise".to_owned())
    }
}

/// The difference of huge numbers is none that there is.
fn width(bin: &[f64]) -> f64 {
    (bin[1] - bin[0]).min(f64::MAX)
}

fn share(start: f64, width: f64, value: f64) -> f64 {
    ((value - start) / width).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(numbers: &[f64], bins: usize) -> Vec<f64> {
        let sorted: Vec<(f64, u64)> = numbers.iter().map(|number| (*number, 1)).collect();
        Bins::fit(&sorted, bins).map_or_else(Vec::new, |bins| bins.edges)
    }

    #[test]
    fn bins_hold_as_many_rows_each() {
        let numbers: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(edges(&numbers, 4), [1.0, 25.0, 50.0, 75.0, 100.0]);
        // Few numbers have a bin each.
        assert_eq!(edges(&[1.0, 1.0, 2.0, 5.0, 5.0], 16), [1.0, 2.0, 5.0]);
        assert_eq!(edges(&[1.0, 2.0], 16), [0.0; 0]);
        assert_eq!(edges(&[], 16), [0.0; 0]);
    }

    #[test]
    fn a_frequent_number_takes_one_edge() {
        let mut numbers = vec![0.0; 900];
        numbers.extend((1..=100).map(f64::from));
        assert_eq!(edges(&numbers, 6), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        // The same, of numbers that stand for several rows.
        let mut runs = vec![(0.0, 900)];
        runs.extend((1..=100).map(|i| (f64::from(i), 1)));
        assert_eq!(Bins::fit(&runs, 6).unwrap().edges, edges(&numbers, 6));
    }

    #[test]
    fn a_number_passes_bin_after_bin() {
        let encoded = |edges: &[f64], means: &[f64], value| {
            let mut out = vec![0.0; means.len()];
            Bins { edges: edges.to_vec(), means: means.to_vec() }.write(value, &mut out);
            out
        };
        let edges = [-1.0, 0.0, 4.0, 5.0, 6.0];
        let encoded_at = |value| encoded(&edges, &[0.75, 0.5, 0.25, 0.0], value);
        assert_eq!(encoded_at(-7.0), [-1.5, -1.0, -0.5, 0.0]);
        assert_eq!(encoded_at(-0.5), [-0.5, -1.0, -0.5, 0.0]);
        assert_eq!(encoded_at(1.0), [0.5, -0.5, -0.5, 0.0]);
        assert_eq!(encoded_at(6.0), [0.5, 1.0, 1.5, 2.0]);
        assert_eq!(encoded_at(f64::INFINITY), [0.5, 1.0, 1.5, 2.0]);
        assert_eq!(encoded(&[f64::MIN, 0.0, f64::MAX], &[0.0; 2], f64::MAX / 2.0), [2.0, 1.0]);
    }

    #[test]
    fn columns_have_mean_0_over_the_training_rows() {
        let numbers = [(0.0, 900), (1.0, 50), (3.0, 30), (10.0, 20)];
        let bins = Bins::fit(&numbers, 4).unwrap();
        let mut sums = vec![0.0; bins.width()];
        let mut out = vec![0.0; bins.width()];
        for (number, rows) in numbers {
            bins.write(number, &mut out);
            sums.iter_mut().zip(&out).for_each(|(sum, of)| *sum += rows as f32 * of);
        }
        assert!(bins.width() > 1 && sums.iter().all(|sum| sum.abs() < 1e-3), "{sums:?}");
        assert_eq!(bins.means[0], 0.1);
    }

    #[test]
    fn edges_that_do_not_rise_are_a_problem() {
        let problem = |edges: &[f64], means: &[f64]| {
            Bins { edges: edges.to_vec(), means: means.to_vec() }.problem()
        };
        assert_eq!(problem(&[0.0, 1.0], &[0.5]), None);
        let rise = "edges of bins, expected finite numbers that rise";
        for edges in [[1.0, 1.0], [0.0, f64::NAN], [0.0, f64::INFINITY]] {
            assert_eq!(problem(&edges, &[0.5]).as_deref(), Some(rise));
        }
        for (edges, means, expected) in [
            (&[1.0][..], &[][..], "1 edges of bins, expected 2 to 1025"),
            (&[0.0, 1.0], &[0.5, 0.5], "2 means of bins, expected 1"),
            (&[0.0, 1.0], &[f64::NAN], "means of bins, expected numbers in [0, 1]"),
            (&[0.0, 1.0], &[1.5], "means of bins, expected numbers in [0, 1]"),
        ] {
            assert_eq!(problem(edges, means).as_deref(), Some(expected));
        }
    }
}
