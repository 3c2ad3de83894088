//! Outputs that can't be written: nothing is lost, nothing half-written.

use std::fs;

use crate::common::Folder;

const TRAIN: &str = "train good.csv --target class --epochs 2 -q";
const PREDICT: &str = "predict model.safetensors good.csv";

#[test]
fn a_folder_that_is_not_there_is_said_before_the_work() {
    let folder = Folder::with_model();
    let message = |name: &str| format!("cannot write {name}: there is no folder none");
    // A million epochs: it would not come back.
    folder.fails(
        "train good.csv --target class -q --epochs 1000000 -o none/m.safetensors",
        &message("none/m.safetensors"),
    );
    folder.fails(&format!("{PREDICT} -o none/out.csv"), &message("none/out.csv"));
    folder.fails(
        &format!("{PREDICT} -o out.csv --errors none/errors.csv"),
        &message("none/errors.csv"),
    );
    folder.fails(
        &format!("{TRAIN} -o m.safetensors --history none/h.csv"),
        "cannot write the history to none/h.csv: No such file or directory (os error 2)",
    );
}

#[test]
fn a_folder_can_not_be_written_over() {
    let folder = Folder::with_model();
    fs::create_dir(folder.path("folder")).unwrap();
    for command in [TRAIN, PREDICT] {
        folder.fails(&format!("{command} -o folder"), "cannot write folder: is a directory");
    }
}

#[test]
fn a_file_that_is_read_is_not_written_over() {
    let folder = Folder::with_model();
    let before = folder.read("good.csv");
    let refused = |command: &str, name: &str| {
        folder.fails(
            command,
            &format!(
                "cannot write {name}: it is another file of the same command, expected a name of \
                 its own"
            ),
        );
    };
    refused(&format!("{TRAIN} -o good.csv"), "good.csv");
    refused(&format!("{TRAIN} -o m.safetensors --history ./good.csv"), "./good.csv");
    refused(&format!("{TRAIN} -o m --history m"), "m");
    refused(&format!("{PREDICT} -o ./good.csv"), "./good.csv");
    refused(&format!("{PREDICT} -o model.safetensors"), "model.safetensors");
    refused(&format!("{PREDICT} -o out.csv --errors out.csv"), "out.csv");
    assert_eq!(folder.read("good.csv"), before);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_of_every_output() {
    let folder = Folder::with_model();
    let full = "cannot write /dev/full: No space left on device (os error 28)";
    folder.fails(&format!("{TRAIN} -o /dev/full"), full);
    for format in ["csv", "jsonl", "parquet"] {
        folder.fails(&format!("{PREDICT} -o /dev/full --format {format}"), full);
    }
    folder.fails(&format!("{PREDICT} -o out.csv --errors /dev/full"), full);
    for history in ["/dev/full", "full.jsonl"] {
        if history == "full.jsonl" {
            std::os::unix::fs::symlink("/dev/full", folder.path(history)).unwrap();
        }
        folder.fails(
            &format!("{TRAIN} -o m.safetensors --history {history}"),
            &format!(
                "cannot write the history to {history}: No space left on device (os error 28)"
            ),
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let folder = Folder::with_model();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(PREDICT.split(' '))
        .current_dir(folder.path(""))
        .stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: cannot write to stdout: No space left on device (os error 28)\n"
    );
}

#[test]
fn a_run_that_fails_keeps_the_old_model() {
    let folder = Folder::with_model();
    let before = fs::read(folder.path("model.safetensors")).unwrap();
    folder.fails_with(
        2,
        &format!("{TRAIN} -o model.safetensors --dropout 2"),
        "`dropout` is 2, expected a fraction in [0, 1)",
    );
    folder.write("unknown.csv", "a,b,class\n1,2,z\n");
    folder.fails(
        &format!("{TRAIN} -o model.safetensors --valid unknown.csv"),
        "unknown.csv line 2, column \"class\": \"z\" is not one of the classes x, y",
    );
    assert_eq!(fs::read(folder.path("model.safetensors")).unwrap(), before);
}
