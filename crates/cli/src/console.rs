use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// What every command takes: how much it says, and in which form.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct Console {
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but the result and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: a line for each epoch, all columns
    #[arg(short, long, global = true)]
    verbose: bool,
}

impl Console {
    /// That of a process which has nothing to say.
    #[cfg(feature = "mpi")]
    pub(crate) fn silent() -> Self {
        Self { json: false, quiet: true, verbose: false }
    }

    /// Whether progress is to be shown.
    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether more is to be said.
    pub(crate) fn is_verbose(self) -> bool {
        self.verbose
    }

    /// Says something beside the result, on stderr.
    pub(crate) fn note(self, text: impl std::fmt::Display) {
        if !self.quiet {
            // Where stderr is closed there is no one to tell.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Says something that the user should look at, on stderr.
    pub(crate) fn warn(self, text: impl std::fmt::Display) {
        let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let word = if colour { "\x1b[33mwarning\x1b[0m" } else { "warning" };
        self.note(format_args!("{word}: {text}"));
    }

    /// Prints the result on stdout: `value` as JSON if that was asked for, else `text`.
    pub(crate) fn result(
        self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> io::Result<()> {
        let text = if self.json { serde_json::to_string_pretty(value)? + "\n" } else { text() };
        print(&text)
    }
}

/// Prints to stdout. A reader that has seen enough, `head` say, is no error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
