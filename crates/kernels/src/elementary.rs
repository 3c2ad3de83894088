//! Elementary functions without branches or calls, so that loops over them become vector
//! instructions. Relative errors are below 4e-7, checked against `f64` at the foot of the file.

use crate::simd::{Simd, mul_add};

/// c₀ + c₁x + c₂x² + …
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    coefficients.into_iter().rev().fold(0.0, |sum, c| mul_add::<S>(sum, x, c))
}

/// `x`, or 0 where it is smaller than `least`.
///
/// Numbers below 1.2e-38 are subnormal, with which processors calculate a hundred times slower. Products and
/// decaying means of numbers that are nearly 0 end there, so they are cut off before, where they are far too
/// small to change a weight.
#[inline(always)]
pub(crate) fn cut_off(x: f32, least: f32) -> f32 {
    if x.abs() < least { 0.0 } else { x }
}

/// The rows of a fitted network have gradients down to 1e-38, of which the products in the layers below would be
/// subnormal.
pub(crate) const LEAST_SLOPE: f32 = 1e-20;

/// eˣ for x ≤ 0, and no less than 1.6e-38, so that nothing is subnormal, which is slow.
///
/// x = n·ln 2 + r; e^r by the polynomial of Cephes' `expf` (Moshier 1989).
#[inline(always)]
pub(crate) fn exp_negative<S: Simd>(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5·2²³ leaves the nearest whole number in the low bits: there is no vector
    // instruction for `round` everywhere.
    const ROUND: f32 = 12_582_912.0;
    // `max` takes the other for a NaN; it must come out again.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = mul_add::<S>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = mul_add::<S>(n, -LN_2_HIGH, x);
    let r = mul_add::<S>(n, -LN_2_LOW, r);
    let tail = polynomial::<S, 6>(
        r,
        [0.5, 1.666_666_5e-1, 4.166_579_6e-2, 8.333_452e-3, 1.398_2e-3, 1.987_569_1e-4],
    );
    let fraction = mul_add::<S>(r * r, tail, r) + 1.0;
    // 2ⁿ: n goes into the exponent's bits.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    fraction * power
}

/// ln(1 + e) for e in [0, 1]: 2·artanh(s), s = e/(2 + e) ≤ 1/3.
#[inline(always)]
pub(crate) fn ln_1p_fraction<S: Simd>(e: f32) -> f32 {
    let s = e / (2.0 + e);
    let series = polynomial::<S, 8>(
        s * s,
        [1.0, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0],
    );
    2.0 * s * series
}

/// σ(x) and σ(−x), neither of which is 1 less the other where that would lose digits.
#[inline(always)]
pub(crate) fn sigmoids<S: Simd>(x: f32) -> (f32, f32) {
    let e = exp_negative::<S>(-x.abs());
    let large = 1.0 / (1.0 + e);
    let small = e * large;
    if x > 0.0 { (large, small) } else { (small, large) }
}

/// ln(1 + eˣ), which is −ln σ(−x).
#[inline(always)]
pub(crate) fn softplus<S: Simd>(x: f32) -> f32 {
    let positive = if x < 0.0 { 0.0 } else { x };
    positive + ln_1p_fraction::<S>(exp_negative::<S>(-x.abs()))
}

/// tanh(x) and its slope. Below 0.625 the polynomial of Cephes' `tanhf`.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(x: f32) -> (f32, f32) {
    let e = exp_negative::<S>(-2.0 * x.abs());
    let quotient = 1.0 / (1.0 + e);
    let far = (1.0 - e) * quotient;
    let square = x * x;
    let series = polynomial::<S, 5>(
        square,
        [-3.333_328e-1, 1.333_140_4e-1, -5.374_397e-2, 2.063_909e-2, -5.704_988_7e-3],
    );
    let near = mul_add::<S>(x * square, series, x);
    let value = if x.abs() < 0.625 { near } else { far.copysign(x) };
    (value, 4.0 * e * quotient * quotient)
}

/// Φ(x) and φ(x), distribution function and density of the standard normal distribution.
///
/// The complementary error function is the Chebyshev fit of Press et al., Numerical Recipes,
/// section 6.2 (`erfcc`), whose fractional error is below 1.2e-7.
#[inline(always)]
pub(crate) fn normal<S: Simd>(x: f32) -> (f32, f32) {
    const INVERSE_SQRT_TAU: f32 = 0.398_942_3;
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / mul_add::<S>(z, 0.5, 1.0);
    let fit = polynomial::<S, 10>(
        t,
        [
            -1.265_512_2,
            1.000_023_7,
            0.374_091_96,
            0.096_784_18,
            -0.186_288_06,
            0.278_868_07,
            -1.135_204,
            1.488_515_9,
            -0.822_152_23,
            0.170_872_77,
        ],
    );
    let tail = 0.5 * t * exp_negative::<S>(mul_add::<S>(-z, z, fit));
    let value = if x < 0.0 { tail } else { 1.0 - tail };
    (value, INVERSE_SQRT_TAU * exp_negative::<S>(-0.5 * x * x))
}

#[cfg(test)]
mod tests {
    use super::*;
    // Neither needs the processor to have it; what a set has of its own is not in question here.
    use crate::simd::{Neon, Plain};

    /// The largest error relative to the value, over a grid of `[from, to]`.
    fn error(from: f64, to: f64, found: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
        // Miri interprets, a thousand times slower.
        let steps = if cfg!(miri) { 50 } else { 20_000 };
        (0..=steps)
            .map(|i| {
                let x = (from + (to - from) * f64::from(i) / f64::from(steps)) as f32;
                let exact = exact(f64::from(x));
                (f64::from(found(x)) - exact).abs() / exact.abs().max(1e-30)
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn values_are_exact_to_four_ten_millionths() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        for (name, error) in [
            ("exp", error(-80.0, 0.0, exp_negative::<Neon>, f64::exp)),
            ("exp without fma", error(-80.0, 0.0, exp_negative::<Plain>, f64::exp)),
            ("ln_1p", error(0.0, 1.0, ln_1p_fraction::<Neon>, f64::ln_1p)),
            ("sigmoid", error(-30.0, 30.0, |x| sigmoids::<Neon>(x).0, sigmoid)),
            ("1 - sigmoid", error(-30.0, 30.0, |x| sigmoids::<Neon>(x).1, |x| sigmoid(-x))),
            ("softplus", error(-30.0, 30.0, softplus::<Neon>, |x| x.exp().ln_1p())),
            ("tanh", error(-9.0, 9.0, |x| tanh::<Neon>(x).0, f64::tanh)),
            ("tanh'", error(-9.0, 9.0, |x| tanh::<Neon>(x).1, |x| x.cosh().powi(-2))),
            (
                "normal",
                error(
                    -3.0,
                    6.0,
                    |x| normal::<Neon>(x).0,
                    |x| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
                ),
            ),
            (
                "density",
                error(
                    -5.0,
                    5.0,
                    |x| normal::<Neon>(x).1,
                    |x| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt(),
                ),
            ),
        ] {
            // The argument of the last two is a square, with its own rounding.
            let bar = if matches!(name, "normal" | "density") { 1e-6 } else { 4e-7 };
            assert!(error < bar, "{name}: {error:e}");
        }
    }

    #[test]
    fn far_from_zero_values_are_finite_and_nan_stays_nan() {
        for x in [-1e30, -1e9, -200.0, 0.0, 200.0, 1e9, 1e30_f32] {
            let (tanh, slope) = tanh::<Neon>(x);
            let (normal, density) = normal::<Neon>(x);
            let (sigmoid, rest) = sigmoids::<Neon>(x);
            let values = [tanh, slope, normal, density, sigmoid, rest, softplus::<Neon>(x)];
            assert!(values.iter().all(|value| value.is_finite()), "{x}: {values:?}");
        }
        assert!(exp_negative::<Neon>(f32::NAN).is_nan());
        assert!(softplus::<Neon>(f32::NAN).is_nan());
        assert!(tanh::<Neon>(f32::NAN).0.is_nan());
    }
}
