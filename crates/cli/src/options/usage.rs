use kiln::{data::DataError, model::ModelError, tabular::TabularError, train::TrainError};

use super::{fields::option_name, usage_error::UsageError};

/// Names settings that are out of their range as the user knows them, and calls them wrong usage.
pub(crate) fn as_usage(error: TabularError) -> anyhow::Error {
    use TabularError::{ClassWeights, Data, Model, Threshold, Train};
    let usage = match &error {
        Train(TrainError::Field { field, found, expected })
        | Train(TrainError::Model(ModelError::Field { field, found, expected }))
        | Model(ModelError::Field { field, found, expected }) => {
            format!("`{}` is {found}, expected {expected}", option_name(field))
        }
        Train(TrainError::NoValidation { field }) => {
            format!("`{}` needs validation rows, and there are none", option_name(field))
        }
        Data(DataError::SplitFraction { fraction }) => {
            format!("`valid_fraction` is {fraction}, expected a number from 0 to below 1")
        }
        Data(DataError::Split { .. }) => {
            let hint = "`--valid-fraction` sets the share, and 0 trains without validation rows";
            return anyhow::anyhow!("{error}; {hint}");
        }
        Train(TrainError::ResumeDiffers { what, found, saved }) => {
            let what = option_name(what);
            return anyhow::anyhow!(
                "the run can't be resumed: `{what}` is {found}, and it began with {saved}"
            );
        }
        ClassWeights { .. } | Threshold { .. } => error.to_string(),
        _ => return error.into(),
    };
    UsageError(usage).into()
}
