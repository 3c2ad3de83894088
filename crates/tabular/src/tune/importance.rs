use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::{
    hyperparameter::{Hyperparameter, Value},
    space::{Range, Space},
    trial::Trial,
};

/// How much of the differences between trials goes back to a setting alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Importance {
    /// The setting.
    pub name: Hyperparameter,
    /// In [0, 1]; what is missing from 1 over all settings is due to several together.
    pub share: f64,
}

/// With fewer trials a forest tells noise.
const FEWEST_TRIALS: usize = 16;
const TREES: usize = 64;
/// Trials that noise alone does not part from the others.
const LEAST_IN_LEAF: usize = 3;

/// The importance of each searched setting, the largest first; none of fewer than 16 trials.
///
/// fANOVA (Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance",
/// 2014): a random forest predicts the ranks of the trials' losses from their settings, and the variance of
/// what it says, over the whole space, is parted among the settings. Of ranks, so that one loss far off does
/// not outweigh all others. Each split is the best over all settings: of trials that a search has chosen,
/// settings that change together would else stand in for one another.
pub fn importance(space: &Space, trials: &[Trial]) -> Vec<Importance> {
    if trials.len() < FEWEST_TRIALS {
        return Vec::new();
    }
    let point = |trial: &Trial| -> Vec<f64> {
        let settings = space.settings().iter().zip(&trial.values);
        settings.map(|(setting, value)| setting.range.place(value)).collect()
    };
    let rank = |trial: &Trial| {
        trials.iter().filter(|other| other.rank_by() < trial.rank_by()).count() as f64
    };
    let points: Vec<Point> =
        trials.iter().map(|of| Point { at: point(of), rank: rank(of) }).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let forest: Vec<Vec<f64>> = (0..TREES)
        .filter_map(|_| {
            let drawn = (0..points.len()).map(|_| &points[rng.next_u32() as usize % points.len()]);
            let mut leaves = Vec::new();
            grow(drawn.collect(), vec![(0.0, 1.0); space.settings().len()], &mut leaves);
            shares(&leaves)
        })
        .collect();
    let mean = |i: usize| forest.iter().map(|of| of[i]).sum::<f64>() / forest.len().max(1) as f64;
    let settings = space.settings().iter().enumerate();
    let mut importance: Vec<Importance> =
        settings.map(|(i, setting)| Importance { name: setting.name, share: mean(i) }).collect();
    importance.sort_by(|a, b| b.share.total_cmp(&a.share));
    importance
}

impl Range {
    /// Where a value lies, from 0 to 1; choices have equal parts, and lie in the middle of theirs.
    fn place(&self, value: &Value) -> f64 {
        match self {
            Self::Choices(choices) => {
                let place = choices.iter().position(|choice| choice == value).unwrap_or(0);
                (place as f64 + 0.5) / choices.len() as f64
            }
            Self::Numbers { low, high, log } => {
                let number = value.number().unwrap_or(*low).clamp(*low, *high);
                match log {
                    true => (number / low).ln() / (high / low).ln(),
                    false => (number - low) / (high - low),
                }
            }
        }
    }
}

/// A trial in the unit cube of all settings.
struct Point {
    at: Vec<f64>,
    rank: f64,
}

/// A box of the unit cube in which a tree says the same of every point.
struct Leaf {
    sides: Vec<(f64, f64)>,
    says: f64,
}

/// Splits a box where that takes most off the squared distances to the mean, as long as it can.
fn grow(points: Vec<&Point>, sides: Vec<(f64, f64)>, leaves: &mut Vec<Leaf>) {
    let sum: f64 = points.iter().map(|point| point.rank).sum();
    let count = points.len();
    let mut best: Option<(f64, usize, f64)> = None;
    for side in 0..sides.len() {
        let mut sorted = points.clone();
        sorted.sort_by(|a, b| a.at[side].total_cmp(&b.at[side]));
        let mut below = 0.0;
        for left in 1..count {
            below += sorted[left - 1].rank;
            let (low, high) = (sorted[left - 1].at[side], sorted[left].at[side]);
            if low == high || left < LEAST_IN_LEAF || count - left < LEAST_IN_LEAF {
                continue;
            }
            let (n, m) = (left as f64, (count - left) as f64);
            let gain = below.powi(2) / n + (sum - below).powi(2) / m - sum.powi(2) / (n + m);
            if gain > 1e-9 && best.is_none_or(|(most, ..)| gain > most) {
                best = Some((gain, side, low.midpoint(high)));
            }
        }
    }
    let Some((_, side, cut)) = best else {
        return leaves.push(Leaf { sides, says: sum / count as f64 });
    };
    let (below, above): (Vec<&Point>, Vec<&Point>) =
        points.into_iter().partition(|point| point.at[side] < cut);
    let (mut lower, mut upper) = (sides.clone(), sides);
    (lower[side].1, upper[side].0) = (cut, cut);
    grow(below, lower, leaves);
    grow(above, upper, leaves);
}

/// The share of each side in the variance of what a tree says over the cube; `None` if it says the same
/// everywhere.
fn shares(leaves: &[Leaf]) -> Option<Vec<f64>> {
    let length = |(low, high): &(f64, f64)| high - low;
    let volume = |leaf: &Leaf| leaf.sides.iter().map(length).product::<f64>();
    let mean: f64 = leaves.iter().map(|leaf| leaf.says * volume(leaf)).sum();
    let variance: f64 = leaves.iter().map(|leaf| (leaf.says - mean).powi(2) * volume(leaf)).sum();
    let share = |side: usize| {
        let mut cuts: Vec<f64> =
            leaves.iter().flat_map(|leaf| [leaf.sides[side].0, leaf.sides[side].1]).collect();
        cuts.sort_by(f64::total_cmp);
        cuts.dedup();
        let part = |cut: &[f64]| {
            let middle = cut[0].midpoint(cut[1]);
            let over = leaves.iter().filter(|leaf| {
                let (low, high) = leaf.sides[side];
                low < middle && middle < high
            });
            // The mean over all other sides.
            let says = over.map(|leaf| leaf.says * volume(leaf) / length(&leaf.sides[side]));
            (says.sum::<f64>() - mean).powi(2) * (cut[1] - cut[0])
        };
        cuts.windows(2).map(part).sum::<f64>() / variance
    };
    let sides = leaves.first()?.sides.len();
    (variance > 1e-9).then(|| (0..sides).map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(x: (f64, f64), y: (f64, f64), says: f64) -> Leaf {
        Leaf { sides: vec![x, y], says }
    }

    #[test]
    fn variance_is_parted_among_the_sides() {
        let half = [(0.0, 0.5), (0.5, 1.0)];
        let whole = (0.0, 1.0);
        let alone = [leaf(half[0], whole, 1.0), leaf(half[1], whole, 3.0)];
        assert_eq!(shares(&alone), Some(vec![1.0, 0.0]));
        // x counts twice what y does; of 1, 3, 2 and 4 the variance is 1.25, 1 of x and 0.25 of y.
        let sum = [(0, 0, 1.0), (1, 0, 3.0), (0, 1, 2.0), (1, 1, 4.0)];
        let sum = sum.map(|(x, y, says)| leaf(half[x], half[y], says));
        assert_eq!(shares(&sum), Some(vec![0.8, 0.2]));
        let both = [(0, 0, 1.0), (1, 0, 0.0), (0, 1, 0.0), (1, 1, 1.0)];
        let both = both.map(|(x, y, says)| leaf(half[x], half[y], says));
        assert_eq!(shares(&both), Some(vec![0.0, 0.0]), "exclusive or is of neither alone");
        assert_eq!(shares(&[leaf(whole, whole, 1.0)]), None);
    }

    #[test]
    fn a_tree_parts_what_differs() {
        let points: Vec<Point> = (0..20)
            .map(|i| Point {
                at: vec![f64::from(i % 5) / 5.0 + 0.1, f64::from(i) / 20.0],
                rank: if i < 8 { 1.0 } else { 5.0 },
            })
            .collect();
        let mut leaves = Vec::new();
        grow(points.iter().collect(), vec![(0.0, 1.0); 2], &mut leaves);
        let found: Vec<(f64, f64, f64)> =
            leaves.iter().map(|leaf| (leaf.sides[1].0, leaf.sides[1].1, leaf.says)).collect();
        assert_eq!(found, [(0.0, 0.375, 1.0), (0.375, 1.0, 5.0)]);
    }
}
