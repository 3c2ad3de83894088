//! What to do about an error or a warning, in terms of flags: the libraries do not know the command.

use kiln::{
    backend::BackendError,
    classifier::ClassifierError,
    data::DataError,
    table::{TableError, TargetKind, Warning, WarningKind},
    tabular::TabularError,
    train::{TrainError, distributed::DistributedError},
};

/// The whole message of an error: its chain, and the advice.
pub(crate) fn message(error: &anyhow::Error) -> String {
    format!("{error:#}{}", advice(error).unwrap_or_default())
}

/// Advice for an error, with the punctuation that joins it to the message.
fn advice(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        let table = cause.downcast_ref().and_then(of_table);
        let tabular = || cause.downcast_ref().and_then(of_tabular);
        let train = || cause.downcast_ref().and_then(of_train);
        let classifier = || cause.downcast_ref().and_then(of_classifier);
        let backend = || cause.downcast_ref().and_then(of_backend);
        let distributed = || cause.downcast_ref().and_then(of_distributed);
        table
            .or_else(tabular)
            .or_else(train)
            .or_else(classifier)
            .or_else(backend)
            .or_else(distributed)
    })
}

// A transparent error takes the place of the one inside it in a chain, so each is opened here.

fn of_table(error: &TableError) -> Option<String> {
    Some(match error {
        TableError::NotFinite { value, .. } => {
            format!("; --missing {value} takes it for a missing value")
        }
        TableError::TargetKind { kind: TargetKind::Binary, .. } => {
            "; for more use `--loss sparse`".to_owned()
        }
        TableError::TargetKind { kind: TargetKind::Sparse, .. } => {
            "; for one 0/1 column per class use `--loss categorical`, for independent labels \
             `--loss binary`"
                .to_owned()
        }
        TableError::Data(error) => return of_data(error),
        _ => return None,
    })
}

fn of_data(error: &DataError) -> Option<String> {
    match error {
        DataError::Stream(inner) => inner.downcast_ref().and_then(of_table),
        _ => None,
    }
}

fn of_train(error: &TrainError) -> Option<String> {
    match error {
        TrainError::Data(error) => of_data(error),
        _ => None,
    }
}

fn of_classifier(error: &ClassifierError) -> Option<String> {
    match error {
        ClassifierError::Data(error) => of_table(error),
        _ => None,
    }
}

fn of_tabular(error: &TabularError) -> Option<String> {
    match error {
        TabularError::Table(error) => of_table(error),
        TabularError::Data(error) => of_data(error),
        TabularError::Train(error) => of_train(error),
        TabularError::Classifier(error) => of_classifier(error),
        _ => None,
    }
}

fn of_backend(error: &BackendError) -> Option<String> {
    match error {
        BackendError::NotCompiledIn { name } => {
            Some(format!("; build with `--features {name}` to add it"))
        }
        BackendError::None => Some("; build with `--features ndarray`, for one".to_owned()),
        BackendError::NoDevice { .. } => Some(", or choose another with `--backend`".to_owned()),
        _ => None,
    }
}

fn of_distributed(error: &DistributedError) -> Option<String> {
    match error {
        DistributedError::NotCompiledIn => Some(
            "; build with `--features mpi`, which needs an MPI library and libclang (on Debian: \
             `apt install libopenmpi-dev libclang-dev`)"
                .to_owned(),
        ),
        DistributedError::NoLauncher => Some(
            "; start it with `mpirun -np N kiln …`, or say `--expect-ranks 1` for a single one"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The warnings, each with its advice at the end of the message.
pub(crate) fn advised(warnings: &[Warning]) -> Vec<Warning> {
    let with_advice = |warning: &Warning| {
        let mut warning = warning.clone();
        warning.message += &of_warning(&warning).unwrap_or_default();
        warning
    };
    warnings.iter().map(with_advice).collect()
}

fn of_warning(warning: &Warning) -> Option<String> {
    let column = warning.column.as_deref()?;
    Some(match warning.kind {
        WarningKind::RowNumbers => format!("; --numeric {column} keeps it as a number"),
        WarningKind::Identifier => format!("; --categorical {column} keeps it"),
        WarningKind::NotNumbers => format!("; --categorical {column} keeps all values as names"),
        WarningKind::TargetLeak => format!("; --ignore {column} leaves it out"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    fn two_columns() -> TableError {
        TableError::TargetKind {
            kind: TargetKind::Sparse,
            found: "found 2 target columns".to_owned(),
            expected: "1 for a sparse target",
        }
    }

    #[test]
    fn advice_is_found_inside_any_error_of_the_libraries() {
        let advised = "found 2 target columns, expected 1 for a sparse target; for one 0/1 column \
                       per class use `--loss categorical`, for independent labels `--loss binary`";
        let streamed = || TrainError::Data(DataError::Stream(two_columns().into()));
        for error in [
            anyhow::Error::new(two_columns()),
            TabularError::Table(two_columns()).into(),
            TabularError::Train(streamed()).into(),
            streamed().into(),
            ClassifierError::Data(two_columns()).into(),
            TabularError::Classifier(ClassifierError::Data(two_columns())).into(),
        ] {
            assert_eq!(message(&error), advised);
        }
        let with_context = Err::<(), _>(two_columns()).context("cannot train").unwrap_err();
        assert_eq!(message(&with_context), format!("cannot train: {advised}"));
    }

    #[test]
    fn backends_and_launchers_have_their_flags() {
        let backend = BackendError::NoDevice {
            name: kiln::backend::BackendName::Wgpu,
            reason: "no Vulkan adapter was found".to_owned(),
            fix: "install a graphics driver",
        };
        assert_eq!(
            message(&backend.into()),
            "the backend wgpu can't start: no Vulkan adapter was found; install a graphics driver, \
             or choose another with `--backend`"
        );
        assert_eq!(
            message(&BackendError::None.into()),
            "no backend is compiled in; build with `--features ndarray`, for one"
        );
        assert_eq!(
            message(&DistributedError::NoLauncher.into()),
            "no launcher has started this process; start it with `mpirun -np N kiln …`, or say \
             `--expect-ranks 1` for a single one"
        );
        assert_eq!(message(&anyhow::anyhow!("no")), "no");
    }

    #[test]
    fn a_warning_of_a_column_ends_with_the_flag_for_it() {
        let warning = |kind| Warning {
            kind,
            column: Some("id".to_owned()),
            message: "counts the rows, so it is left out".to_owned(),
        };
        let warnings = advised(&[
            warning(WarningKind::RowNumbers),
            Warning { column: None, ..warning(WarningKind::CopiedRows) },
        ]);
        assert_eq!(
            warnings[0].to_string(),
            "column \"id\": counts the rows, so it is left out; --numeric id keeps it as a number"
        );
        assert_eq!(warnings[1].to_string(), "counts the rows, so it is left out");
    }
}
