use prost::Message;

use crate::message::{
    AnyValue, DataType, Dimension, Experiment, HyperParameterData, HyperParameterInfo,
    HyperParameterRecord, HyperParameterType, Kind, MetricInfo, MetricName, PluginData, SessionEnd,
    SessionStart, Status, SummaryMetadata, SummaryValue, Tensor, TensorShape, Value,
};

/// The value of a setting that a run was started with.
#[derive(Clone, Debug, PartialEq)]
pub enum HyperParameter {
    /// A number. One that is not finite is kept in the file, but the HParams dashboard shows it as
    /// missing.
    Number(f64),
    /// The name of a choice, or any other text.
    Text(String),
    /// Whether something is done.
    Flag(bool),
}

impl HyperParameter {
    fn value(&self) -> AnyValue {
        let kind = match self {
            Self::Number(number) => Kind::Number(*number),
            Self::Text(text) => Kind::String(text.clone()),
            Self::Flag(flag) => Kind::Bool(*flag),
        };
        AnyValue { kind: Some(kind) }
    }

    fn kind(&self) -> HyperParameterType {
        match self {
            Self::Number(_) => HyperParameterType::Float64,
            Self::Text(_) => HyperParameterType::String,
            Self::Flag(_) => HyperParameterType::Bool,
        }
    }
}

/// What the columns of the table of runs are.
///
/// No column has a domain: TensorBoard takes the experiment of one of the runs under its folder for all
/// of them, and would leave out those with values that this run doesn't have.
pub(crate) fn experiment(
    values: &[(String, HyperParameter)],
    metric_tags: &[&str],
    seconds: f64,
) -> SummaryValue {
    let hparam_infos = values
        .iter()
        .map(|(name, value)| HyperParameterInfo { name: name.clone(), r#type: value.kind().into() })
        .collect();
    let metric_infos = metric_tags
        .iter()
        .map(|&tag| MetricInfo { name: Some(MetricName { tag: tag.to_owned() }) })
        .collect();
    let experiment = Experiment { time_created_secs: seconds, hparam_infos, metric_infos };
    summary("_hparams_/experiment", HyperParameterRecord::Experiment(experiment))
}

/// That a run begins, and the values in its row.
pub(crate) fn session_start(
    name: &str,
    values: &[(String, HyperParameter)],
    seconds: f64,
) -> SummaryValue {
    let start = SessionStart {
        hparams: values.iter().map(|(name, value)| (name.clone(), value.value())).collect(),
        group_name: name.to_owned(),
        start_time_secs: seconds,
    };
    summary("_hparams_/session_start_info", HyperParameterRecord::SessionStart(start))
}

/// That a run has ended as it should.
pub(crate) fn session_end(seconds: f64) -> SummaryValue {
    let end = SessionEnd { status: Status::Success.into(), end_time_secs: seconds };
    summary("_hparams_/session_end_info", HyperParameterRecord::SessionEnd(end))
}

fn summary(tag: &str, record: HyperParameterRecord) -> SummaryValue {
    let content = HyperParameterData { data: Some(record) }.encode_to_vec();
    let plugin_data = Some(PluginData { plugin_name: "hparams".to_owned(), content });
    // All is in the metadata, but a value has to be there: an empty vector, as TensorBoard's own writer
    // puts it.
    let nothing = Tensor {
        dtype: DataType::Float.into(),
        tensor_shape: Some(TensorShape { dim: vec![Dimension { size: 0 }] }),
        string_val: Vec::new(),
    };
    SummaryValue {
        tag: tag.to_owned(),
        metadata: Some(SummaryMetadata { plugin_data }),
        value: Some(Value::Tensor(nothing)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(summary: SummaryValue) -> HyperParameterRecord {
        let plugin_data = summary.metadata.unwrap().plugin_data.unwrap();
        assert_eq!(plugin_data.plugin_name, "hparams");
        HyperParameterData::decode(plugin_data.content.as_slice()).unwrap().data.unwrap()
    }

    fn values() -> Vec<(String, HyperParameter)> {
        [
            ("rate", HyperParameter::Number(0.0)),
            ("clip", HyperParameter::Number(f64::INFINITY)),
            ("optimizer", HyperParameter::Text("adam".to_owned())),
            ("nesterov", HyperParameter::Flag(false)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    #[test]
    fn an_experiment_names_columns_and_metrics_in_order() {
        let record = decoded(experiment(&values(), &["loss", "accuracy"], 1.5));
        let HyperParameterRecord::Experiment(found) = record else { panic!("{record:?}") };
        let columns: Vec<_> =
            found.hparam_infos.iter().map(|info| (info.name.as_str(), info.r#type())).collect();
        assert_eq!(
            columns,
            [
                ("rate", HyperParameterType::Float64),
                ("clip", HyperParameterType::Float64),
                ("optimizer", HyperParameterType::String),
                ("nesterov", HyperParameterType::Bool),
            ]
        );
        let metrics: Vec<_> = found
            .metric_infos
            .iter()
            .map(|info| info.name.as_ref().unwrap().tag.as_str())
            .collect();
        assert_eq!(metrics, ["loss", "accuracy"]);
        assert_eq!(found.time_created_secs, 1.5);
    }

    #[test]
    fn a_session_holds_every_value_zero_and_false_included() {
        let record = decoded(session_start("first", &values(), 2.5));
        let HyperParameterRecord::SessionStart(found) = record else { panic!("{record:?}") };
        assert_eq!((found.group_name.as_str(), found.start_time_secs), ("first", 2.5));
        let kinds: Vec<_> =
            found.hparams.into_iter().map(|(name, value)| (name, value.kind.unwrap())).collect();
        let expected = [
            ("clip", Kind::Number(f64::INFINITY)),
            ("nesterov", Kind::Bool(false)),
            ("optimizer", Kind::String("adam".to_owned())),
            ("rate", Kind::Number(0.0)),
        ];
        assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }

    #[test]
    fn an_end_is_a_success() {
        let end = SessionEnd { status: Status::Success.into(), end_time_secs: 3.5 };
        assert_eq!(decoded(session_end(3.5)), HyperParameterRecord::SessionEnd(end));
    }
}
