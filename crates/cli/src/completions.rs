use std::io;

use clap_complete::{Shell, generate};

/// Print a script that completes the words of this command in a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// `kiln`: the whole command.
pub(crate) fn run(args: &Args, mut kiln: clap::Command) -> io::Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut kiln, "kiln", &mut script);
    crate::console::print(&String::from_utf8_lossy(&script))
}
