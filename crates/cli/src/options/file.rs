use std::{fs, path::Path};

use anyhow::Context;

use super::{Options, UsageError};

/// Reads options from TOML; an unknown key is an error with its place and the nearest known one.
pub(crate) fn read_config(path: &Path) -> anyhow::Result<Options> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(String::new(), |span| {
            let before = &text[..span.start];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
            format!(" line {line}, column {column}")
        });
        let message = error.message();
        // serde puts the key first and the known ones behind it, each in backquotes.
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let message = match (message.starts_with("unknown field"), quoted.split_first()) {
            (true, Some((key, known))) => match kiln::table::nearest(key, known.iter().copied()) {
                Some(nearest) => format!("unknown key `{key}`; did you mean `{nearest}`?"),
                None => format!("unknown key `{key}`; there are {}", known.join(", ")),
            },
            _ => in_words(message.trim_end()),
        };
        UsageError(format!("{}{at}: {message}", path.display())).into()
    })
}

/// A message of serde's without the names of Rust's types.
fn in_words(message: &str) -> String {
    [
        ("expected usize", "expected a whole number, 0 or more"),
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected a list"),
    ]
    .iter()
    .fold(message.to_owned(), |message, (rust, words)| message.replace(rust, words))
}
