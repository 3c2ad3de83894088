use std::{fs, path::PathBuf};

use anyhow::Context;
use clap_mangen::Man;

use crate::write_file::write_file;

/// Write the manual pages: kiln.1, and kiln-train.1 and others for its commands
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder to write them to, such as ~/.local/share/man/man1; it is made if it is not there
    folder: PathBuf,
}

/// `kiln`: the whole command.
pub(crate) fn run(args: &Args, kiln: clap::Command) -> anyhow::Result<()> {
    let folder = &args.folder;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut kiln = kiln.disable_help_subcommand(true);
    // Passes the flags of all commands on to each, and gives it its whole name.
    kiln.build();
    let commands = kiln.get_subcommands().cloned().collect::<Vec<_>>();
    for command in std::iter::once(kiln).chain(commands) {
        let page = Man::new(command);
        write_file(&folder.join(page.get_filename()), |mut to| Ok(page.render(&mut to)?))?;
    }
    Ok(())
}
