/// A quantile of sorted values, interpolated between neighbours as NumPy does by default; `fraction` is in
/// [0, 1].
///
/// # Panics
///
/// If there are no values.
pub fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let at = fraction * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    let gap = above - below;
    if gap.is_finite() {
        below + gap * at.fract()
    } else {
        below * (1.0 - at.fract()) + above * at.fract()
    }
}
