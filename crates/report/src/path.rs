//! Lines of points as SVG paths, thinned to what can be seen.

use std::fmt::{self, Write};

/// A coordinate in pixels, written with at most two decimals. What is not finite is written as 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Px(pub(crate) f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = (self.0 * 100.0).round();
        if !hundredths.is_finite() || hundredths == 0.0 {
            return f.write_char('0');
        }
        write!(f, "{}", hundredths / 100.0)
    }
}

/// The runs of points between gaps; `None` is a gap.
pub(crate) fn runs(points: impl IntoIterator<Item = Option<(f64, f64)>>) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    for point in points {
        match (point, runs.last_mut()) {
            (Some(point), Some(run)) => run.push(point),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// Thins a run of points, in pixels, to at most four for each stretch that stays within one column of
/// pixels: the first, the lowest, the highest and the last, in their order. What is drawn through them
/// looks the same. Runs of up to `enough` points are left as they are.
pub(crate) fn thin(run: &[(f64, f64)], enough: usize) -> Vec<(f64, f64)> {
    if run.len() <= enough {
        return run.to_vec();
    }
    let mut thinned = Vec::new();
    for stretch in run.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        let order = |a: &usize, b: &usize| stretch[*a].1.total_cmp(&stretch[*b].1);
        let low = (0..stretch.len()).min_by(order).unwrap_or(0);
        let high = (0..stretch.len()).max_by(order).unwrap_or(0);
        let mut kept = [0, low, high, stretch.len() - 1];
        kept.sort_unstable();
        let mut last = None;
        for i in kept {
            if last.replace(i) != Some(i) {
                thinned.push(stretch[i]);
            }
        }
    }
    thinned
}

/// The path through the runs: `M0 1L2 3`. A run of one point is left out: it has no length.
pub(crate) fn path(runs: &[Vec<(f64, f64)>]) -> String {
    let mut path = String::new();
    for run in runs.iter().filter(|run| run.len() > 1) {
        for (i, &(x, y)) in run.iter().enumerate() {
            let command = if i == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{} {}", Px(x), Px(y));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short_and_finite() {
        let cases = [
            (1.0, "1"),
            (-0.001, "0"),
            (1.005, "1"),
            (1.239, "1.24"),
            (-2.5, "-2.5"),
            (f64::NAN, "0"),
            (f64::INFINITY, "0"),
        ];
        for (value, text) in cases {
            assert_eq!(Px(value).to_string(), text);
        }
    }

    #[test]
    fn a_gap_parts_two_runs() {
        let points = [None, Some((0.0, 0.0)), Some((1.0, 1.0)), None, None, Some((2.0, 2.0))];
        let runs = runs(points);
        assert_eq!(runs, [vec![(0.0, 0.0), (1.0, 1.0)], vec![(2.0, 2.0)]]);
        assert_eq!(path(&runs), "M0 0L1 1");
    }

    #[test]
    fn thinning_keeps_lowest_highest_and_both_ends() {
        let mut run: Vec<(f64, f64)> =
            (0..100_000).map(|i| (f64::from(i) / 200.0, f64::from(i % 97))).collect();
        run[43_210].1 = 1e6;
        run[77_777].1 = -1e6;
        let thinned = thin(&run, 1000);
        assert!(thinned.len() <= 2000, "{} points", thinned.len());
        for kept in [run[0], run[43_210], run[77_777], run[99_999]] {
            assert!(thinned.contains(&kept), "{kept:?}");
        }
        assert!(thinned.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(thin(&run[..900], 1000), run[..900]);
    }

    #[test]
    fn a_vertical_stretch_is_thinned_too() {
        let run: Vec<(f64, f64)> = (0..5000).map(|i| (0.0, f64::from(i))).collect();
        assert_eq!(thin(&run, 1000), [(0.0, 0.0), (0.0, 4999.0)]);
    }
}
