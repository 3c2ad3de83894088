//! Ticks at round numbers.

use crate::number::{fixed, scientific};

/// The largest step of 1, 2 or 5 times a power of ten that cuts `span` into at least about `count` parts.
///
/// `span` is positive and finite, `count` at least 1.
pub(crate) fn step(span: f64, count: usize) -> f64 {
    let raw = span / count as f64;
    let power = 10_f64.powi(raw.log10().floor() as i32);
    let nice = match raw / power {
        r if r < 1.5 => 1.0,
        r if r < 3.5 => 2.0,
        r if r < 7.5 => 5.0,
        _ => 10.0,
    };
    nice * power
}

/// The multiples of `step` within `lo..=hi`.
pub(crate) fn linear(lo: f64, hi: f64, step: f64) -> Vec<f64> {
    // A bound that is a multiple of the step, but for rounding, has its tick.
    let first = (lo / step - 1e-6).ceil();
    let last = (hi / step + 1e-6).floor();
    let count = (last - first).clamp(-1.0, 100.0) as i64 + 1;
    (0..count).map(|i| (first + i as f64) * step).collect()
}

/// Ticks of a logarithmic axis, where 0 < `lo` < `hi`: powers of ten; within few of them also their
/// multiples by 2 and 5; within less than that as on a linear axis.
pub(crate) fn log(lo: f64, hi: f64, count: usize) -> Vec<f64> {
    let within = |tick: &f64| (lo * (1.0 - 1e-9)..=hi * (1.0 + 1e-9)).contains(tick);
    let (first, last) = (lo.log10().floor() as i32, hi.log10().ceil() as i32);
    let every = (last - first).unsigned_abs().div_ceil(count.max(1) as u32).max(1) as i32;
    let powers = (first..=last).filter(|k| k % every == 0).map(|k| 10_f64.powi(k));
    let powers: Vec<f64> = powers.filter(within).collect();
    if powers.len() >= 3 {
        return powers;
    }
    let multiples = (first..=last).flat_map(|k| [1.0, 2.0, 5.0].map(|m| m * 10_f64.powi(k)));
    let multiples: Vec<f64> = multiples.filter(within).collect();
    if multiples.len() >= 3 {
        return multiples;
    }
    linear(lo, hi, step(hi - lo, count))
}

/// The texts of ticks of a linear axis: all with the same number of decimals.
pub(crate) fn linear_labels(ticks: &[f64], step: f64) -> Vec<String> {
    let largest = ticks.iter().fold(0.0_f64, |largest, tick| largest.max(tick.abs()));
    if largest < 1e6 && step >= 0.999e-4 {
        let place = (step * (1.0 + 1e-9)).log10().floor() as i32;
        let decimals = place.min(0).unsigned_abs() as usize;
        return ticks.iter().map(|&tick| fixed(tick, decimals)).collect();
    }
    let exact = |decimals: &usize| {
        ticks.iter().all(|tick| {
            let written: f64 = format!("{tick:.decimals$e}").parse().unwrap_or(f64::NAN);
            (written - tick).abs() < 0.01 * step
        })
    };
    let decimals = (0..15).find(exact).unwrap_or(15);
    ticks.iter().map(|&tick| scientific(tick, decimals)).collect()
}

/// The texts of ticks of a logarithmic axis: each as short as it can be, all written in the same way.
pub(crate) fn log_labels(ticks: &[f64]) -> Vec<String> {
    let plain = ticks.iter().all(|tick| (0.999e-4..1e6).contains(tick));
    let label = |&tick: &f64| {
        let decimals = (0..6).find(|&d| {
            let scaled = tick * 10_f64.powi(d);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        });
        match decimals {
            Some(decimals) if plain || tick == 1.0 => fixed(tick, decimals as usize),
            _ => {
                let mantissa = tick / 10_f64.powf((tick * (1.0 + 1e-9)).log10().floor());
                let whole = (mantissa - mantissa.round()).abs() < 1e-6;
                scientific(tick, if whole { 0 } else { 1 })
            }
        }
    };
    ticks.iter().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_ticks_are_round_numbers_within_the_range() {
        let cases: [(f64, f64, &[&str]); 12] = [
            (0.0, 1.0, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
            (0.0, 100.0, &["0", "20", "40", "60", "80", "100"]),
            (1.0, 40.0, &["10", "20", "30", "40"]),
            (-1.0, 1.0, &["−1.0", "−0.5", "0.0", "0.5", "1.0"]),
            (0.13, 2.31, &["0.5", "1.0", "1.5", "2.0"]),
            (0.0, 12_345.0, &["0", "2,000", "4,000", "6,000", "8,000", "10,000", "12,000"]),
            (0.0, 5e6, &["0", "10⁶", "2×10⁶", "3×10⁶", "4×10⁶", "5×10⁶"]),
            (0.0, 1e-5, &["0", "2×10⁻⁶", "4×10⁻⁶", "6×10⁻⁶", "8×10⁻⁶", "10⁻⁵"]),
            (99.0, 99.5, &["99.0", "99.1", "99.2", "99.3", "99.4", "99.5"]),
            (-3e-3, -1e-3, &["−0.0030", "−0.0025", "−0.0020", "−0.0015", "−0.0010"]),
            (0.0, 3.0, &["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"]),
            (0.0, 2e300, &["0", "5.0×10²⁹⁹", "1.0×10³⁰⁰", "1.5×10³⁰⁰", "2.0×10³⁰⁰"]),
        ];
        for (lo, hi, expected) in cases {
            let step = step(hi - lo, 5);
            assert_eq!(linear_labels(&linear(lo, hi, step), step), expected, "{lo}..{hi}");
        }
    }

    #[test]
    fn log_ticks_are_powers_of_ten_or_what_lies_between_them() {
        let cases: [(f64, f64, &[&str]); 7] = [
            (1.0, 1000.0, &["1", "10", "100", "1,000"]),
            (1e-5, 1.0, &["10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "1"]),
            (1e-12, 1e12, &["10⁻¹²", "10⁻⁸", "10⁻⁴", "1", "10⁴", "10⁸", "10¹²"]),
            (0.1, 1.0, &["0.1", "0.2", "0.5", "1"]),
            (0.03, 3.0, &["0.05", "0.1", "0.2", "0.5", "1", "2"]),
            (2.0, 3.0, &["2", "2.2", "2.4", "2.6", "2.8", "3"]),
            (2e-7, 1e-6, &["2×10⁻⁷", "5×10⁻⁷", "10⁻⁶"]),
        ];
        for (lo, hi, expected) in cases {
            assert_eq!(log_labels(&log(lo, hi, 6)), expected, "{lo}..{hi}");
        }
    }

    #[test]
    fn no_range_has_many_ticks() {
        for exponent in -300..300 {
            let span = 3.7 * 10_f64.powi(exponent);
            let count = linear(-span / 3.0, span, step(span, 6)).len();
            assert!((3..=12).contains(&count), "{span}: {count}");
        }
        assert!(log(1e-300, 1e300, 6).len() <= 8);
    }
}
