use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use kiln::store::write_atomically;

/// Refuses to write over a file that the same command reads, or writes too.
pub(crate) fn refuse_overwriting<'a>(
    output: &Path,
    others: impl IntoIterator<Item = &'a PathBuf>,
) -> anyhow::Result<()> {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let is_device = output.exists() && !output.is_file();
    for other in others {
        if !is_device && whole(other) == whole(output) {
            bail!(
                "cannot write {}: it is another file of the same command, expected a name of its own",
                output.display()
            );
        }
    }
    Ok(())
}

/// Writes a file whole or not at all; whatever goes wrong, the old one stays.
pub(crate) fn write_file<T>(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut outcome = None;
    let written = write_atomically(path, |to| {
        let result = outcome.insert(write(to));
        // The error itself is in `outcome`.
        if result.is_ok() { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
    });
    match (outcome, written) {
        (Some(Err(error)), _) => Err(error),
        (_, Err(error)) => Err(error).with_context(|| format!("cannot write {}", path.display())),
        (Some(Ok(value)), Ok(())) => Ok(value),
        (None, Ok(())) => unreachable!("a file was written without its content"),
    }
}

/// Standard output that remembers whether its reader has gone: arrow's writers make text of errors.
#[derive(Debug, Default)]
pub(crate) struct Stdout {
    pub(crate) closed: bool,
}

impl Stdout {
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.closed |= error.kind() == io::ErrorKind::BrokenPipe;
        }
        result
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = io::stdout().write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = io::stdout().flush();
        self.note(result)
    }
}
