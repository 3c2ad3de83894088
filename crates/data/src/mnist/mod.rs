#[cfg(feature = "download")]
mod download;
mod files;

use std::env;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

#[cfg(feature = "download")]
use self::files::SUBFOLDER;
use self::files::{DATA_DIR_VARIABLE, all_files, holding_any};
use crate::error::DataError;
use crate::idx::read_idx;
use crate::images::{ImageDataset, digit_images};

/// The value of a full pixel.
const FULL: u8 = 255;

/// MNIST: 60,000 handwritten digits for training and 10,000 for testing, 28x28 pixels in [0, 1].
///
/// The four IDX files, each plain or with `.gz`, are looked for in these folders, and in a folder
/// `mnist` inside each:
///
/// 1. `data_dir`, if given. It must hold all four; nothing else is looked at.
/// 2. The environment variable `KILN_DATA_DIR`. A folder without any of the files is passed over,
///    one with some of them is an error.
/// 3. `kiln` in the user's cache folder (`~/.cache/kiln`, or what `XDG_CACHE_HOME` says; the local
///    application data on Windows).
///
/// Files found nowhere are fetched into `mnist` in the third, if the feature `download` is on, as
/// it is by default. They are checked by their SHA-256. The environment variable
/// `KILN_MNIST_MIRROR`, the address of a folder that holds the four `.gz` files, takes the place of
/// the usual mirrors.
///
/// Files that were there before may hold any number of images of any size, as variants of MNIST do,
/// as long as they fit together.
///
/// Source: Y. LeCun, C. Cortes and C. J. C. Burges, *The MNIST database of handwritten digits*,
/// <http://yann.lecun.com/exdb/mnist/>.
///
/// # Errors
///
/// A missing file; a file that is not valid IDX; images and labels that don't fit together; a label
/// above 9; files that could not be fetched from any mirror.
pub fn mnist(data_dir: Option<&Path>) -> Result<ImageDataset, DataError> {
    let env_dir =
        env::var_os(DATA_DIR_VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let cache =
        etcetera::choose_base_strategy().ok().map(|folders| folders.cache_dir().join("kiln"));
    let paths = match find(data_dir, env_dir.as_deref(), cache.as_deref())? {
        Some(paths) => paths,
        None => fetch(env_dir.as_deref(), cache.as_deref())?,
    };
    load(&paths)
}

/// The four files, in the order of [`FILES`], or `None` if they have to be fetched.
fn find(
    data_dir: Option<&Path>,
    env_dir: Option<&Path>,
    cache: Option<&Path>,
) -> Result<Option<[PathBuf; 4]>, DataError> {
    if let Some(folder) = data_dir {
        return all_files(&holding_any(folder).unwrap_or_else(|| folder.to_owned())).map(Some);
    }
    if let Some(folder) = env_dir.and_then(holding_any) {
        return all_files(&folder).map(Some);
    }
    // A cache that lacks some files is one whose download was interrupted: fetching completes it.
    Ok(cache.and_then(holding_any).and_then(|folder| all_files(&folder).ok()))
}

#[cfg(feature = "download")]
fn fetch(_env_dir: Option<&Path>, cache: Option<&Path>) -> Result<[PathBuf; 4], DataError> {
    let no_cache = || DataError::Mnist {
        searched: Vec::new(),
        problem: "found no cache folder of the user to fetch MNIST into, expected HOME to be set"
            .to_owned(),
    };
    let folder = cache.ok_or_else(no_cache)?.join(SUBFOLDER);
    download::mnist_into(&folder)?;
    all_files(&folder)
}

#[cfg(not(feature = "download"))]
fn fetch(env_dir: Option<&Path>, cache: Option<&Path>) -> Result<[PathBuf; 4], DataError> {
    Err(cannot_fetch([env_dir, cache].into_iter().flatten().map(Path::to_owned).collect()))
}

#[cfg(any(test, not(feature = "download")))]
fn cannot_fetch(searched: Vec<PathBuf>) -> DataError {
    let folders: Vec<String> = searched.iter().map(|path| path.display().to_string()).collect();
    let looked = match folders.as_slice() {
        [] => "there was no folder to look in".to_owned(),
        folders => format!("looked in {}", folders.join(", ")),
    };
    DataError::Mnist {
        searched,
        problem: format!(
            "no MNIST files found ({looked}), and this build cannot fetch them: its feature \
             `download` is off"
        ),
    }
}

fn load(paths: &[PathBuf; 4]) -> Result<ImageDataset, DataError> {
    let [train_images, train_labels, test_images, test_labels] = paths;
    let part = |images: &Path, labels: &Path| {
        digit_images(&read_idx(images)?, images, &read_idx(labels)?, labels, FULL)
    };
    let (train, [height, width]) = part(train_images, train_labels)?;
    let (test, found) = part(test_images, test_labels)?;
    if found != [height, width] {
        return Err(DataError::idx(
            test_images,
            format_args!(
                "images of {found:?} pixels, expected {:?} as in {}",
                [height, width],
                train_images.display()
            ),
        ));
    }
    Ok(ImageDataset { name: "MNIST".to_owned(), height, width, train, test })
}

#[cfg(test)]
mod tests {
    use super::files::{FILES, SUBFOLDER, real_files};
    use super::*;
    use crate::dataset::Targets;
    use expect_test::expect;
    use std::fs;

    fn idx(dims: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        bytes.extend(values);
        bytes
    }

    /// Three training and two test images of 1x2 pixels.
    fn write_small(folder: &Path) {
        fs::create_dir_all(folder).expect("a folder");
        let contents = [
            idx(&[3, 1, 2], &[0, 255, 51, 102, 0, 0]),
            idx(&[3], &[1, 2, 9]),
            idx(&[2, 1, 2], &[255, 255, 0, 51]),
            idx(&[2], &[0, 3]),
        ];
        for (name, content) in FILES.iter().zip(contents) {
            fs::write(folder.join(name), content).expect("a file");
        }
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[test]
    fn pixels_and_labels_are_read() {
        let folder = folder();
        write_small(folder.path());
        let data = mnist(Some(folder.path())).expect("valid files");
        assert_eq!((data.name.as_str(), data.height, data.width), ("MNIST", 1, 2));
        assert_eq!(data.train.features(), [0.0, 1.0, 0.2, 0.4, 0.0, 0.0]);
        assert_eq!(data.test.features(), [1.0, 1.0, 0.0, 0.2]);
        let classes =
            |indices: &[u32]| Targets::Classes { indices: indices.to_vec(), num_classes: 10 };
        assert_eq!(data.train.targets(), &classes(&[1, 2, 9]));
        assert_eq!(data.test.targets(), &classes(&[0, 3]));
    }

    #[test]
    fn folders_are_searched_in_order() {
        let (given, env_dir, cache) = (folder(), folder(), folder());
        for folder in [&given, &env_dir, &cache] {
            write_small(&folder.path().join(SUBFOLDER));
        }
        let (given, env_dir, cache) = (given.path(), env_dir.path(), cache.path());
        for (folders, expected) in [
            ([Some(given), Some(env_dir), Some(cache)], given),
            ([None, Some(env_dir), Some(cache)], env_dir),
            ([None, None, Some(cache)], cache),
        ] {
            let [given, env_dir, cache] = folders;
            let paths = find(given, env_dir, cache).expect("found").expect("found");
            assert_eq!(paths, FILES.map(|name| expected.join(SUBFOLDER).join(name)));
        }
    }

    #[test]
    fn gz_is_accepted_for_each_file() {
        let folder = folder();
        write_small(folder.path());
        let plain = folder.path().join(FILES[2]);
        let gzip = folder.path().join(format!("{}.gz", FILES[2]));
        fs::rename(plain, &gzip).expect("renamed");
        let paths = find(None, Some(folder.path()), None).expect("found").expect("found");
        assert_eq!(paths[2], gzip);
    }

    #[test]
    fn env_folder_without_mnist_is_passed_over() {
        let (empty, cache) = (folder(), folder());
        write_small(cache.path());
        let found = find(None, Some(empty.path()), Some(cache.path())).expect("no error");
        assert_eq!(found, Some(FILES.map(|name| cache.path().join(name))));
        assert_eq!(find(None, Some(empty.path()), None).expect("no error"), None);
    }

    #[test]
    fn folder_with_some_of_the_files_is_an_error() {
        let (partial, cache) = (folder(), folder());
        write_small(partial.path());
        write_small(cache.path());
        let missing = partial.path().join(FILES[1]);
        fs::remove_file(&missing).expect("removed");
        let expected =
            format!("{}: not found, neither under this name nor with .gz added", missing.display());
        let (partial, cache) = (Some(partial.path()), Some(cache.path()));
        for (given, env_dir) in [(partial, None), (None, partial)] {
            let error = find(given, env_dir, cache).expect_err("must be refused");
            assert_eq!(error.to_string(), expected);
        }
        // As a cache it is one to complete.
        assert_eq!(find(None, None, partial).expect("no error"), None);
    }

    #[test]
    fn given_folder_is_never_passed_over() {
        let (empty, cache) = (folder(), folder());
        write_small(cache.path());
        let error = find(Some(empty.path()), None, Some(cache.path())).expect_err("refused");
        assert_eq!(
            error.to_string(),
            format!(
                "{}: not found, neither under this name nor with .gz added",
                empty.path().join(FILES[0]).display()
            )
        );
    }

    #[test]
    fn test_images_of_another_size_are_an_error() {
        let folder = folder();
        write_small(folder.path());
        let test_images = folder.path().join(FILES[2]);
        fs::write(&test_images, idx(&[2, 2, 1], &[0; 4])).expect("a file");
        let error = mnist(Some(folder.path())).expect_err("must be refused");
        assert_eq!(
            error.to_string(),
            format!(
                "{}: images of [2, 1] pixels, expected [1, 2] as in {}",
                test_images.display(),
                folder.path().join(FILES[0]).display()
            )
        );
    }

    #[test]
    fn mnist_not_found_names_the_folders() {
        let message = |searched| cannot_fetch(searched).to_string();
        expect!["no MNIST files found (looked in a, b), and this build cannot fetch them: its feature `download` is off"]
            .assert_eq(&message(vec![PathBuf::from("a"), PathBuf::from("b")]));
        expect!["no MNIST files found (there was no folder to look in), and this build cannot fetch them: its feature `download` is off"]
            .assert_eq(&message(vec![]));
    }

    #[cfg(feature = "download")]
    #[test]
    fn without_a_cache_folder_nothing_is_fetched() {
        let error = fetch(None, None).expect_err("must be refused");
        expect!["found no cache folder of the user to fetch MNIST into, expected HOME to be set"]
            .assert_eq(&error.to_string());
    }

    #[cfg(not(feature = "download"))]
    #[test]
    fn without_the_feature_nothing_is_fetched() {
        let error = fetch(Some(Path::new("a")), Some(Path::new("b"))).expect_err("refused");
        expect!["no MNIST files found (looked in a, b), and this build cannot fetch them: its feature `download` is off"]
            .assert_eq(&error.to_string());
    }

    // import numpy as np; np.bincount(labels); images.mean() / 255, the usual 0.1307
    #[test]
    fn real_mnist_is_read_whole() {
        let Some(paths) = real_files() else { return };
        let data = load(&paths).expect("valid files");
        assert_eq!((data.train.rows(), data.test.rows()), (60_000, 10_000));
        assert_eq!((data.height, data.width, data.train.d_input()), (28, 28, 784));
        let Targets::Classes { indices, .. } = data.train.targets() else {
            panic!("class targets expected");
        };
        let mut counts = [0; 10];
        for &class in indices {
            counts[class as usize] += 1;
        }
        assert_eq!(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
        let features = data.train.features();
        let sum: f64 = features.iter().copied().map(f64::from).sum();
        let mean = sum / features.len() as f64;
        assert!((mean - 0.1307).abs() < 5e-5, "{mean}");
    }
}
