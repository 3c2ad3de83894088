use std::io;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

/// Print a script that completes the words of this command in a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> io::Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut crate::Args::command(), "kiln", &mut script);
    super::console::print(&String::from_utf8_lossy(&script))
}
