/// Numbers kept at each level.
const LEVEL: usize = 8192;

/// The quantiles of more numbers than can be kept.
///
/// Level `l` holds up to 8192 numbers that stand for 2ˡ numbers each. A full level is sorted, and every
/// second number of it moves on to the next level: the first, third, … and the second, fourth, … in turn.
/// So a rank is off by at most 2ˡ for each time that level `l` was full, and by less than
/// `levels / 16384` of all numbers, whatever they are and in whichever order they come; the errors of two
/// successive turns are of opposite sign, so that the usual error is far smaller. Up to 8192 numbers are
/// kept as they are.
///
/// The same numbers in the same order give the same quantiles: nothing is drawn at random.
///
/// From Manku, Rajagopalan and Lindsay 1998, "Approximate medians and other quantiles in one pass and with
/// limited memory", with the levels of Karnin, Lang and Liberty 2016 (arXiv:1603.05346). Of the crates that
/// have the latter, Apache's `datasketches` takes its coin from the process's random state, so that no run
/// could be repeated.
#[derive(Debug, Clone, Default)]
pub(super) struct QuantileSketch {
    levels: Vec<Level>,
}

#[derive(Debug, Clone, Default)]
struct Level {
    numbers: Vec<f64>,
    /// Whether the second number of each pair is the next to move on.
    second: bool,
}

impl QuantileSketch {
    /// Takes in a finite number.
    pub(super) fn push(&mut self, number: f64) {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        self.levels[0].numbers.push(number);
        let mut full = 0;
        while self.levels[full].numbers.len() == LEVEL {
            let level = &mut self.levels[full];
            level.numbers.sort_unstable_by(f64::total_cmp);
            let first = usize::from(level.second);
            level.second = !level.second;
            let numbers = std::mem::take(&mut level.numbers);
            full += 1;
            if full == self.levels.len() {
                self.levels.push(Level::default());
            }
            self.levels[full].numbers.extend(numbers.iter().skip(first).step_by(2));
            // Its room is used again.
            self.levels[full - 1].numbers = numbers;
            self.levels[full - 1].numbers.clear();
        }
    }

    /// The numbers that are kept, ascending, and how many each stands for.
    pub(super) fn sorted(&self) -> Vec<(f64, u64)> {
        let mut weighted: Vec<(f64, u64)> = Vec::new();
        for (level, Level { numbers, .. }) in self.levels.iter().enumerate() {
            weighted.extend(numbers.iter().map(|number| (*number, 1 << level)));
        }
        weighted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        weighted
    }

    /// The numbers at these fractions of the ranks, each in [0, 1]; none of no numbers. Between neighbours
    /// it interpolates as [`quantile`](kiln_data::quantile) does.
    pub(super) fn quantiles<const N: usize>(&self, fractions: [f64; N]) -> Option<[f64; N]> {
        let weighted = self.sorted();
        if weighted.is_empty() {
            return None;
        }
        let mut end = 0;
        let ends: Vec<u64> = weighted
            .iter()
            .map(|(_, weight)| {
                end += weight;
                end
            })
            .collect();
        let at = |rank: u64| weighted[ends.partition_point(|end| *end <= rank)].0;
        Some(fractions.map(|fraction| {
            let rank = fraction * (end - 1) as f64;
            let (below, above) = (at(rank.floor() as u64), at(rank.ceil() as u64));
            kiln_data::quantile(&[below, above], rank.fract())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_data::{permutation, quantile};

    fn sketch(numbers: impl IntoIterator<Item = f64>) -> QuantileSketch {
        let mut sketch = QuantileSketch::default();
        numbers.into_iter().for_each(|number| sketch.push(number));
        sketch
    }

    #[test]
    fn few_numbers_have_their_own_quantiles() {
        let numbers: Vec<f64> = (0..8191).map(|i| ((i * 37) % 8191) as f64 * 0.3).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let fractions = [0.0, 0.1, 0.25, 0.5, 0.77, 1.0];
        let found = sketch(numbers).quantiles(fractions).unwrap();
        assert_eq!(found, fractions.map(|fraction| quantile(&sorted, fraction)));
        assert_eq!(sketch([7.0]).quantiles([0.5]), Some([7.0]));
        assert_eq!(sketch([]).quantiles([0.5]), None);
    }

    #[test]
    fn ranks_are_within_the_stated_error_in_any_order() {
        const N: usize = 1_000_000;
        let orders: [(&str, Vec<usize>); 4] = [
            ("rising", (0..N).collect()),
            ("falling", (0..N).rev().collect()),
            ("shuffled", permutation(N, 3, 0)),
            (
                "from both ends",
                (0..N).map(|i| if i % 2 == 0 { i / 2 } else { N - 1 - i / 2 }).collect(),
            ),
        ];
        for (name, order) in orders {
            let sketch = sketch(order.into_iter().map(|i| i as f64));
            let levels = sketch.levels.len();
            assert_eq!(levels, 8, "{name}");
            let bound = levels as f64 / 16384.0;
            let fractions = std::array::from_fn::<f64, 101, _>(|i| i as f64 / 100.0);
            for (fraction, found) in fractions.into_iter().zip(sketch.quantiles(fractions).unwrap())
            {
                let error = (found / (N - 1) as f64 - fraction).abs();
                assert!(error < bound, "{name}: {fraction} is off by {error}");
            }
        }
    }

    #[test]
    fn it_keeps_few_numbers() {
        let sketch = sketch((0..1_000_000).map(f64::from));
        let kept: usize = sketch.levels.iter().map(|level| level.numbers.capacity()).sum();
        assert!(kept <= sketch.levels.len() * 2 * LEVEL, "{kept}");
    }
}
