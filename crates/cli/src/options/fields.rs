//! Which field of the settings each option sets: the one such table.

use kiln::tabular::Settings;

use super::{
    Options,
    usage_error::{UsageError, named},
};

/// From the table of options and fields, all that goes from one to the other. An option that is in none of
/// its parts does not compile.
macro_rules! fields {
    (
        values { $($value:ident => $($value_at:ident).+,)* }
        optional { $($optional:ident => $($optional_at:ident).+,)* }
        names { $($name:ident => $($name_at:ident).+,)* }
        rules { $($rule:ident,)* }
    ) => {
        impl Options {
            /// Sets the fields whose options are given, except those of `rules`.
            pub(super) fn set_fields(&self, settings: &mut Settings) -> Result<(), UsageError> {
                let Self { $($value,)* $($optional,)* $($name,)* $($rule: _,)* } = self;
                $(if let Some(value) = $value {
                    settings.$($value_at).+ = value.clone().into();
                })*
                $(if let Some(value) = $optional {
                    settings.$($optional_at).+ = Some(value.clone().into());
                })*
                // One of the same name has its constants already.
                $(if let Some(name) = $name && name != settings.$($name_at).+.name() {
                    settings.$($name_at).+ = named(name)?;
                })*
                Ok(())
            }

            /// The options that set these fields, without those of `rules`.
            pub(super) fn of_fields(settings: &Settings) -> Self {
                Self {
                    $($value: Some(settings.$($value_at).+.clone().into()),)*
                    $($optional: settings.$($optional_at).+.clone().map(Into::into),)*
                    $($name: Some(settings.$($name_at).+.name().to_owned()),)*
                    $($rule: None,)*
                }
            }
        }

        /// Each option and the path of its field, with a dot before each name; of `rules` its own name.
        const FIELDS: &[(&str, &str)] = &[
            $((stringify!($value), concat!($(".", stringify!($value_at)),+)),)*
            $((stringify!($optional), concat!($(".", stringify!($optional_at)),+)),)*
            $((stringify!($name), concat!($(".", stringify!($name_at)),+)),)*
            $((stringify!($rule), concat!(".", stringify!($rule))),)*
        ];
    };
}

fields! {
    // Fields that always have a value, of the type of the option or one that is converted from it.
    values {
        preset => preset,
        loss => loss,
        categorical => columns.categorical,
        numeric => columns.numeric,
        ignore => columns.ignore,
        scaling => preprocess.scaling,
        numeric_bins => preprocess.numeric_bins,
        one_hot_up_to => preprocess.one_hot_up_to,
        hidden => network.hidden,
        normalization => network.normalization,
        input_dropout => network.input_dropout,
        dropout => network.dropout,
        epochs => train.num_epochs,
        batch_size => train.batch_size,
        learning_rate => train.learning_rate,
        warmup => train.schedule.warmup_iterations,
        clip_norm => train.clipping,
        keep => train.keep,
        monitor => train.monitor,
        patience => train.early_stopping,
        label_smoothing => train.loss.label_smoothing,
        class_weights => class_weights,
        calibration => calibration,
        threshold => threshold,
        restarts => train.restarts,
        seed => train.seed,
    }
    // Fields that are `None` where the option is not given.
    optional {
        positive => positive,
        weight => columns.weight,
        missing => columns.missing,
        time_budget => train.time_budget,
    }
    // Fields that carry settings of their own: the option gives the name only.
    names {
        activation => network.activation,
        optimizer => train.optimizer,
        schedule => train.schedule.decay,
    }
    // Options that depend on each other, or are about files: `resolve` says how.
    rules {
        target,
        valid,
        valid_fraction,
        stream,
        delimiter,
        header,
        members,
        bag_folds,
        weight_decay,
    }
}

/// The option that sets a field, which a library names by the end of its path.
pub(super) fn option_name(field: &str) -> &str {
    let (parent, last) = field.rsplit_once('.').unwrap_or((field, field));
    let at = |path: &str| {
        let end = format!(".{path}");
        FIELDS.iter().find(|(_, path)| path.ends_with(&end))
    };
    let found = at(field).or_else(|| FIELDS.iter().find(|(option, _)| *option == last));
    found.or_else(|| at(parent)).map_or(field, |(option, _)| option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_as_the_option_that_sets_it() {
        for (field, option) in [
            ("num_epochs", "epochs"),
            ("dropout", "dropout"),
            ("early_stopping", "patience"),
            ("early_stopping.patience", "patience"),
            ("clipping.norm", "clip_norm"),
            ("optimizer.weight_decay", "weight_decay"),
            ("schedule.warmup_iterations", "warmup"),
            ("loss.label_smoothing", "label_smoothing"),
            ("training data", "training data"),
        ] {
            assert_eq!(option_name(field), option);
        }
    }
}
