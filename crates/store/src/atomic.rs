use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a file so that it is, at any time, either the old one or the whole new one.
///
/// `write` fills a temporary file in the same folder, which is then brought to the disk and renamed
/// over `path`. If anything fails the old file stays and the temporary one is removed. A new file has
/// the permissions that files have by default, a replaced one keeps its own. A symbolic link stays
/// one; the file that it names is replaced.
///
/// What exists and is not a regular file (`/dev/stdout`, a pipe) can't be replaced: it is written to
/// directly.
///
/// # Errors
///
/// Those of `write` and of the file system; a path that is a folder, or a read-only file.
pub fn write_atomically(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<()> {
    let path = path.as_ref();
    match target(path)? {
        Target::File(path, permissions) => replace(&path, permissions, write),
        Target::Device => fill(&OpenOptions::new().write(true).open(path)?, write),
    }
}

/// Whether [`write_atomically`] would find where to write, before the work that makes the content.
///
/// Changes nothing: the temporary file that it tries to make is gone afterwards. A full disk shows only
/// when there is something to write.
///
/// # Errors
///
/// A folder that is not there or not writable; a path that is a folder, or a read-only file.
pub fn check_writable(path: impl AsRef<Path>) -> io::Result<()> {
    match target(path.as_ref())? {
        Target::File(path, _) => temporary_beside(&path).map(drop),
        Target::Device => Ok(()),
    }
}

/// Where a path leads.
enum Target {
    /// To a file, with permissions if it is there already.
    File(PathBuf, Option<fs::Permissions>),
    /// To what can't be replaced.
    Device,
}

fn target(path: &Path) -> io::Result<Target> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if found.is_file() && found.permissions().readonly() => {
            Err(io::ErrorKind::PermissionDenied.into())
        }
        Ok(found) if found.is_file() => {
            Ok(Target::File(fs::canonicalize(path)?, Some(found.permissions())))
        }
        Ok(_) => Ok(Target::Device),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Target::File(path.to_owned(), None))
        }
        Err(error) => Err(error),
    }
}

fn fill(
    file: &File,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<()> {
    let mut writer = BufWriter::new(file);
    write(&mut writer)?;
    writer.flush()
}

fn replace(
    path: &Path,
    permissions: Option<fs::Permissions>,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = temporary_beside(path)?;
    fill(temporary.as_file(), write)?;
    if let Some(permissions) = permissions {
        temporary.as_file().set_permissions(permissions)?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    // The rename itself, where the system lets a folder be synced: the file is whole either way.
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder(path)) {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn temporary_beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = folder(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".kiln-").suffix(".tmp");
    // `tempfile` would let nobody else read it. The process's umask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // Its errors name the temporary file, which means nothing to who asked for another one.
    builder.tempfile_in(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            io::Error::new(error.kind(), format!("there is no folder {}", folder.display()))
        }
        kind => kind.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_made_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for text in ["first", "2nd"] {
            write_atomically(&path, |out| out.write_all(text.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        let error = write_atomically(&path, |out| {
            out.write_all(&[b'x'; 100_000])?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(error.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let error = write_atomically(folder.path().join("b"), |_| Err(io::Error::other("none")));
        assert_eq!(error.unwrap_err().to_string(), "none");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_atomically(folder.path(), |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "is a directory");
        let error = write_atomically(folder.path().join("none/a"), |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let missing = folder.path().join("none");
        assert_eq!(error.to_string(), format!("there is no folder {}", missing.display()));
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn checking_changes_nothing_and_fails_as_writing_would() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        check_writable(&path).unwrap();
        assert!(names(folder.path()).is_empty());
        fs::write(&path, "old").unwrap();
        check_writable(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let error = check_writable(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        let error = check_writable(folder.path().join("none/a")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_any_new_file_or_of_the_old_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [plain, path] = ["plain", "path"].map(|name| folder.path().join(name));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::write(&plain, "").unwrap();
        write_atomically(&path, |_| Ok(())).unwrap();
        assert_eq!(mode(&path), mode(&plain));
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        write_atomically(&path, |_| Ok(())).unwrap();
        assert_eq!(mode(&path), 0o640);
        fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap();
        let error = write_atomically(&path, |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "permission denied");
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, |out| out.write_all(b"new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_written_to_and_its_error_reported() {
        write_atomically("/dev/null", |out| out.write_all(b"gone")).unwrap();
        let error = write_atomically("/dev/full", |out| out.write_all(b"no room")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(!fs::metadata("/dev/full").unwrap().is_file());
    }
}
