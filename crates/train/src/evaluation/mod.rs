//! How good predictions are over a whole dataset, how sure that is, and what follows from it.

mod bootstrap;
mod calibration;
mod evaluate;
mod importance;
mod metric;
mod scores;
mod threshold;

pub use bootstrap::{Comparison, Interval, Intervals, compare};
pub use calibration::{fit_temperature, logit_loss};
pub use evaluate::{CALIBRATION_BINS, Evaluation};
pub use importance::{Importance, permutation_importance};
pub use metric::Metric;
pub use scores::{Scores, class_rows};
pub(crate) use scores::{actual, exact_match, mean_loss};
pub use threshold::ThresholdRule;
