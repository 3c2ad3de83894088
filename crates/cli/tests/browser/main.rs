//! Reports in a real browser.
//!
//! `check.py` opens them in Chromium. It runs by `python3`, or by the interpreter that the
//! environment variable `KILN_PYTHON` names. Its screenshots are left in `target/tmp/screenshots`.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The exit code with which `check.py` says that it lacks something.
const SKIPPED: i32 = 77;

/// Opens the pages in Chromium and fails if anything is wrong with one; their names are distinct.
#[track_caller]
fn check(pages: &[PathBuf]) {
    if pages.is_empty() {
        return;
    }
    let Some(output) = run(pages) else { return };
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stdout}{stderr}", output.status);
    print!("{stdout}");
}

/// Runs `check.py`; nothing if it can't be run here.
fn run(pages: &[PathBuf]) -> Option<Output> {
    let python = env::var_os("KILN_PYTHON").unwrap_or_else(|| OsString::from("python3"));
    let output = Command::new(&python)
        .arg(folder().join("check.py"))
        .arg("--screenshots")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots"))
        .args(pages)
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: {} does not start: {error}", python.display());
            return None;
        }
    };
    if output.status.code() == Some(SKIPPED) {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(output)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

#[test]
fn every_fault_is_found() {
    let Some(output) = run(&[folder().join("faults.html")]) else { return };
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    // In the order of the alphabet, and without what axe goes on to say.
    let mut found: Vec<&str> = stdout
        .lines()
        .map(|line| line.split_once(": Element has").map_or(line, |(start, _)| start))
        .collect();
    found.sort_unstable();
    assert_eq!(found.join("\n"), include_str!("faults.txt").trim_end());
}

/// A program that `cargo test` builds, in a folder below that of this test.
fn beside(folder: &str, name: &str) -> PathBuf {
    let mut path = env::current_exe().unwrap();
    path.pop(); // deps
    path.pop();
    path.join(folder).join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

/// Data of the world: in the folder that the variable names, or else in the one shared by checkouts.
fn data(variable: &str, name: &str) -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    let path = env::var_os(variable).map_or(shared, PathBuf::from);
    let path = path.exists().then_some(path);
    if path.is_none() {
        eprintln!("skipped: no {name} (see {variable})");
    }
    path
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
}

#[test]
fn reports_of_real_data_have_no_fault() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reports");
    fs::create_dir_all(&folder).unwrap();
    let kiln = || Command::new(env!("CARGO_BIN_EXE_kiln"));
    let mut pages = Vec::new();
    if let Some(tables) = data("KILN_TABULAR_DIR", "tabular") {
        for (name, target) in [("titanic", "Survived"), ("penguins", "species")] {
            let (model, page) = (folder.join(name), folder.join(format!("{name}.html")));
            let mut command = kiln();
            command.arg("train").arg(tables.join(format!("{name}.csv")));
            command.args(["-q", "--target", target, "-o"]).arg(&model).arg("--report").arg(&page);
            succeeds(&mut command);
            pages.push(page);
        }
        let page = folder.join("compare.html");
        let names = ["first", "second", "third"].map(|name| {
            let path = folder.join(format!("{name}_of_the_models_with_names_too_long_for_a_page"));
            fs::copy(folder.join("titanic"), &path).unwrap();
            path
        });
        let mut command = kiln();
        command.arg("compare").args(names);
        command.arg("--data").arg(tables.join("titanic.csv"));
        succeeds(command.arg("--report").arg(&page));
        pages.push(page);
    }
    if let Some(images) = data("KILN_DATA_DIR", "mnist") {
        let page = folder.join("mnist.html");
        let mut command = Command::new(beside("examples", "mnist_report"));
        succeeds(command.arg(&page).arg("2").env("KILN_DATA_DIR", images));
        pages.push(page);
    }
    check(&pages);
}
