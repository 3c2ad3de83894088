#[cfg(test)]
use std::env;
use std::path::{Path, PathBuf};

use crate::error::DataError;

/// The files MNIST comes in, as every mirror names them, without `.gz`.
pub(super) const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];
/// The folder of MNIST among other data sets.
pub(super) const SUBFOLDER: &str = "mnist";
/// The environment variable that names a folder to look in.
pub(super) const DATA_DIR_VARIABLE: &str = "KILN_DATA_DIR";

/// `folder/name` or `folder/name.gz`, whichever is there.
pub(super) fn existing(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = folder.join(name);
    let gzip = folder.join(format!("{name}.gz"));
    [plain, gzip].into_iter().find(|path| path.is_file())
}

/// `folder` or the one for MNIST inside it, whichever holds at least one of the files.
pub(super) fn holding_any(folder: &Path) -> Option<PathBuf> {
    [folder.to_owned(), folder.join(SUBFOLDER)]
        .into_iter()
        .find(|folder| FILES.iter().any(|name| existing(folder, name).is_some()))
}

pub(super) fn all_files(folder: &Path) -> Result<[PathBuf; 4], DataError> {
    let find = |name| {
        existing(folder, name).ok_or_else(|| DataError::Mnist {
            searched: vec![folder.to_owned()],
            problem: format!(
                "{}: not found, neither under this name nor with .gz added",
                folder.join(name).display()
            ),
        })
    };
    let [a, b, c, d] = FILES;
    Ok([find(a)?, find(b)?, find(c)?, find(d)?])
}

/// A folder with the real files, if this machine has one: `KILN_DATA_DIR`, or the one shared by
/// checkouts of the project.
#[cfg(test)]
pub(super) fn real_files() -> Option<[PathBuf; 4]> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mnist");
    let folder = env::var_os(DATA_DIR_VARIABLE).map_or(shared, PathBuf::from);
    let files = holding_any(&folder).and_then(|folder| all_files(&folder).ok());
    if files.is_none() {
        eprintln!("skipped: no MNIST at {}", folder.display());
    }
    files
}
