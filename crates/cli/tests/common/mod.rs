//! The `kiln` command in a folder of its own, so that messages hold the names of files alone.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{Seek, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// What a command said.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A folder in which commands run.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The same with a file `good.csv` of two classes, and `model.safetensors` trained on it.
    #[allow(dead_code, reason = "not every test with this module needs it")]
    pub(crate) fn with_model() -> Self {
        let folder = Self::new();
        folder.write("good.csv", good());
        folder.succeeds("train good.csv --target class -o model.safetensors --epochs 3 -q");
        folder
    }

    /// The same of one network, whose features are the two columns.
    #[allow(dead_code, reason = "not every test with this module needs it")]
    pub(crate) fn with_small_model() -> Self {
        let folder = Self::new();
        folder.write("good.csv", good());
        folder.succeeds(
            "train good.csv --target class --preset fast --numeric-bins 0 -o model.safetensors \
             --epochs 3 -q",
        );
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("writes");
    }

    #[allow(dead_code, reason = "not every test with this module needs it")]
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// All names in the folder, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("reads");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    /// Runs `kiln` with words parted by blanks; standard input is the file, if one is named.
    pub(crate) fn run_with(&self, args: &str, stdin: Option<&Path>) -> Run {
        let stdin = match stdin {
            Some(path) => fs::File::open(path).expect("opens").into(),
            None => Stdio::null(),
        };
        let output = Command::new(env!("CARGO_BIN_EXE_kiln"))
            .args(args.split_whitespace())
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .stdin(stdin)
            .output()
            .expect("kiln runs");
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    pub(crate) fn run(&self, args: &str) -> Run {
        self.run_with(args, None)
    }

    /// Runs what must go well; its standard output.
    #[track_caller]
    pub(crate) fn succeeds(&self, args: &str) -> String {
        let run = self.run(args);
        assert_eq!(run.code, Some(0), "kiln {args}: {}", run.stderr);
        run.stdout
    }

    /// Runs what must fail with this message and nothing else, and leave the folder as it was.
    #[track_caller]
    #[allow(dead_code, reason = "not every test with this module needs it")]
    pub(crate) fn fails(&self, args: &str, message: &str) {
        self.fails_with(1, args, message);
    }

    #[track_caller]
    #[allow(dead_code, reason = "not every test with this module needs it")]
    pub(crate) fn fails_with(&self, code: i32, args: &str, message: &str) {
        let before = self.names();
        let run = self.run(args);
        assert_eq!(run.stderr, format!("error: {message}\n"), "kiln {args}");
        assert_eq!(run.code, Some(code), "kiln {args}");
        assert_eq!(run.stdout, "", "kiln {args}");
        assert_eq!(self.names(), before, "kiln {args}");
    }
}

/// A folder of real data: the one that the variable names, or else the one beside the checkout. `None`, with a
/// notice, if it is not there.
#[allow(dead_code, reason = "not every test with this module needs it")]
pub(crate) fn shared(variable: &str, name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    let folder = env::var_os(variable).map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there (see {variable})", folder.display());
        return None;
    }
    Some(folder)
}

/// Runs a Python script with this on its standard input; what it prints. `None`, with a notice, if it lacks
/// something, which it says by the exit code 77. The interpreter is `python3`, or what `KILN_PYTHON` names.
#[allow(dead_code, reason = "not every test with this module needs it")]
pub(crate) fn python(script: &str, input: &str) -> Option<String> {
    const SKIPPED: i32 = 77;
    let interpreter = env::var_os("KILN_PYTHON").unwrap_or_else(|| OsString::from("python3"));
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(input.as_bytes()).and_then(|()| file.rewind()).expect("writes");
    let output = Command::new(&interpreter).args(["-c", script]).stdin(file).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: {} does not start: {error}", interpreter.display());
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(SKIPPED) {
        eprint!("{said}");
        return None;
    }
    assert!(output.status.success(), "{}: {said}", output.status);
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// Sixty rows `a,b,class` of two classes, x and y, that `a` parts nearly.
#[allow(dead_code, reason = "not every test with this module needs it")]
pub(crate) fn good() -> String {
    let mut text = "a,b,class\n".to_owned();
    for row in 0..60_u32 {
        let a = f64::from(row * 37 % 60) / 10.0 + f64::from(row % 2) * 2.0;
        let b = f64::from(row * 23 % 59) / 10.0;
        text += &format!("{a:.2},{b:.2},{}\n", if row % 2 == 0 { "x" } else { "y" });
    }
    text
}

/// [`good`] with another text as its line `line`, counted from 1.
#[allow(dead_code, reason = "not every test with this module needs it")]
pub(crate) fn good_but(line: usize, text: &str) -> String {
    let good = good();
    let mut lines: Vec<&str> = good.lines().collect();
    lines[line - 1] = text;
    lines.join("\n") + "\n"
}
