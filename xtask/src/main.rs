//! `cargo xtask check`: all that CI runs, as one command. `--tested` leaves out the README's test command, for
//! who has just run it.
//!
//! The README's commands are run without their `--release`: that they work is checked here, on what the tests have
//! built, and how fast they are is measured by `benches`. Building for release as well took 28 minutes more.

mod light;

use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

/// Beside the commands of the README, which hold `cargo test --workspace`.
const CHECKS: [&str; 10] = [
    "cargo fmt --all --check",
    // Advisories are left out: they are in a database on the network.
    "cargo deny check licenses bans sources",
    "cargo clippy --workspace --all-targets -- -D warnings",
    "cargo clippy -p kiln -p kiln-cli --all-targets --features \
     kiln-cli/flex,kiln-cli/wgpu,kiln-cli/mpi -- -D warnings",
    // The light core by itself, on one backend that is not the default, on none at all, and the data crate
    // without its download.
    "cargo clippy -p kiln -- -D warnings",
    "cargo clippy -p kiln --no-default-features --features flex -- -D warnings",
    "cargo clippy -p kiln --no-default-features -- -D warnings",
    "cargo clippy -p kiln-data --all-targets -- -D warnings",
    "cargo doc --workspace --no-deps",
    // On ndarray, flex and wgpu, and in several processes.
    "cargo test -p kiln -p kiln-cli --features kiln-cli/flex,kiln-cli/wgpu,kiln-cli/mpi \
     --lib --test backends --test cli --test distributed",
];

const TESTS: &str = "cargo test --workspace";

/// What the alias `cargo kiln` stands for, without its `--release`.
const KILN: &str = "cargo run --package kiln-cli -- ";

/// The least test accuracy, in percent, of the README's commands on the real MNIST.
const LEAST_ACCURACY: [(&str, f64); 3] = [
    ("cargo run --release --example mnist", 98.0),
    ("cargo run --release --example mnist --features flex", 98.0),
    ("cargo run --release --example mnist --features wgpu -- --epochs 1 --train-rows 10000", 90.0),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let tested = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => false,
        ["check", "--tested"] => true,
        _ => {
            eprintln!("usage: cargo xtask check [--tested]");
            return ExitCode::from(2);
        }
    };
    match check(tested) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check(tested: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mnist = match env::var_os("KILN_DATA_DIR") {
        Some(folder) => folder.into(),
        None => root.join("../shared/data/mnist"),
    };
    let mnist = mnist.is_dir().then_some(mnist.as_path());
    if mnist.is_none() {
        eprintln!(
            "skipped: the accuracy on MNIST, for KILN_DATA_DIR names no folder that holds it"
        );
    }

    let readme = fs::read_to_string(root.join("README.md")).map_err(|e| e.to_string())?;
    let readme: Vec<&str> = commands(&readme).collect();
    for command in LEAST_ACCURACY.map(|(command, _)| command).into_iter().chain([TESTS]) {
        if !readme.contains(&command) {
            return Err(format!("the README no longer has the command `{command}`"));
        }
    }
    light::check(&root)?;
    let has_mpi = Command::new("mpicc").arg("--version").output().is_ok();
    if !has_mpi {
        eprintln!("skipped: training in several processes, for there is no mpicc");
    }
    for command in CHECKS.into_iter().chain(readme) {
        if tested && command == TESTS {
            continue;
        }
        let built = command.replace(" --release", "").replace("cargo kiln ", KILN);
        let built = if has_mpi { built } else { built.replace(",kiln-cli/mpi", "") };
        let stdout = run(&built, &root, mnist)?;
        let least = LEAST_ACCURACY.iter().find(|(of, _)| *of == command);
        if let (Some((_, least)), Some(_)) = (least, mnist) {
            let found = accuracy(&stdout).ok_or(format!("`{command}` printed no test accuracy"))?;
            if found < *least {
                return Err(format!("`{command}` reached {found} %, expected at least {least} %"));
            }
        }
    }
    Ok(())
}

/// The lines of all fenced blocks marked `sh`.
fn commands(markdown: &str) -> impl Iterator<Item = &str> {
    let mut in_block = false;
    markdown.lines().filter(move |line| {
        if line.starts_with("```") {
            in_block = *line == "```sh";
            return false;
        }
        in_block
    })
}

/// Runs a command without a shell, and returns what it printed to stdout.
fn run(command: &str, root: &Path, mnist: Option<&Path>) -> Result<String, String> {
    println!("\n== {command}");
    let started = Instant::now();
    let mut words = command.split_whitespace();
    let program = words.next().ok_or("an empty line among the README's commands")?;
    let mut process = Command::new(program);
    process.args(words).current_dir(root).env("RUSTDOCFLAGS", "-D warnings");
    // What `cargo run` tells this program of itself would make build scripts run again.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            process.env_remove(&name);
        }
    }
    // A backend without a device is a failure here, not a test to skip.
    process.env("KILN_ALL_BACKENDS", "1");
    if let Some(mnist) = mnist {
        process.env("KILN_DATA_DIR", mnist);
    }
    let output = process
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`{command}` does not start: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{stdout}");
    println!("== {:.0} s", started.elapsed().as_secs_f64());
    if output.status.success() {
        Ok(stdout)
    } else {
        Err(format!("`{command}` failed: {}", output.status))
    }
}

fn accuracy(stdout: &str) -> Option<f64> {
    let line = stdout.lines().find_map(|line| line.strip_prefix("test accuracy: "))?;
    line.strip_suffix(" %")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_the_lines_of_sh_blocks() {
        let markdown = "a\n```sh\none\ntwo\n```\nb\n```rust\nno\n```\n```sh\nthree\n```\n";
        assert_eq!(commands(markdown).collect::<Vec<_>>(), ["one", "two", "three"]);
    }

    #[test]
    fn accuracy_is_read_from_its_line() {
        assert_eq!(accuracy("x\ntest accuracy: 98.31 %\ny"), Some(98.31));
        assert_eq!(accuracy("test accuracy:"), None);
    }
}
