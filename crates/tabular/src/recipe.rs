//! The defaults for tables, in one place.

use kiln_model::{Activation, Normalization};
use kiln_table::{PreprocessConfig, Scaling, SchemaOptions, Table, TargetKind};
use kiln_train::{BatchSize, Decay, Keep, OptimizerConfig, Schedule, ThresholdRule, TrainConfig};

use crate::settings::{
    Calibration, ClassWeights, EnsembleSettings, NetworkSettings, Preset, Settings,
};

/// What is used where the user says nothing: [`Settings`] for a table of so many rows and columns.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `valid_fraction` | 0.15 | rows held out to choose an epoch and to report on, where there are no folds |
/// | `preprocess` | standard scaling, bins, one-hot | see [`PreprocessConfig`] |
/// | `network` | 128, 128 or more, Mish, dropout 0.15 | see [`NetworkSettings`] |
/// | `ensemble` | 16 networks, 4 folds | see [`EnsembleSettings`] |
/// | `calibration` | one temperature | see [`Calibration`] |
/// | `train` | AdamW, four cosines, the best epoch | see [`TrainConfig`] |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    preset: Preset,
    /// Those held out included.
    rows: usize,
    columns: usize,
    streamed: bool,
    one_network: bool,
}

/// Rows held out of a streamed file, which stay in memory: of so many, an accuracy has a standard error of
/// 0.0016 at most.
const STREAMED_VALID_ROWS: f64 = 100_000.0;

/// Folds that rows are dealt over. Sixteen networks in eight folds had a higher mean log loss on the nine tables
/// below 2,000 rows of `benches/tables`: networks that share more of their rows err more alike.
const FOLDS: usize = 4;

/// Columns beyond which they were not thought of one by one.
const WIDE: usize = 256;

/// Share of the rows held out for validation, where there are no folds.
const VALID_FRACTION: f64 = 0.15;

impl Recipe {
    /// The recipe for a table of so many rows, those held out included, and columns.
    pub fn new(preset: Preset, rows: usize, columns: usize) -> Self {
        Self { preset, rows, columns, streamed: false, one_network: false }
    }

    /// The recipe for this table.
    pub fn for_table(preset: Preset, table: &Table) -> Self {
        Self::new(preset, table.num_rows(), table.columns().len())
    }

    /// The recipe for a file of about so many rows, and columns, that is read anew in every epoch.
    pub fn streamed(preset: Preset, rows: usize, columns: usize) -> Self {
        Self { streamed: true, ..Self::new(preset, rows, columns) }
    }

    /// One network, and rows held out of it: what several processes can train together.
    pub fn with_one_network(self) -> Self {
        Self { one_network: true, ..self }
    }

    /// Share of the rows held out for validation, where there are no folds.
    pub fn valid_fraction(&self) -> f64 {
        match self.streamed {
            true => VALID_FRACTION.min(STREAMED_VALID_ROWS / self.rows.max(1) as f64),
            false => VALID_FRACTION,
        }
    }

    /// The settings of a run on a table whose columns are used like this.
    pub fn settings(&self, columns: SchemaOptions) -> Settings {
        let ensemble = self.ensemble();
        Settings {
            preset: self.preset,
            columns,
            loss: TargetKind::Auto,
            positive: None,
            valid_fraction: (ensemble.bag_folds == 0).then_some(self.valid_fraction()),
            streamed: self.streamed,
            preprocess: PreprocessConfig {
                scaling: Scaling::Standard,
                // Streamed features are made anew in every epoch: bins would make many times as many.
                numeric_bins: match self.streamed {
                    true => 0,
                    false => numeric_bins(self.rows, self.columns),
                },
                ..PreprocessConfig::default()
            },
            network: self.network(),
            ensemble,
            class_weights: ClassWeights::None,
            calibration: Calibration::Temperature,
            threshold: ThresholdRule::default(),
            train: self.train(),
        }
    }

    fn network(&self) -> NetworkSettings {
        let width = width(self.columns);
        // Below some thousand rows ReLU in place of Mish, or no dropout, make no difference that can be
        // told from chance. From 10,000 on ReLU was worse in every fold tried, and no dropout in most
        // (`benches/README.md`).
        NetworkSettings {
            hidden: vec![width, width],
            activation: Activation::Mish,
            normalization: Normalization::None,
            input_dropout: input_dropout(self.columns),
            dropout: 0.15,
        }
    }

    fn train(&self) -> TrainConfig {
        let train_rows = (self.rows as f64 * (1.0 - VALID_FRACTION)).max(1.0);
        // About 30 iterations an epoch, so that small tables see enough updates; a power of two from 32
        // to 256. Batches of 16 took twice the time and were no better on the thirteen tables.
        let batch_size = 1 << ((train_rows / 30.0).log2().floor() as i64).clamp(5, 8);
        // Many rows need fewer passes.
        let longest = if self.preset == Preset::Best { 120 } else { 60 };
        let num_epochs = (longest * 50_000 / self.rows.max(1)).clamp(longest / 5, longest);
        TrainConfig::new()
            .with_batch_size(BatchSize::Rows(batch_size))
            .with_num_epochs(num_epochs)
            // Times the rate, about what RealMLP has (Holzmüller et al. 2024, arXiv:2407.04491).
            .with_optimizer(OptimizerConfig::adam_w().with_weight_decay(0.1))
            .with_learning_rate(learning_rate(&[width(self.columns)]))
            .with_schedule(Schedule { warmup_iterations: 0, decay: Decay::log_cosine() })
            // Not stopped early: the last of four cycles is half of all epochs, and its end may be better
            // than all before.
            .with_keep(Keep::Best)
    }

    fn ensemble(&self) -> EnsembleSettings {
        if self.streamed || self.one_network {
            return EnsembleSettings::default();
        }
        let members = match (self.preset, self.rows) {
            (Preset::Fast, _) => 1,
            // Too few to deal.
            (_, 0..8) => 1,
            (_, 8..=2_000) => 16,
            (_, ..=50_000) => 8,
            (_, ..=200_000) => 4,
            (Preset::Default, _) => 1,
            (Preset::Best, _) => 2,
        };
        match (members, self.preset) {
            (1, _) => EnsembleSettings::default(),
            (_, Preset::Best) => EnsembleSettings { members: 2 * members, bag_folds: FOLDS },
            _ => EnsembleSettings { members, bag_folds: FOLDS },
        }
    }
}

/// Units of each hidden layer: no fewer than there are columns, so that none needs to be given up for another,
/// within what is worth its time.
fn width(columns: usize) -> usize {
    columns.clamp(128, 512).next_power_of_two()
}

/// Of more columns than a table is thought out with, most tell what others tell too: pixels, words, channels. None is
/// to be relied on alone.
fn input_dropout(columns: usize) -> f64 {
    if columns > WIDE { 0.3 } else { 0.0 }
}

/// The rate for hidden layers of these widths: 0.005 up to 128 units, and half as much for four times as many.
///
/// AdamW moves every weight by about the rate, whatever its slope, and so a unit's sum by more the more inputs it
/// has: in proportion to their root where they are as often above 0 as below. RealMLP's parameterization has the same
/// effect (Holzmüller et al. 2024, arXiv:2407.04491).
pub fn learning_rate(hidden: &[usize]) -> f64 {
    let widest = hidden.iter().fold(128, |widest, width| widest.max(*width));
    0.005 / (widest as f64 / 128.0).sqrt()
}

/// Bins of each number: the more rows, the more slopes can be told apart.
fn numeric_bins(rows: usize, columns: usize) -> usize {
    /// Features that there may be about: beyond, most of the time goes into the first layer.
    const FEATURES: usize = 1024;
    /// Numbers in all features together: 512 MiB.
    const NUMBERS: usize = 1 << 27;
    let columns = columns.max(1);
    let room = (FEATURES / columns).min(NUMBERS / columns / rows.max(1));
    let bins = (((rows as f64).sqrt() / 4.0) as usize).clamp(8, 32).min(room);
    if bins < 4 { 0 } else { bins }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(preset: Preset, rows: usize, columns: usize) -> Settings {
        Recipe::new(preset, rows, columns).settings(SchemaOptions::default())
    }

    #[test]
    fn a_preset_has_networks_by_rows() {
        let members = |preset, rows| {
            let EnsembleSettings { members, bag_folds } = settings(preset, rows, 10).ensemble;
            [members, bag_folds]
        };
        let rows = [0, 7, 8, 2_000, 50_000, 200_000, 200_001];
        let of = |preset| rows.map(|rows| members(preset, rows));
        assert_eq!(of(Preset::Fast), [[1, 0]; 7]);
        assert_eq!(of(Preset::Default), [[1, 0], [1, 0], [16, 4], [16, 4], [8, 4], [4, 4], [1, 0]]);
        assert_eq!(of(Preset::Best), [[1, 0], [1, 0], [32, 4], [32, 4], [16, 4], [8, 4], [4, 4]]);
    }

    #[test]
    fn bins_leave_room() {
        assert_eq!(numeric_bins(0, 0), 8);
        assert_eq!(numeric_bins(5_000, 10), 17);
        assert_eq!(numeric_bins(100_000, 10), 32);
        // Pixels.
        assert_eq!(numeric_bins(60_000, 785), 0);
        assert_eq!(numeric_bins(1_000_000, 20), 6);
        assert_eq!(numeric_bins(100_000_000, 20), 0);
    }

    #[test]
    fn many_rows_are_passed_less_often() {
        let epochs = |preset, rows| settings(preset, rows, 10).train.num_epochs;
        let rows = [0, 50_000, 100_000, 10_000_000];
        assert_eq!(rows.map(|rows| epochs(Preset::Default, rows)), [60, 60, 30, 12]);
        assert_eq!(rows.map(|rows| epochs(Preset::Best, rows)), [120, 120, 60, 24]);
    }

    #[test]
    fn wide_tables_have_wide_layers_of_smaller_steps() {
        let of = |columns| {
            let Settings { network, train, .. } = settings(Preset::Default, 1_000, columns);
            (network.hidden, train.learning_rate)
        };
        for columns in [0, 20, 128] {
            assert_eq!(of(columns), (vec![128, 128], 0.005));
        }
        assert_eq!(of(200).0, [256, 256]);
        for columns in [785, 100_000] {
            assert_eq!(of(columns), (vec![512, 512], 0.0025));
        }
    }
}
