//! An axis: what it shows, and where on it a value lies.

use crate::ticks;

/// An axis of a chart of lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// First and last value. `None`, or a range that the scale can't show, means what the points need.
    pub range: Option<(f64, f64)>,
    /// How values are laid out.
    pub scale: Scale,
}

/// How an axis lays its values out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equally long.
    Linear,
    /// Equal ratios are equally long; values up to 0 are left out.
    Log,
}

/// Larger values count as infinite: differences of two below are finite.
const LARGEST: f64 = 1e300;

/// What an axis spans: `lo < hi`, both usable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    lo: f64,
    hi: f64,
    scale: Scale,
    /// Whether only whole numbers have ticks.
    whole: bool,
}

impl Scale {
    /// Whether the scale can show the value.
    pub(crate) fn shows(self, value: f64) -> bool {
        match self {
            Self::Linear => value.abs() <= LARGEST,
            Self::Log => (1.0 / LARGEST..=LARGEST).contains(&value),
        }
    }
}

impl Span {
    /// The range if it can be shown, or else what the values need.
    pub(crate) fn new(
        range: Option<(f64, f64)>,
        scale: Scale,
        values: impl Iterator<Item = f64>,
    ) -> Self {
        if let Some((lo, hi)) = range
            && scale.shows(lo)
            && scale.shows(hi)
            && differ(lo, hi)
        {
            return Self { lo, hi, scale, whole: false };
        }
        let (mut lo, mut hi, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
        for value in values.filter(|&value| scale.shows(value)) {
            (lo, hi) = (lo.min(value), hi.max(value));
            whole &= value.fract() == 0.0;
        }
        let (lo, hi) = match scale {
            _ if lo <= hi && differ(lo, hi) => (lo, hi),
            Scale::Linear if lo > hi => (0.0, 1.0),
            Scale::Log if lo > hi => (0.1, 10.0),
            // One value has its place in the middle.
            Scale::Linear => {
                let around = if lo == 0.0 { 1.0 } else { (lo.abs() * 0.1).max(1e-200) };
                (lo - around, hi + around)
            }
            Scale::Log => ((lo / 2.0).max(1.0 / LARGEST), (hi * 2.0).min(LARGEST)),
        };
        Self { lo, hi, scale, whole: whole && scale == Scale::Linear }
    }

    /// Widens a linear span to the next ticks, a logarithmic one by a little.
    pub(crate) fn rounded(self, count: usize) -> Self {
        let (lo, hi) = match self.scale {
            Scale::Linear => {
                let step = self.step(count);
                ((self.lo / step + 1e-6).floor() * step, (self.hi / step - 1e-6).ceil() * step)
            }
            Scale::Log => {
                let factor = (self.hi / self.lo).powf(0.03).min(1e3);
                ((self.lo / factor).max(1.0 / LARGEST), (self.hi * factor).min(LARGEST))
            }
        };
        Self { lo, hi, ..self }
    }

    /// Where a value that the scale shows lies: 0 at the first value, 1 at the last, linearly on.
    pub(crate) fn at(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.lo) / (self.hi - self.lo),
            Scale::Log => (value.log10() - self.lo.log10()) / (self.hi.log10() - self.lo.log10()),
        }
    }

    /// About `count` ticks: where they lie, from 0 to 1, and their texts.
    pub(crate) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let (ticks, labels) = match self.scale {
            Scale::Linear => {
                let step = self.step(count);
                let ticks = ticks::linear(self.lo, self.hi, step);
                let labels = ticks::linear_labels(&ticks, step);
                (ticks, labels)
            }
            Scale::Log => {
                let ticks = ticks::log(self.lo, self.hi, count);
                let labels = ticks::log_labels(&ticks);
                (ticks, labels)
            }
        };
        ticks.into_iter().map(|tick| self.at(tick)).zip(labels).collect()
    }

    fn step(&self, count: usize) -> f64 {
        let step = ticks::step(self.hi - self.lo, count);
        if self.whole { step.max(1.0) } else { step }
    }
}

/// Whether there is room for ticks between the two.
fn differ(lo: f64, hi: f64) -> bool {
    hi - lo > 1e-9 * lo.abs().max(hi.abs()) && hi - lo > 1e-290
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(values: &[f64]) -> Span {
        Span::new(None, Scale::Linear, values.iter().copied())
    }

    #[test]
    fn a_span_covers_the_values_that_can_be_shown() {
        let span = linear(&[3.5, f64::NAN, 1.0, f64::INFINITY, -f64::INFINITY]);
        assert_eq!((span.lo, span.hi, span.whole), (1.0, 3.5, false));
        let span = Span::new(None, Scale::Log, [0.0, -5.0, 0.01, 1.0].into_iter());
        assert_eq!((span.lo, span.hi), (0.01, 1.0));
    }

    #[test]
    fn one_value_is_in_the_middle_and_none_is_an_empty_span() {
        for value in [0.0, 1.0, -7.5, 1e300, 5e-324, -1e-250] {
            assert!((linear(&[value, value]).at(value) - 0.5).abs() < 1e-9, "{value}");
        }
        let span = Span::new(None, Scale::Log, [4.0].into_iter());
        assert!((span.at(4.0) - 0.5).abs() < 1e-9);
        assert_eq!((linear(&[]).lo, linear(&[]).hi), (0.0, 1.0));
    }

    #[test]
    fn a_range_that_cannot_be_shown_is_ignored() {
        for range in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            let span = Span::new(Some(range), Scale::Linear, [5.0, 6.5].into_iter());
            assert_eq!((span.lo, span.hi), (5.0, 6.5), "{range:?}");
        }
        let span = Span::new(Some((0.0, 1.0)), Scale::Log, [0.5, 1.0].into_iter());
        assert_eq!((span.lo, span.hi), (0.5, 1.0));
        let span = Span::new(Some((0.0, 1.0)), Scale::Linear, [5.0].into_iter());
        assert_eq!((span.lo, span.hi), (0.0, 1.0));
    }

    #[test]
    fn whole_numbers_have_no_ticks_between_them() {
        let labels: Vec<_> = linear(&[1.0, 3.0]).ticks(6).into_iter().map(|t| t.1).collect();
        assert_eq!(labels, ["1", "2", "3"]);
    }

    #[test]
    fn rounding_ends_a_span_at_ticks() {
        let span = linear(&[0.13, 2.31]).rounded(5);
        assert_eq!((span.lo, span.hi), (0.0, 2.5));
        let span = linear(&[-1e300, 1e300]).rounded(5);
        assert!(span.at(0.0).is_finite() && span.ticks(5).len() > 2);
    }
}
