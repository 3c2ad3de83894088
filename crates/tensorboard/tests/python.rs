//! The file as TensorBoard's own package reads it.
//!
//! The interpreter is `python3`, or what the environment variable `KILN_PYTHON` names.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::Command;

use kiln_tensorboard::{EventWriter, HyperParameter};

/// 1 by 1, opaque red.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\
    \0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\
    \0\0\0\x0cIDATx\xdac\xf8\xcf\xc0\0\0\x03\x01\x01\0\xf7\x03AC\
    \0\0\0\0IEND\xaeB`\x82";

fn interpreter() -> OsString {
    std::env::var_os("KILN_PYTHON").unwrap_or_else(|| "python3".into())
}

fn python(args: &[&OsStr]) -> std::io::Result<std::process::Output> {
    Command::new(interpreter()).args(args).output()
}

fn has_tensorboard() -> bool {
    let has = python(&["-c".as_ref(), "import tensorboard".as_ref()]);
    let has = has.is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("skipped: no {} with tensorboard", interpreter().display());
    }
    has
}

fn read(folder: &Path) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/read_events.py");
    let output = python(&[script.as_ref(), folder.as_ref()]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn tensorboard_reads_every_kind_of_value() {
    if !has_tensorboard() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventWriter::create(folder.path()).unwrap();
    let values = [
        ("rate", HyperParameter::Number(0.001)),
        ("momentum", HyperParameter::Number(0.0)),
        ("clip", HyperParameter::Number(f64::INFINITY)),
        ("optimizer", HyperParameter::Text("adam".to_owned())),
        ("nesterov", HyperParameter::Flag(false)),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    events.hyperparameters("first", &values, &["loss/valid", "accuracy"]).unwrap();
    for (step, loss) in [(0, 0.0), (1, -1.5), (1 << 40, 0.1), ((1 << 40) + 1, f64::NAN)] {
        events.scalar("loss/valid", step, loss).unwrap();
    }
    let weights: Vec<f32> = (0..=60_u8).map(f32::from).chain([f32::NAN, f32::INFINITY]).collect();
    events.histogram("weights", 1, &weights).unwrap();
    events.histogram("weights", 2, &[0.5; 7]).unwrap();
    events.histogram("weights", 3, &[]).unwrap();
    events.image("plot", 1, PNG, 1, 1).unwrap();
    events.text("notes", 1, "**bold** é").unwrap();
    events.end().unwrap();
    assert_eq!(
        read(folder.path()),
        "\
scalar loss/valid 0 0.0
scalar loss/valid 1 -1.5
scalar loss/valid 1099511627776 0.1
scalar loss/valid 1099511627777 nan
histogram weights 1 0.0 60.0 61.0 1830.0 73810.0 30 30 61.0
histogram weights 2 0.5 0.5 7.0 3.5 1.75 1 1 7.0
histogram weights 3 0.0 0.0 0.0 0.0 0.0 0 0 0
image plot 1 1 1 69
tensor _hparams_/experiment 0 hparams (0,) []
column rate DATA_TYPE_FLOAT64
column momentum DATA_TYPE_FLOAT64
column clip DATA_TYPE_FLOAT64
column optimizer DATA_TYPE_STRING
column nesterov DATA_TYPE_BOOL
metric loss/valid
metric accuracy
tensor _hparams_/session_start_info 0 hparams (0,) []
session first
value clip number_value inf
value momentum number_value 0.0
value nesterov bool_value False
value optimizer string_value adam
value rate number_value 0.001
tensor notes 1 text () b'**bold** \\xc3\\xa9'
tensor _hparams_/session_end_info 0 hparams (0,) []
end STATUS_SUCCESS
"
    );
}

#[test]
fn tensorboard_reads_what_precedes_a_truncated_record() {
    if !has_tensorboard() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventWriter::create(folder.path()).unwrap();
    events.scalar("loss", 1, 0.5).unwrap();
    events.scalar("loss", 2, 0.25).unwrap();
    events.flush().unwrap();
    let whole = fs::metadata(events.path()).unwrap().len();
    events.scalar("loss", 3, 0.125).unwrap();
    events.flush().unwrap();
    let end = fs::metadata(events.path()).unwrap().len();
    let file = OpenOptions::new().write(true).open(events.path()).unwrap();
    // Within the last checksum, the data, the header; and nothing of the record.
    for length in [end - 1, end - 8, whole + 12, whole + 5, whole] {
        file.set_len(length).unwrap();
        assert_eq!(read(folder.path()), "scalar loss 1 0.5\nscalar loss 2 0.25\n");
    }
}
