use kiln_model::{MlpConfig, Task};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fingerprint::Fingerprint;
use crate::{config::TrainConfig, error::TrainError};

/// All that decides the result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    /// What computes: another backend's sums are rounded in another order.
    pub(crate) engine: String,
    pub(crate) task: Task,
    /// With the seed of the run.
    pub(crate) network: MlpConfig,
    pub(crate) config: TrainConfig,
    /// Of several networks: how many, and on which rows each is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) members: Option<String>,
    pub(crate) train: Fingerprint,
    pub(crate) valid: Option<Fingerprint>,
}

impl Identity {
    /// Whether `self` may go on with a run that was begun as `saved`: all is the same, but that there may
    /// be more epochs, unless an earlier restart has done with fewer.
    ///
    /// # Errors
    ///
    /// [`TrainError::ResumeDiffers`] names the first difference.
    pub(crate) fn check(&self, saved: &Self) -> Result<(), TrainError> {
        let differs = |what: &str, found: String, saved: String| {
            Err(TrainError::ResumeDiffers { what: what.to_owned(), found, saved })
        };
        let (epochs, saved_epochs) = (self.config.num_epochs, saved.config.num_epochs);
        if epochs < saved_epochs {
            let saved = format!("{saved_epochs}, which may grow only");
            return differs("num_epochs", epochs.to_string(), saved);
        }
        if epochs > saved_epochs && self.config.restarts > 1 {
            let saved = format!("{saved_epochs}, which may not grow with restarts");
            return differs("num_epochs", epochs.to_string(), saved);
        }
        let parts = |identity: &Self| {
            let mut config = identity.config.clone();
            config.num_epochs = 0;
            [
                ("engine", serde_json::to_value(&identity.engine)),
                ("task", serde_json::to_value(identity.task)),
                ("", serde_json::to_value(&identity.network)),
                ("", serde_json::to_value(config)),
            ]
            .map(|(name, value)| (name, value.expect("plain data with text keys")))
        };
        for ((name, found), (_, saved)) in parts(self).into_iter().zip(parts(saved)) {
            if let Some((what, found, saved)) = difference(name, &found, &saved) {
                return differs(&what, found, saved);
            }
        }
        if self.train != saved.train {
            return differs("training data", self.train.to_string(), saved.train.to_string());
        }
        if self.valid != saved.valid {
            let text = |valid: &Option<Fingerprint>| match valid {
                Some(valid) => valid.to_string(),
                None => "none".to_owned(),
            };
            return differs("validation data", text(&self.valid), text(&saved.valid));
        }
        // Last: folds follow from the seed and the classes, which say better what is another.
        if self.members != saved.members {
            let text = |members: &Option<String>| members.clone().unwrap_or_else(|| "1".to_owned());
            return differs("members", text(&self.members), text(&saved.members));
        }
        Ok(())
    }
}

/// The innermost place at which two values differ, as a path with dots, and what stands there.
fn difference(path: &str, found: &Value, saved: &Value) -> Option<(String, String, String)> {
    if found == saved {
        return None;
    }
    if let (Value::Object(a), Value::Object(b)) = (found, saved)
        && a.keys().eq(b.keys())
    {
        return a.iter().find_map(|(key, found)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            difference(&path, found, &b[key])
        });
    }
    Some((path.to_owned(), found.to_string(), saved.to_string()))
}
