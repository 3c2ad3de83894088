//! `kiln train` killed at random, again and again, and resumed: the model is the one of a run that was left
//! alone. `KILN_STRESS=1` tries every combination of options, and takes long.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStderr, Command, Stdio},
};

use common::{Folder, good};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// The history without its last three columns, which are the clock's.
fn history(folder: &Folder, name: &str) -> Vec<String> {
    let columns = |line: &str| line.rsplitn(4, ',').last().unwrap_or_default().to_owned();
    folder.read(name).lines().map(columns).collect()
}

/// Starts `kiln train`, whose standard error can be read while it runs.
fn start(folder: &Folder, args: &str) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(args.split_whitespace())
        .current_dir(folder.path("."))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kiln runs");
    let said = BufReader::new(child.stderr.take().expect("piped")).lines();
    (child, said)
}

/// Runs `kiln train -v` and kills it, in a way that it can't notice, after it has told so many times that an
/// epoch is over or that it goes on; `false` if it came to its end before.
fn killed(folder: &Folder, args: &str, told: usize) -> bool {
    let (mut child, mut said) = start(folder, args);
    let is_told = |line: &String| line.starts_with("epoch ") || line.starts_with("going on ");
    let mut log: Vec<String> = Vec::new();
    while log.iter().filter(|line| is_told(line)).count() < told
        && let Some(line) = said.next()
    {
        log.push(line.expect("UTF-8"));
    }
    child.kill().expect("can be killed");
    let status = child.wait().expect("ends");
    assert!(status.success() || status.code().is_none(), "{args}: {log:?}");
    !status.success()
}

/// Kills a run and what resumes it until one comes to its end, and compares with a run left alone.
fn kill_and_resume(options: &str, rng: &mut ChaCha8Rng) {
    let folder = Folder::new();
    folder.write("good.csv", good());
    let train = format!("train good.csv --target class --epochs 9 {options}");
    folder.succeeds(&format!("{train} -o straight -q --history straight.csv"));
    let interval = rng.random_range(1..12);
    let every = format!("--checkpoint-every {interval}iterations -v");
    let begin = format!("{train} -o resumed --history resumed.csv --checkpoint-dir run {every}");
    let mut is_killed = killed(&folder, &begin, rng.random_range(1..7));
    let mut times = 0;
    while is_killed {
        times += 1;
        // In the end it is left alone.
        let told = if times > 6 { usize::MAX } else { rng.random_range(1..6) };
        is_killed = killed(&folder, &format!("train --resume run {every}"), told);
    }
    let bytes = |name: &str| fs::read(folder.path(name)).unwrap_or_default();
    assert!(
        bytes("resumed") == bytes("straight"),
        "{options} --checkpoint-every {interval}iterations"
    );
    assert_eq!(history(&folder, "resumed.csv"), history(&folder, "straight.csv"), "{options}");
}

const OPTIMIZERS: [&str; 8] =
    ["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "adan"];
const SCHEDULES: [&str; 4] = ["constant", "cosine --warmup 5", "one_cycle --warmup 0", "plateau"];
const BATCHES: [&str; 3] = ["all", "1", "16"];
const DROPOUTS: [&str; 2] = ["0", "0.2"];
const STOPS: [&str; 4] = ["--keep last", "--keep best", "--patience 2", "--keep last --patience 2"];

fn options(parts: [&str; 5]) -> String {
    let [optimizer, schedule, batch, dropout, stop] = parts;
    format!(
        "--hidden 12,5 --learning-rate 0.01 --optimizer {optimizer} --schedule {schedule} \
         --batch-size {batch} --dropout {dropout} {stop}"
    )
}

#[test]
fn a_killed_run_ends_with_the_model_of_one_left_alone() {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    if std::env::var_os("KILN_STRESS").is_none() {
        for optimizer in OPTIMIZERS {
            let parts = [&SCHEDULES[..], &BATCHES, &DROPOUTS, &STOPS]
                .map(|of| *of.choose(rng).expect("there is one"));
            let [schedule, batch, dropout, stop] = parts;
            kill_and_resume(&options([optimizer, schedule, batch, dropout, stop]), rng);
        }
        for options in [
            "--restarts 3 --batch-size 16",
            "--normalization batch --batch-size 16",
            "--stream --restarts 2 --batch-size 7",
            "--stream --normalization batch --batch-size 16",
        ] {
            kill_and_resume(&format!("--hidden 12 {options}"), rng);
        }
        return;
    }
    for optimizer in OPTIMIZERS {
        for schedule in SCHEDULES {
            for batch in BATCHES {
                for dropout in DROPOUTS {
                    for stop in STOPS {
                        let parts = [optimizer, schedule, batch, dropout, stop];
                        kill_and_resume(&options(parts), rng);
                    }
                }
            }
        }
    }
}

fn begun() -> Folder {
    let folder = Folder::new();
    folder.write("good.csv", good());
    folder.succeeds(
        "train good.csv --target class -o m --epochs 4 --hidden 8 -q --checkpoint-dir run \
         --checkpoint-every 2epochs",
    );
    folder
}

#[test]
fn more_epochs_go_on_and_other_options_are_refused() {
    let folder = begun();
    let differs = |what: &str| format!("the run can't be resumed: {what}");
    for (flags, what) in [
        ("--learning-rate 0.5", "`learning_rate` is 0.5, and it began with 0.005"),
        ("--hidden 4", "`hidden` is [4], and it began with [8]"),
        ("--seed 1", "`seed` is 1, and it began with 0"),
        ("--scaling robust", "`scaling` is \"robust\", and it began with \"standard\""),
        ("--weight b", "`weight` is \"b\", and it began with not given"),
    ] {
        folder.fails_with(2, &format!("train --resume run {flags}"), &differs(what));
    }
    folder.write("other.csv", common::good_but(9, "0.5,0.5,x"));
    let run = folder.run("train other.csv --resume run -q");
    let start =
        "error: the run can't be resumed: `training data` is 60 rows of 18 features with SHA";
    assert!(run.stderr.starts_with(start) && run.code == Some(1), "{run:?}");
    let run = folder.run("train --resume run --epochs 3 -q");
    let what = "`epochs` is 3, and it began with 4, which may grow only";
    assert_eq!(run.stderr, format!("error: {}\n", differs(what)));

    // A table from standard input has to come again.
    let options = "--target class --epochs 2 --hidden 8 -q";
    let begin = format!("train - {options} -o piped --checkpoint-dir piped-run");
    assert_eq!(folder.run_with(&begin, Some(&folder.path("good.csv"))).code, Some(0));
    folder.fails(
        "train --resume piped-run -q",
        "the run began with a table from standard input, which is to be given again: `kiln train - \
         --resume piped-run < FILE`",
    );
    let again = "train - --resume piped-run -q";
    assert_eq!(folder.run_with(again, Some(&folder.path("good.csv"))).code, Some(0));

    // The same file under another name, another output, and more epochs.
    folder.write("moved.csv", good());
    folder.succeeds("train moved.csv --resume run -o longer --epochs 6 -q");
    let model = folder.succeeds("inspect longer --json");
    let model: serde_json::Value = serde_json::from_str(&model).unwrap();
    assert_eq!(model["training"]["epochs"], 6);
}

#[test]
fn folders_that_do_not_fit_are_refused() {
    let folder = begun();
    folder.fails(
        "train good.csv --target class -o n --checkpoint-dir run -q",
        "run holds the checkpoints of another run: go on with it by `--resume run`, or choose another \
         folder",
    );
    folder.fails(
        "train --resume none",
        "cannot use the folder none for checkpoints: No such file or directory (os error 2)",
    );
    for (flags, problem) in [
        ("--resume run --checkpoint-dir other", "`--checkpoint-dir` both name a folder"),
        ("--resume auto", "`--resume auto` needs `--checkpoint-dir`"),
        ("good.csv --resume auto --checkpoint-dir run", "needs FILE and `--output`"),
        ("--resume run --config run", "without `--config`"),
        (
            "good.csv --target class -o n --checkpoint-keep 3",
            "required arguments were not provided",
        ),
        ("--resume run --checkpoint-keep 0", "number would be zero"),
        ("--resume run --checkpoint-every 5m", "`s`, `epochs` or `iterations`: 30s"),
    ] {
        let run = folder.run(&format!("train {flags}"));
        assert!(run.code == Some(2) && run.stderr.contains(problem), "{run:?}");
    }
    fs::create_dir(folder.path("empty")).unwrap();
    let run = folder.run("train --resume empty");
    assert_eq!(run.stderr, "error: empty holds no checkpoint\n");
    let run = folder.run("predict run/checkpoint-1-0000000004.safetensors good.csv");
    assert!(
        run.stderr
            .ends_with("its metadata says `\"format\": \"kiln-checkpoint\"`, expected \"kiln\"\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn one_command_begins_a_run_and_goes_on_with_it() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    folder.write("options.toml", "hidden = [8]\ntarget = [\"class\"]\n");
    let train = |epochs: usize| {
        let run = "--checkpoint-dir run --resume auto --config options.toml";
        folder.succeeds(&format!("train good.csv -o m {run} -q --json --epochs {epochs}"));
        let history = folder.succeeds("inspect m --json");
        let model: serde_json::Value = serde_json::from_str(&history).unwrap();
        model["training"]["epochs"].as_u64().unwrap()
    };
    fs::create_dir(folder.path("run")).unwrap();
    assert_eq!([train(2), train(5)], [2, 5]);
    let newest = folder.path("run/checkpoint-1-0000000010.safetensors");
    assert!(newest.exists(), "{:?}", fs::read_dir(folder.path("run")).unwrap().collect::<Vec<_>>());

    // Not over checkpoints that can't be read.
    for name in fs::read_dir(folder.path("run")).unwrap() {
        let path = name.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "safetensors") {
            fs::write(path, "no checkpoint").unwrap();
        }
    }
    let again = "train good.csv --target class -o m -q --checkpoint-dir run --resume auto";
    let run = folder.run(again);
    assert!(run.stderr.starts_with("error: run holds no checkpoint that is intact"), "{run:?}");
}

#[test]
fn a_damaged_checkpoint_is_said_and_an_older_one_taken() {
    let folder = begun();
    let names = fs::read_dir(folder.path("run")).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("checkpoint"));
    names.sort();
    let [.., older, newest] = names.as_slice() else { panic!("{names:?}") };
    folder.write(&format!("run/{newest}"), "half");
    let straight = fs::read(folder.path("m")).unwrap();
    let run = folder.run("train --resume run");
    let warning = format!(
        "warning: run/{newest}: not a usable checkpoint: it has 4 bytes; going on from run/{older}\n"
    );
    assert!(run.stderr.starts_with(&warning) && run.code == Some(0), "{run:?}");
    assert!(fs::read(folder.path("m")).unwrap() == straight);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_run_with_a_line_on_how_to_go_on() {
    for signal in ["INT", "TERM"] {
        let folder = Folder::new();
        folder.write("good.csv", good());
        let options = "good.csv --target class --keep last --epochs 600 --batch-size 4";
        folder.succeeds(&format!("train {options} -o straight -q"));
        let args = format!("train {options} -v -o m --checkpoint-dir run");
        let (mut child, mut said) = start(&folder, &args);
        let is_epoch = |line: &String| line.starts_with("epoch ");
        said.by_ref().map(Result::unwrap).find(is_epoch).expect("an epoch");
        // The shell's own, for a small system has no program of that name.
        let kill = format!("kill -{signal} {}", child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().expect("sh runs");
        assert!(sent.success(), "{kill}");
        let last = said.map(Result::unwrap).last().unwrap_or_default();
        assert_eq!(child.wait().expect("ends").code(), Some(1), "{last}");
        assert!(last.starts_with("error: interrupted in epoch "), "{last}");
        assert!(last.ends_with(" holds all of it; go on with `kiln train --resume run`"), "{last}");
        assert!(!folder.path("m").exists());
        folder.succeeds("train --resume run -q");
        assert!(fs::read(folder.path("m")).unwrap() == fs::read(folder.path("straight")).unwrap());
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let folder = Folder::new();
    folder.write("good.csv", good());
    for normalization in ["none", "batch"] {
        let models = ["1", "2", "5"].map(|threads| {
            let output = Command::new(env!("CARGO_BIN_EXE_kiln"))
                .args(["train", "good.csv", "--target", "class", "-o", "m", "-q", "--epochs", "2"])
                .args(["--hidden", "700,700", "--batch-size", "all"])
                .args(["--normalization", normalization])
                .env("RAYON_NUM_THREADS", threads)
                .current_dir(folder.path("."))
                .output()
                .expect("kiln runs");
            assert!(output.status.success(), "{output:?}");
            fs::read(folder.path("m")).unwrap()
        });
        assert!(models[0] == models[1] && models[0] == models[2], "{normalization}");
    }
}
