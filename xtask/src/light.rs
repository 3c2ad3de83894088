//! Whether the examples stay quick to build.
//!
//! The first thing a newcomer does is `cargo run --release --example mnist`. It is to compile few crates, and
//! none again when the command is built after it, or before.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

/// Most crates that an example of the package `kiln` compiles.
const MOST_CRATES: usize = 180;

/// What the light core must not depend on.
const HEAVY: [&str; 8] =
    ["arrow-array", "arrow-schema", "axum", "clap", "parquet", "resvg", "rustls", "tokio"];

/// By name and version, the sets of features that a crate is compiled with.
type Crates = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn check(root: &Path) -> Result<(), String> {
    let example = crates(root, &["-p", "kiln", "--edges", "normal,build,dev"])?;
    if example.len() > MOST_CRATES {
        return Err(format!(
            "an example compiles {} crates, expected at most {MOST_CRATES}",
            example.len()
        ));
    }
    refuse("an example", &example, &HEAVY)?;
    let train = crates(root, &["-p", "kiln-train", "--edges", "normal,build,dev"])?;
    refuse("kiln-train", &train, &HEAVY)?;
    let tabular = crates(root, &["-p", "kiln-tabular", "--edges", "normal,build"])?;
    refuse("kiln-tabular", &tabular, &["clap"])?;

    // A crate may be compiled twice, for what runs and for macros and build scripts, with features of its own in
    // each. What runs is compared by itself.
    for edges in ["no-proc-macro,normal", "normal,build"] {
        let example = crates(root, &["-p", "kiln", "--edges", &format!("{edges},dev")])?;
        let command = crates(root, &["-p", "kiln-cli", "--edges", edges])?;
        for (name, features) in &example {
            let Some(others) = command.get(name) else { continue };
            // The facade itself has other features in each.
            if !name.starts_with("kiln ") && !features.is_subset(others) {
                return Err(format!(
                    "{name} has the features {features:?} in an example and {others:?} in the command: both \
                     builds compile it; align them in the dev-dependencies of the root package"
                ));
            }
        }
    }
    Ok(())
}

/// Fails if a name is one of those that `package` must not depend on.
fn refuse(package: &str, crates: &Crates, refused: &[&str]) -> Result<(), String> {
    let is_refused = |name: &&String| refused.iter().any(|of| name.split(' ').next() == Some(*of));
    match crates.keys().find(is_refused) {
        Some(found) => Err(format!("{package} depends on {found}, which it must not")),
        None => Ok(()),
    }
}

/// All crates that a package is built from, itself included.
fn crates(root: &Path, args: &[&str]) -> Result<Crates, String> {
    let output = Command::new("cargo")
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{f}"])
        .args(args)
        .current_dir(root)
        .output()
        .map_err(|error| format!("`cargo tree` does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo tree` failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(parsed(&String::from_utf8_lossy(&output.stdout)))
}

fn parsed(tree: &str) -> Crates {
    let mut crates = Crates::new();
    for (package, features) in tree.lines().filter_map(|line| line.split_once('|')) {
        // `name v1.2.3 (proc-macro)`
        let name = package.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let features = features.trim_end_matches(" (*)").to_owned();
        crates.entry(name).or_default().insert(features);
    }
    crates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_counted_once_with_all_its_sets_of_features() {
        let tree =
            "a v1.0.0 (/x)|\nb v2.0.0|std\nc v1.0.0 (proc-macro)|\nb v2.0.0|std (*)\nb v2.0.0|\n";
        let crates = parsed(tree);
        assert_eq!(crates.keys().collect::<Vec<_>>(), ["a v1.0.0", "b v2.0.0", "c v1.0.0"]);
        assert_eq!(crates["b v2.0.0"].len(), 2);
    }
}
