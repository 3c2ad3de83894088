use anyhow::bail;
use kiln::table::ReadOptions;

use super::Options;

/// How a file of rows is read, for every command that reads one.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Reading")]
pub(crate) struct ReadArgs {
    /// The character between two values, `tab` for a tab; found by itself where it isn't given
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,
    /// The first line holds the names of the columns; found by itself where neither flag is given
    #[arg(long)]
    pub(crate) header: bool,
    /// The first line holds values: the columns are named column_1, column_2, …
    #[arg(long, conflicts_with = "header")]
    pub(crate) no_header: bool,
}

impl ReadArgs {
    pub(crate) fn options(&self) -> ReadOptions {
        let header = (self.header || self.no_header).then_some(self.header);
        ReadOptions { delimiter: self.delimiter, header, ..ReadOptions::default() }
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
            _ => Err("expected one ASCII character, or `tab`".to_owned()),
        },
    }
}

impl Options {
    /// How the file of rows is read; flags win.
    pub(crate) fn read_options(&self, flags: &ReadArgs) -> anyhow::Result<ReadOptions> {
        let flags = flags.options();
        let named = match self.delimiter {
            None => None,
            Some(char) => match delimiter(&char.to_string()) {
                Ok(byte) => Some(byte),
                Err(expected) => bail!("`delimiter` is {char:?}, {expected}"),
            },
        };
        Ok(ReadOptions {
            delimiter: flags.delimiter.or(named),
            header: flags.header.or(self.header),
            ..flags
        })
    }
}
