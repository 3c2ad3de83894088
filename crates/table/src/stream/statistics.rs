use super::sketch::QuantileSketch;
use crate::preprocess::{Bins, Numeric, PreprocessConfig, Scale, Scaling};

/// What scaling needs to know of a column of numbers that are not all kept.
///
/// Mean and variance are those of all numbers, but for rounding: West 1979, "Updating mean and variance
/// estimates". Quantiles are those of a [`QuantileSketch`].
#[derive(Debug, Clone, Default)]
pub(super) struct NumberStatistics {
    count: u64,
    mean: f64,
    /// The sum of the squared distances from the mean.
    squares: f64,
    range: Option<(f64, f64)>,
    quantiles: QuantileSketch,
}

impl NumberStatistics {
    /// Takes in a finite number.
    pub(super) fn push(&mut self, number: f64) {
        self.count += 1;
        // The distance of two huge numbers is none that there is.
        let distance = (number - self.mean).clamp(f64::MIN, f64::MAX);
        self.mean += distance / self.count as f64;
        self.squares += distance * (number - self.mean).clamp(f64::MIN, f64::MAX);
        let (min, max) = self.range.unwrap_or((number, number));
        self.range = Some((min.min(number), max.max(number)));
        self.quantiles.push(number);
    }

    /// How many numbers there were.
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// What becomes of the column; `None` where the numbers tell nothing, as in memory.
    pub(super) fn fit(&self, any_missing: bool, config: &PreprocessConfig) -> Option<Numeric> {
        let (min, max) = self.range?;
        let [q25, median, q75] = self.quantiles.quantiles([0.25, 0.5, 0.75])?;
        let varies = min != max;
        let scale = || match config.scaling {
            Scaling::Standard => {
                let spread = (self.squares / self.count as f64).sqrt();
                // The squares of huge numbers are infinite, those of tiny ones 0.
                let exact = spread.is_finite() && spread > 0.0;
                Scale::of(self.mean, if exact { spread } else { max / 2.0 - min / 2.0 })
            }
            Scaling::Robust => Scale::of_quartiles([q25, median, q75], [min, max]),
        };
        (varies || any_missing).then(|| Numeric {
            median,
            scale: varies.then(scale),
            bins: match config.numeric_bins {
                0 => None,
                bins => Bins::fit(&self.quantiles.sorted(), bins),
            },
            missing_column: any_missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(numbers: &[f64]) -> NumberStatistics {
        let mut statistics = NumberStatistics::default();
        numbers.iter().for_each(|number| statistics.push(*number));
        statistics
    }

    fn by(scaling: Scaling) -> PreprocessConfig {
        PreprocessConfig { scaling, ..PreprocessConfig::default() }
    }

    #[test]
    fn mean_and_variance_survive_a_large_offset() {
        let numbers: Vec<f64> = (0..10_001).map(|i| 1e9 + f64::from(i) - 5000.0).collect();
        let numeric = statistics(&numbers).fit(false, &by(Scaling::Standard)).unwrap();
        let scale = numeric.scale.unwrap();
        assert_eq!(scale.center, 1e9);
        // Of successive whole numbers: (n² − 1) / 12.
        let expected = ((10_001_f64.powi(2) - 1.0) / 12.0).sqrt();
        assert!((scale.spread / expected - 1.0).abs() < 1e-12, "{} {expected}", scale.spread);
    }

    #[test]
    fn huge_and_tiny_numbers_have_a_spread() {
        for numbers in [[f64::MAX, f64::MIN, 0.0], [1e-300, 2e-300, 3e-300]] {
            for scaling in [Scaling::Standard, Scaling::Robust] {
                let scale = statistics(&numbers).fit(false, &by(scaling)).unwrap().scale.unwrap();
                assert!(scale.spread > 0.0 && scale.spread.is_finite(), "{scale:?}");
                assert!(scale.center.is_finite(), "{scale:?}");
            }
        }
    }

    #[test]
    fn one_number_tells_nothing_unless_some_are_missing() {
        assert_eq!(statistics(&[2.0, 2.0]).fit(false, &by(Scaling::Robust)), None);
        assert_eq!(statistics(&[]).fit(true, &by(Scaling::Robust)), None);
        let numeric = statistics(&[2.0, 2.0]).fit(true, &by(Scaling::Robust)).unwrap();
        assert_eq!((numeric.median, numeric.scale, numeric.missing_column), (2.0, None, true));
    }
}
