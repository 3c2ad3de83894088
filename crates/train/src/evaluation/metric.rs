use serde::{Deserialize, Serialize};

use super::evaluate::Evaluation;

/// The metrics that stand first, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// [`Evaluation::accuracy`].
    Accuracy,
    /// [`Evaluation::balanced_accuracy`].
    BalancedAccuracy,
    /// [`Evaluation::macro_f1`].
    MacroF1,
    /// [`Evaluation::log_loss`].
    LogLoss,
    /// [`Evaluation::roc_auc`].
    RocAuc,
    /// [`Evaluation::pr_auc`].
    PrAuc,
    /// [`Evaluation::brier`].
    Brier,
    /// [`Evaluation::calibration_error`].
    CalibrationError,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Accuracy,
        Self::BalancedAccuracy,
        Self::MacroF1,
        Self::LogLoss,
        Self::RocAuc,
        Self::PrAuc,
        Self::Brier,
        Self::CalibrationError,
    ];

    /// As the field of [`Evaluation`] is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::MacroF1 => "macro_f1",
            Self::LogLoss => "log_loss",
            Self::RocAuc => "roc_auc",
            Self::PrAuc => "pr_auc",
            Self::Brier => "brier",
            Self::CalibrationError => "calibration_error",
        }
    }

    /// Its value; `None` where the data have none.
    pub fn of(self, evaluation: &Evaluation) -> Option<f64> {
        match self {
            Self::Accuracy => Some(evaluation.accuracy),
            Self::BalancedAccuracy => Some(evaluation.balanced_accuracy),
            Self::MacroF1 => Some(evaluation.macro_f1),
            Self::LogLoss => Some(evaluation.log_loss),
            Self::RocAuc => evaluation.roc_auc,
            Self::PrAuc => evaluation.pr_auc,
            Self::Brier => Some(evaluation.brier),
            Self::CalibrationError => Some(evaluation.calibration_error),
        }
    }
}
