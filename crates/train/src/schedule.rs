use std::{f64::consts::PI, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::{TrainError, check};

/// How the learning rate changes while a network is trained: a linear warm-up, then a decay.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `warmup_iterations` | 0 | iterations over which the rate rises in equal steps | any |
/// | `decay` | constant | what it does after that | see [`Decay`] |
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// The rate of iteration i, from 0, is (i + 1) / `warmup_iterations` of the full one
    /// (Goyal et al. 2017, arXiv:1706.02677).
    pub warmup_iterations: usize,
    /// What happens after the warm-up.
    pub decay: Decay,
}

impl From<Decay> for Schedule {
    /// Without warm-up.
    fn from(decay: Decay) -> Self {
        Self { warmup_iterations: 0, decay }
    }
}

/// The factor of the learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Decay {
    /// 1.
    #[default]
    Constant,
    /// `factor` to the power ⌊epoch / `epochs`⌋, epochs counted from 0.
    Step {
        /// Epochs between two steps, at least 1.
        epochs: usize,
        /// In (0, 1].
        factor: f64,
    },
    /// `factor` to the power of the epoch, counted from 0.
    Exponential {
        /// In (0, 1].
        factor: f64,
    },
    /// Half a cosine wave from 1 to `final_fraction`, over all iterations that follow the warm-up
    /// (Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts).
    Cosine {
        /// In [0, 1].
        final_fraction: f64,
    },
    /// Half a cosine wave up from `initial_fraction` to 1, another down to `final_fraction`
    /// (Smith & Topin 2018, arXiv:1708.07120). It brings its own warm-up.
    OneCycle {
        /// Share of all iterations on the way up, in (0, 1).
        rise: f64,
        /// In (0, 1].
        initial_fraction: f64,
        /// In [0, 1].
        final_fraction: f64,
    },
    /// Whole cosine waves from 0 up to 1 and back, each twice as long as the one before:
    /// ½(1 − cos(2π·log₂(1 + (2^`cycles` − 1)·t))) at the share t of all iterations. It is 0 at the end of each
    /// cycle, the first of which comes early (`coslog4` of Holzmüller et al. 2024, arXiv:2407.04491): whether
    /// few epochs are best or many, one of the best has a low rate. It brings its own warm-up.
    LogCosine {
        /// From 1 to 16.
        cycles: u32,
    },
    /// Multiplied by `factor` whenever `patience` epochs in a row have not lowered the validation
    /// loss (without validation rows, the training loss) by more than `min_delta`.
    ReduceOnPlateau {
        /// In (0, 1).
        factor: f64,
        /// Epochs, at least 1.
        patience: usize,
        /// ≥ 0.
        min_delta: f64,
        /// The fraction of the first learning rate where it ends, in [0, 1].
        final_fraction: f64,
    },
}

impl Decay {
    /// Half a cosine wave down to 0.
    pub fn cosine() -> Self {
        Self::Cosine { final_fraction: 0.0 }
    }

    /// One cycle with the usual constants: up for 30 % of the iterations from 1/25, down to 4e-6.
    pub fn one_cycle() -> Self {
        Self::OneCycle { rise: 0.3, initial_fraction: 1.0 / 25.0, final_fraction: 1.0 / 25e4 }
    }

    /// Four cycles, of 1/15, 2/15, 4/15 and 8/15 of the iterations.
    pub fn log_cosine() -> Self {
        Self::LogCosine { cycles: 4 }
    }

    /// Reduction on plateau with the usual constants: by 10 after 10 epochs.
    pub fn reduce_on_plateau() -> Self {
        Self::ReduceOnPlateau { factor: 0.1, patience: 10, min_delta: 1e-4, final_fraction: 0.0 }
    }
}

impl Decay {
    /// The name of its kind; [`Decay::from_str`] knows `constant`, `cosine`, `one_cycle`, `log_cosine` and
    /// `plateau`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Step { .. } => "step",
            Self::Exponential { .. } => "exponential",
            Self::Cosine { .. } => "cosine",
            Self::OneCycle { .. } => "one_cycle",
            Self::LogCosine { .. } => "log_cosine",
            Self::ReduceOnPlateau { .. } => "plateau",
        }
    }
}

impl FromStr for Decay {
    type Err = TrainError;

    /// `constant`, `cosine`, `one_cycle`, `log_cosine` or `plateau`, each with its usual constants.
    fn from_str(name: &str) -> Result<Self, TrainError> {
        Ok(match name {
            "constant" => Self::Constant,
            "cosine" => Self::cosine(),
            "one_cycle" => Self::one_cycle(),
            "log_cosine" => Self::log_cosine(),
            "plateau" => Self::reduce_on_plateau(),
            other => {
                let expected = "constant, cosine, one_cycle, log_cosine or plateau";
                return Err(TrainError::field("schedule", format!("\"{other}\""), expected));
            }
        })
    }
}

/// Where in a run an iteration is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// From 0.
    pub(crate) iteration: usize,
    /// From 0.
    pub(crate) epoch: usize,
    /// Of the whole run.
    pub(crate) iterations: usize,
}

impl Schedule {
    pub(crate) fn validate(&self) -> Result<(), TrainError> {
        let fraction = |field: &str, value: f64| {
            let in_range = (0.0..=1.0).contains(&value);
            check(&format!("schedule.decay.{field}"), value, in_range, "a fraction in [0, 1]")
        };
        let positive = |field: &str, value: f64| {
            let in_range = value > 0.0 && value <= 1.0;
            check(&format!("schedule.decay.{field}"), value, in_range, "a fraction in (0, 1]")
        };
        let open = |field: &str, value: f64| {
            let in_range = value > 0.0 && value < 1.0;
            check(&format!("schedule.decay.{field}"), value, in_range, "a fraction in (0, 1)")
        };
        let at_least_one = |field: &str, value: usize| match value {
            0 => Err(TrainError::field(format!("schedule.decay.{field}"), 0, "at least 1")),
            _ => Ok(()),
        };
        match self.decay {
            Decay::Constant => Ok(()),
            Decay::Step { epochs, factor } => {
                at_least_one("epochs", epochs)?;
                positive("factor", factor)
            }
            Decay::Exponential { factor } => positive("factor", factor),
            Decay::Cosine { final_fraction } => fraction("final_fraction", final_fraction),
            Decay::OneCycle { .. } | Decay::LogCosine { .. } if self.warmup_iterations > 0 => {
                let found = self.warmup_iterations;
                let expected =
                    format!("0 with {}, which brings its own warm-up", self.decay.name());
                Err(TrainError::field("schedule.warmup_iterations", found, expected))
            }
            Decay::LogCosine { cycles } => match cycles {
                1..=16 => Ok(()),
                _ => Err(TrainError::field("schedule.decay.cycles", cycles, "1 to 16")),
            },
            Decay::OneCycle { rise, initial_fraction, final_fraction } => {
                open("rise", rise)?;
                positive("initial_fraction", initial_fraction)?;
                fraction("final_fraction", final_fraction)
            }
            Decay::ReduceOnPlateau { factor, patience, min_delta, final_fraction } => {
                open("factor", factor)?;
                at_least_one("patience", patience)?;
                let in_range = min_delta >= 0.0 && min_delta.is_finite();
                let expected = "a finite number, at least 0";
                check("schedule.decay.min_delta", min_delta, in_range, expected)?;
                fraction("final_fraction", final_fraction)
            }
        }
    }

    /// The fraction of the learning rate in force; `plateau` is 1 but for reduction on plateau.
    pub(crate) fn fraction(&self, at: Position, plateau: &Plateau) -> f64 {
        if at.iteration < self.warmup_iterations {
            return (at.iteration + 1) as f64 / self.warmup_iterations as f64;
        }
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Step { epochs, factor } => factor.powf((at.epoch / epochs) as f64),
            Decay::Exponential { factor } => factor.powf(at.epoch as f64),
            Decay::Cosine { final_fraction } => {
                let first = self.warmup_iterations;
                cosine(1.0, final_fraction, progress(at.iteration, first, at.iterations))
            }
            Decay::OneCycle { rise, initial_fraction, final_fraction } => {
                let peak = (rise * at.iterations as f64) as usize;
                if at.iteration < peak {
                    cosine(initial_fraction, 1.0, at.iteration as f64 / peak as f64)
                } else {
                    cosine(1.0, final_fraction, progress(at.iteration, peak, at.iterations))
                }
            }
            Decay::LogCosine { cycles } => {
                let waves = f64::from((1_u32 << cycles) - 1);
                let wave =
                    (1.0 + waves * (at.iteration as f64 + 0.5) / at.iterations as f64).log2();
                0.5 * (1.0 - (2.0 * PI * wave).cos())
            }
            Decay::ReduceOnPlateau { .. } => plateau.fraction,
        }
    }
}

/// 0 at the first iteration, 1 at the last.
fn progress(iteration: usize, first: usize, iterations: usize) -> f64 {
    (iteration - first) as f64 / (iterations - first).saturating_sub(1).max(1) as f64
}

/// Half a cosine wave: `from` at progress 0, `to` at progress 1.
fn cosine(from: f64, to: f64, progress: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + (PI * progress).cos())
}

/// What reduction on plateau remembers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plateau {
    pub(crate) fraction: f64,
    best: Option<f64>,
    epochs_without: usize,
}

impl Plateau {
    pub(crate) fn new() -> Self {
        Self { fraction: 1.0, best: None, epochs_without: 0 }
    }

    /// Takes in the loss of an epoch.
    pub(crate) fn observe(&mut self, schedule: &Schedule, loss: f64) {
        let Decay::ReduceOnPlateau { factor, patience, min_delta, final_fraction } = schedule.decay
        else {
            return;
        };
        if self.best.is_none_or(|best| loss < best - min_delta) {
            self.best = Some(loss);
            self.epochs_without = 0;
            return;
        }
        self.epochs_without += 1;
        if self.epochs_without >= patience {
            self.fraction = (self.fraction * factor).max(final_fraction);
            self.epochs_without = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fractions of a run of 5 epochs of 2 iterations.
    fn fractions(schedule: Schedule) -> Vec<f64> {
        schedule.validate().unwrap();
        let at = |iteration| Position { iteration, epoch: iteration / 2, iterations: 10 };
        (0..10).map(|iteration| schedule.fraction(at(iteration), &Plateau::new())).collect()
    }

    fn decay(decay: Decay) -> Schedule {
        decay.into()
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn constant_stays() {
        assert_eq!(fractions(Schedule::default()), [1.0; 10]);
    }

    #[test]
    fn warm_up_rises_in_equal_steps_to_the_full_rate() {
        let schedule = Schedule { warmup_iterations: 4, decay: Decay::Constant };
        assert_close(&fractions(schedule), &[0.25, 0.5, 0.75, 1., 1., 1., 1., 1., 1., 1.]);
    }

    #[test]
    fn step_falls_every_so_many_epochs() {
        let schedule = decay(Decay::Step { epochs: 2, factor: 0.1 });
        assert_close(&fractions(schedule), &[1., 1., 1., 1., 0.1, 0.1, 0.1, 0.1, 0.01, 0.01]);
    }

    #[test]
    fn exponential_falls_every_epoch() {
        let expected = [1., 1., 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625];
        assert_close(&fractions(decay(Decay::Exponential { factor: 0.5 })), &expected);
    }

    #[test]
    fn cosine_ends_where_it_is_told() {
        let found = fractions(decay(Decay::Cosine { final_fraction: 0.2 }));
        assert_eq!(found[0], 1.0);
        assert!((found[9] - 0.2).abs() < 1e-12);
        assert!((found[3] - (0.2 + 0.8 * 0.75)).abs() < 1e-12, "cos(π/3) = ½");
        assert!(found.windows(2).all(|pair| pair[0] > pair[1]));
        let warm = Schedule { warmup_iterations: 4, decay: Decay::Cosine { final_fraction: 0.0 } };
        let found = fractions(warm);
        assert_eq!((found[3], found[4]), (1.0, 1.0));
        assert!(found[9].abs() < 1e-12);
    }

    #[test]
    fn one_cycle_rises_and_falls() {
        let found = fractions(decay(Decay::one_cycle()));
        assert!((found[0] - 0.04).abs() < 1e-12);
        assert_eq!(found[3], 1.0);
        assert!((found[9] - 4e-6).abs() < 1e-12);
        assert!(found[..4].windows(2).all(|pair| pair[0] < pair[1]));
        assert!(found[3..].windows(2).all(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn plateau_reduces_after_patience_and_stops_at_its_floor() {
        let schedule = decay(Decay::ReduceOnPlateau {
            factor: 0.1,
            patience: 2,
            min_delta: 0.01,
            final_fraction: 0.05,
        });
        let mut plateau = Plateau::new();
        let mut found = Vec::new();
        for loss in [1.0, 0.5, 0.495, 0.6, 0.6, 0.4, 0.4, 0.4] {
            plateau.observe(&schedule, loss);
            found.push(plateau.fraction);
        }
        assert_close(&found, &[1., 1., 1., 0.1, 0.1, 0.1, 0.1, 0.05]);
    }

    #[test]
    fn wrong_schedules_name_the_field_and_its_range() {
        for (schedule, message) in [
            (
                decay(Decay::Step { epochs: 0, factor: 0.1 }),
                "`schedule.decay.epochs` is 0, expected at least 1",
            ),
            (
                decay(Decay::Exponential { factor: 0.0 }),
                "`schedule.decay.factor` is 0, expected a fraction in (0, 1]",
            ),
            (
                decay(Decay::Cosine { final_fraction: f64::NAN }),
                "`schedule.decay.final_fraction` is NaN, expected a fraction in [0, 1]",
            ),
            (
                Schedule { warmup_iterations: 5, decay: Decay::one_cycle() },
                "`schedule.warmup_iterations` is 5, \
                 expected 0 with one_cycle, which brings its own warm-up",
            ),
            (
                Schedule { warmup_iterations: 5, decay: Decay::log_cosine() },
                "`schedule.warmup_iterations` is 5, \
                 expected 0 with log_cosine, which brings its own warm-up",
            ),
            (
                decay(Decay::LogCosine { cycles: 0 }),
                "`schedule.decay.cycles` is 0, expected 1 to 16",
            ),
            (
                decay(Decay::ReduceOnPlateau {
                    factor: 1.0,
                    patience: 1,
                    min_delta: 0.0,
                    final_fraction: 0.0,
                }),
                "`schedule.decay.factor` is 1, expected a fraction in (0, 1)",
            ),
        ] {
            assert_eq!(schedule.validate().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn log_cosine_ends_four_cycles_each_twice_as_long() {
        // 15 epochs of 100 iterations: cycles of 1, 2, 4 and 8.
        let fraction = |iteration| {
            let at = Position { iteration, epoch: iteration / 100, iterations: 1500 };
            decay(Decay::log_cosine()).fraction(at, &Plateau::new())
        };
        for end in [0, 100, 300, 700, 1500] {
            assert!(fraction(end.max(1) - 1) < 1e-3, "{end}: {}", fraction(end.max(1) - 1));
        }
        for (start, end) in [(0, 100), (100, 300), (300, 700), (700, 1500)] {
            let largest = (start..end).map(fraction).fold(0.0, f64::max);
            assert!(largest > 0.999 && largest <= 1.0, "{start}: {largest}");
        }
        // Of one cycle: half a cycle is over where 2^t = 3/2.
        let at = Position { iteration: 41, epoch: 0, iterations: 100 };
        let half = decay(Decay::LogCosine { cycles: 1 }).fraction(at, &Plateau::new());
        assert!((half - 1.0).abs() < 1e-3, "{half}");
    }

    #[test]
    fn names_go_there_and_back() {
        for name in ["constant", "cosine", "one_cycle", "log_cosine", "plateau"] {
            assert_eq!(name.parse::<Decay>().unwrap().name(), name);
        }
        assert_eq!(
            "linear".parse::<Decay>().unwrap_err().to_string(),
            "`schedule` is \"linear\", expected constant, cosine, one_cycle, log_cosine or plateau"
        );
    }
}
