//! How good predictions are: plain numbers in, plain numbers out, no tensors.
//!
//! Matrices are row-major slices (`[rows, num_classes]`), classes are indices from 0.
//!
//! A count over nothing (the precision of a class never predicted, the accuracy of no rows) is
//! `0.0`, scikit-learn's `zero_division=0`. A metric that has no value at all, such as the area
//! under the curve of a single class, is `None`.
//!
//! Nothing panics on scores that are not finite. Metrics that rank ([`roc_auc`], [`pr_auc`],
//! [`top_k_accuracy`]) put NaN below every number, and all NaN level with each other: a model that
//! has no score for a row makes the weakest claim about it. Metrics that average ([`log_loss`],
//! [`brier`], [`brier_binary`], [`expected_calibration_error`]) become NaN, as they do over no
//! rows.

mod check;
mod confusion;
mod probability;
mod ranking;

pub use confusion::ConfusionMatrix;
pub use probability::{
    ReliabilityBin, brier, brier_binary, expected_calibration_error, log_loss, reliability,
};
pub(crate) use probability::{calibration_bin, row_brier, row_log_loss};
pub(crate) use ranking::{Ranking, mean_of_some};
pub use ranking::{macro_ovr, pr_auc, pr_curve, roc_auc, roc_curve, top_k_accuracy};

/// What scikit-learn says: the numbers of `tests/reference/metrics.py`.
#[cfg(test)]
mod reference {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(super) struct Reference {
        pub(super) multiclass: Vec<Multiclass>,
        pub(super) binary: Vec<Binary>,
    }

    #[derive(Deserialize)]
    pub(super) struct Multiclass {
        pub(super) name: String,
        pub(super) num_classes: usize,
        pub(super) probabilities: Vec<f64>,
        pub(super) actual: Vec<u32>,
        pub(super) predicted: Vec<u32>,
        pub(super) confusion: Vec<Vec<u64>>,
        pub(super) accuracy: f64,
        pub(super) balanced_accuracy: f64,
        pub(super) macro_f1: f64,
        pub(super) precision: Vec<f64>,
        pub(super) recall: Vec<f64>,
        pub(super) f1: Vec<f64>,
        pub(super) support: Vec<u64>,
        pub(super) top_k_accuracy: Option<Vec<f64>>,
        pub(super) macro_roc_auc: Option<f64>,
        pub(super) macro_pr_auc: Option<f64>,
        pub(super) log_loss: f64,
        pub(super) brier: f64,
        pub(super) calibration: Vec<(usize, f64)>,
    }

    #[derive(Deserialize)]
    pub(super) struct Binary {
        pub(super) name: String,
        pub(super) scores: Vec<f64>,
        pub(super) positive: Vec<bool>,
        pub(super) roc_auc: Option<f64>,
        pub(super) pr_auc: Option<f64>,
        pub(super) brier: Option<f64>,
        pub(super) confidence: Option<Vec<f64>>,
        pub(super) calibration: Option<Vec<(usize, f64)>>,
    }

    pub(super) fn load() -> Reference {
        let text = include_str!("../../tests/reference/metrics.json");
        serde_json::from_str(text).expect("metrics.json is as metrics.py writes it")
    }

    /// `found` and `expected` agree to 1e-12, or are both absent.
    #[track_caller]
    pub(super) fn assert_close(
        found: impl Into<Option<f64>>,
        expected: impl Into<Option<f64>>,
        case: &str,
    ) {
        match (found.into(), expected.into()) {
            (Some(found), Some(expected)) => assert!(
                (found - expected).abs() <= 1e-12,
                "{case}: found {found}, expected {expected}"
            ),
            (found, expected) => assert_eq!(found, expected, "{case}"),
        }
    }
}
