use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How the probability is found from which on a row of a binary task is called positive.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum ThresholdRule {
    /// One half: the more probable class.
    #[default]
    Half,
    /// This probability, above 0 and below 1.
    Given(f64),
    /// The largest F1 of the positive class, `2 tp / (2 tp + fp + fn)`.
    F1,
    /// The largest sum of sensitivity and specificity (Youden, "Index for rating diagnostic tests", 1950).
    Youden,
    /// The lowest cost, where a right decision costs nothing.
    Cost {
        /// Of a negative row called positive; above 0.
        false_positive: f64,
        /// Of a positive row called negative; above 0.
        false_negative: f64,
    },
}

impl ThresholdRule {
    /// Whether rows with known classes are needed to choose by it.
    pub fn needs_rows(self) -> bool {
        matches!(self, Self::F1 | Self::Youden | Self::Cost { .. })
    }

    /// The threshold, above 0 and below 1, that is best on these rows: half-way between two probabilities,
    /// and of equally good ones the nearest to 1/2. One half without rows of both classes, or where a
    /// probability is NaN.
    ///
    /// # Panics
    ///
    /// When `probabilities` and `positive` differ in length.
    pub fn choose(self, probabilities: &[f64], positive: &[bool]) -> f64 {
        assert_eq!(probabilities.len(), positive.len(), "one probability for each row");
        let gain = |[true_positives, false_positives]: [f64; 2],
                    [positives, negatives]: [f64; 2]| {
            match self {
                Self::Half | Self::Given(_) => 0.0,
                Self::F1 => 2.0 * true_positives / (true_positives + false_positives + positives),
                Self::Youden => true_positives / positives - false_positives / negatives,
                Self::Cost { false_positive, false_negative } => {
                    let missed = positives - true_positives;
                    -(false_positive * false_positives + false_negative * missed)
                }
            }
        };
        match self {
            Self::Half => return 0.5,
            Self::Given(threshold) => return threshold,
            Self::F1 | Self::Youden | Self::Cost { .. } => {}
        }
        let mut rows: Vec<(f64, bool)> =
            probabilities.iter().copied().zip(positive.iter().copied()).collect();
        let positives = positive.iter().filter(|positive| **positive).count();
        let all = [positives as f64, (rows.len() - positives) as f64];
        if all.contains(&0.0) || probabilities.iter().any(|p| p.is_nan()) {
            return 0.5;
        }
        rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let mut claimed = [0.0; 2];
        // Above all rows: none is called positive.
        let mut best = (gain(claimed, all), f64::midpoint(rows[0].0, 1.0));
        let mut consider = |gain: f64, threshold: f64| {
            let from_half = |threshold: f64| (threshold - 0.5).abs();
            let equal = (gain - best.0).abs() <= 1e-12 * gain.abs().max(best.0.abs());
            if (gain > best.0 && !equal) || (equal && from_half(threshold) < from_half(best.1)) {
                best = (gain, threshold);
            }
        };
        for tie in rows.chunk_by(|a, b| a.0 == b.0) {
            for (_, positive) in tie {
                claimed[usize::from(!positive)] += 1.0;
            }
            let below = rows.get(claimed.iter().sum::<f64>() as usize).map_or(0.0, |row| row.0);
            // One half itself, where it parts the same rows.
            let between = if (below..=tie[0].0).contains(&0.5) && below < 0.5 {
                0.5
            } else {
                f64::midpoint(below, tie[0].0)
            };
            consider(gain(claimed, all), between);
        }
        // A probability may be 0 or 1 itself.
        best.1.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON)
    }
}

/// `half`, `f1`, `youden`, `cost:FP:FN`, or a number.
impl fmt::Display for ThresholdRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Half => f.write_str("half"),
            Self::Given(threshold) => write!(f, "{threshold}"),
            Self::F1 => f.write_str("f1"),
            Self::Youden => f.write_str("youden"),
            Self::Cost { false_positive, false_negative } => {
                write!(f, "cost:{false_positive}:{false_negative}")
            }
        }
    }
}

impl FromStr for ThresholdRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let cost =
            |text: &str| text.parse().ok().filter(|cost: &f64| *cost > 0.0 && cost.is_finite());
        let rule = match text.split(':').collect::<Vec<_>>()[..] {
            ["half"] => Some(Self::Half),
            ["f1"] => Some(Self::F1),
            ["youden"] => Some(Self::Youden),
            ["cost", positive, negative] => {
                cost(positive).zip(cost(negative)).map(|(false_positive, false_negative)| {
                    Self::Cost { false_positive, false_negative }
                })
            }
            [number] => number.parse().ok().filter(|p| *p > 0.0 && *p < 1.0).map(Self::Given),
            _ => None,
        };
        rule.ok_or_else(|| {
            "expected a number above 0 and below 1, half, f1, youden, or cost:FP:FN, the costs above 0 \
             of a false positive and a false negative"
                .to_owned()
        })
    }
}

impl Serialize for ThresholdRule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ThresholdRule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: [f64; 6] = [0.1, 0.2, 0.3, 0.4, 0.8, 0.9];
    const POSITIVE: [bool; 6] = [false, false, true, false, true, true];

    fn choose(rule: &str) -> f64 {
        rule.parse::<ThresholdRule>().unwrap().choose(&P, &POSITIVE)
    }

    #[test]
    fn each_rule_finds_its_best_threshold() {
        // F1 of 2/3 recall and precision 1 is 0.8; of all three positives, 6/7.
        assert_eq!(choose("f1"), 0.25);
        // 2/3 from 0.5 on; 1 - 1/3 from 0.25 on is the same, and farther from one half.
        assert_eq!(choose("youden"), 0.5);
        assert_eq!(choose("cost:10:1"), 0.5);
        assert_eq!(choose("cost:1:10"), 0.25);
        assert_eq!(choose("0.7"), 0.7);
        assert_eq!(choose("half"), 0.5);
    }

    #[test]
    fn extremes_stay_inside_0_and_1() {
        let rule = ThresholdRule::Cost { false_positive: 1e9, false_negative: 1e-9 };
        let found = rule.choose(&[1.0, 1.0, 0.5], &[true, false, true]);
        assert!(found > 0.5 && found < 1.0, "{found}");
        let found = ThresholdRule::F1.choose(&[0.0, 0.0, 0.0], &[true, false, true]);
        assert!(found > 0.0 && found < 1e-300, "{found}");
        assert_eq!(ThresholdRule::F1.choose(&[0.2, 0.3], &[true, true]), 0.5);
        assert_eq!(ThresholdRule::F1.choose(&[], &[]), 0.5);
        assert_eq!(ThresholdRule::F1.choose(&[f64::NAN, 0.3], &[true, false]), 0.5);
    }

    #[test]
    fn names_read_back() {
        for name in ["half", "0.25", "f1", "youden", "cost:1:5.5"] {
            assert_eq!(name.parse::<ThresholdRule>().unwrap().to_string(), name);
        }
        for wrong in ["", "F1", "0", "1", "nan", "cost", "cost:1", "cost:0:1", "cost:1:inf", "1:2"]
        {
            assert!(wrong.parse::<ThresholdRule>().is_err(), "{wrong}");
        }
    }
}
