//! The examples, as a newcomer runs them. `cargo test` builds them beside these tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// An example in a world without data: an empty cache, and a mirror where nobody answers.
fn example(name: &str, home: &Path) -> Command {
    let mut path: PathBuf = std::env::current_exe().expect("this test has a path");
    path.pop(); // deps
    path.pop();
    let path = path.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not there: `cargo build --examples` first", path.display());
    let mut command = Command::new(path);
    command
        .env_remove("KILN_DATA_DIR")
        .env("HOME", home)
        .env("XDG_CACHE_HOME", home)
        .env("KILN_MNIST_MIRROR", "http://127.0.0.1:9/")
        .current_dir(home);
    command
}

fn run(command: &mut Command) -> (String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the example runs");
    let stdout = String::from_utf8(stdout).expect("UTF-8");
    let stderr = String::from_utf8(stderr).expect("UTF-8");
    assert!(status.success(), "{status}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

fn accuracy(stdout: &str) -> f64 {
    let line = stdout.lines().find_map(|line| line.strip_prefix("test accuracy: "));
    let percent = line.expect("a line `test accuracy: …`").strip_suffix(" %").expect("in percent");
    percent.parse().expect("a number")
}

/// MNIST's folder: `KILN_DATA_DIR`, or the one shared by checkouts of the project.
fn real_mnist() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mnist");
    let folder = std::env::var_os("KILN_DATA_DIR").map_or(shared, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no MNIST at {}", folder.display());
    None
}

#[test]
fn mnist_without_data_or_network_trains_on_the_digits_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    let (stdout, stderr) = run(&mut example("mnist", home.path()));
    let mut lines =
        stderr.lines().filter(|line| line.starts_with("MNIST could not be had, training on"));
    let line = lines.next().expect("a line that says so");
    assert!(line.contains("http://127.0.0.1:9/"), "{line}");
    assert!(lines.next().is_none());
    assert!(stdout.contains("digits: "), "{stdout}");
    assert!(stdout.contains("total  "), "the model's parameters: {stdout}");
    assert!(stdout.contains("predicted"), "the confusion matrix: {stdout}");
    assert!(accuracy(&stdout) >= 93.0, "{stdout}");
}

#[test]
fn mnist_learns_from_the_real_images() {
    let Some(folder) = real_mnist() else { return };
    let home = tempfile::tempdir().unwrap();
    let args = ["--epochs", "1", "--train-rows", "5000", "--batch-size", "16", "--data-dir"];
    let (stdout, _) = run(example("mnist", home.path()).args(args).arg(folder));
    assert!(stdout.starts_with("MNIST: 5000 rows train, 6000 valid, 10000 test"), "{stdout}");
    assert!(accuracy(&stdout) >= 85.0, "{stdout}");
}

#[test]
fn mnist_with_one_seed_writes_one_history() {
    let home = tempfile::tempdir().unwrap();
    let history = |file: &str, seed: &str| {
        let args = ["--epochs", "3", "--hidden", "32", "--seed", seed, "--history", file];
        run(example("mnist", home.path()).args(args));
        let text = fs::read_to_string(home.path().join(file)).expect("the history");
        // The last three columns are the clock's.
        let clockless = |line: &str| line.rsplitn(4, ',').nth(3).expect("columns").to_owned();
        text.lines().map(clockless).collect::<Vec<_>>()
    };
    let one = history("a.csv", "5");
    assert_eq!(one.len(), 4, "a header and three epochs");
    assert_eq!(
        one[0],
        "restart,epoch,iterations,learning_rate,train_loss,train_accuracy,valid_loss,valid_accuracy,best"
    );
    assert_eq!(one, history("b.csv", "5"));
    assert_ne!(one, history("c.csv", "6"));
}

#[test]
fn mnist_says_what_is_wrong() {
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join("no-such-folder");
    let missing = missing.to_str().expect("UTF-8");
    for (args, code, message) in [
        (&["--data-dir", missing][..], 1, format!("{missing}/train-images-idx3-ubyte")),
        (&["--hidden", "0"], 1, "Error: `hidden[0]` is 0, expected at least 1".to_owned()),
        (&["--epochs", "0"], 1, "Error: `num_epochs` is 0, expected at least 1".to_owned()),
        (&["--batch-size", "0"], 1, "Error: `batch_size` is 0, expected at least 1".to_owned()),
        (
            &["--optimizer", "adm"],
            2,
            "`optimizer` is \"adm\", expected sgd, momentum, nesterov, adam".to_owned(),
        ),
        (
            &["--backend", "tpu"],
            2,
            "there is no backend \"tpu\", expected one of cuda, rocm, wgpu, flex, ndarray"
                .to_owned(),
        ),
        (
            &["--history", "no/such/folder.csv"],
            1,
            "cannot write the history to no/such/folder.csv".to_owned(),
        ),
        (
            &["--optimizer", "sgd", "--learning-rate", "1e30"],
            1,
            "Error: the training loss became".to_owned(),
        ),
    ] {
        let output = example("mnist", home.path()).args(args).output().expect("the example runs");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(&message), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn losses_shows_sparse_and_categorical_as_one() {
    let home = tempfile::tempdir().unwrap();
    let (stdout, _) = run(&mut example("losses", home.path()));
    let rows: Vec<Vec<&str>> =
        stdout.lines().skip(1).take(4).map(|line| line.split_whitespace().collect()).collect();
    for row in &rows {
        let [sparse, categorical] = [row[row.len() - 3], row[row.len() - 2]];
        assert_eq!(sparse, categorical);
    }
    // −ln softmax([1, 2, 4])₂, ln 3, and 12 for being very wrong.
    let sparse: Vec<&str> = rows.iter().map(|row| row[row.len() - 3]).collect();
    assert_eq!(sparse, ["0.1698", "1.0986", "4.0957", "12.0000"]);
}

#[test]
fn descent_draws_its_svg() {
    let home = tempfile::tempdir().unwrap();
    let (stdout, _) = run(&mut example("descent", home.path()));
    let last = |name: &str| -> f64 {
        let line = stdout.lines().find(|line| line.starts_with(name)).expect(name);
        line.rsplit(' ').next().and_then(|loss| loss.parse().ok()).expect("a loss")
    };
    // All three reasonable ways come near the lowest loss, 0.413.
    for name in ["all rows  ", "one row", "8 rows"] {
        assert!((0.413..0.45).contains(&last(name)), "{stdout}");
    }
    assert!(last("all rows, rate 24") > last("all rows  ") + 0.01, "{stdout}");
    let svg = fs::read_to_string(home.path().join("descent.svg")).expect("the SVG");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.matches("<polyline").count() >= 8, "four curves and four paths");
}

#[test]
fn restarts_finds_what_one_seed_misses() {
    let home = tempfile::tempdir().unwrap();
    let (stdout, _) = run(&mut example("restarts", home.path()));
    let percent = |name: &str| -> f64 {
        let line = stdout.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.split_whitespace().next().and_then(|share| share.parse().ok()).expect("a share")
    };
    assert!(percent("one seed: ") < 80.0, "{stdout}");
    assert!(percent("the best of 8: ") > 99.0, "{stdout}");
}
