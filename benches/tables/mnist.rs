//! MNIST as a table, a column for each pixel.

use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use arrow_array::{ArrayRef, RecordBatch, UInt8Array};
use kiln::data::{Dataset, Targets, mnist};
use parquet::arrow::ArrowWriter;

use super::{
    Preset,
    run::{kiln, run as timed},
};

/// Share of the test images that `best` gets right at least.
const PROMISED_ACCURACY: f64 = 0.988;

/// Whether the promise holds.
pub(super) fn run(presets: &[Preset]) -> anyhow::Result<bool> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mnist");
    let folder = env::var_os("KILN_DATA_DIR").map_or(shared, PathBuf::from);
    if !folder.is_dir() {
        println!("skipped: no MNIST in {} (KILN_DATA_DIR names the folder)", folder.display());
        return Ok(true);
    }
    let scratch = tempfile::tempdir()?;
    let images = mnist(Some(&folder))?;
    let [train, test] = ["train.parquet", "test.parquet"].map(|name| scratch.path().join(name));
    write(&images.train, &train)?;
    write(&images.test, &test)?;
    let mut holds = true;
    println!(
        "MNIST, test rows: accuracy, log loss, accuracy out of fold or on rows held out, time"
    );
    for preset in presets {
        let mut command = kiln();
        command.arg("train").arg(&train).args(["--target", "digit", "--preset", preset.name()]);
        command.arg("--test").arg(&test).arg("--json");
        command.arg("-o").arg(scratch.path().join("model.safetensors"));
        let (seconds, answer) = timed(&mut command)?;
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        let figure = |path: &str| {
            answer
                .pointer(path)
                .and_then(serde_json::Value::as_f64)
                .with_context(|| path.to_owned())
        };
        let accuracy = figure("/test/accuracy")?;
        println!(
            "{:8} {accuracy:.4} {:.4} {:.4} {seconds:.0} s",
            preset.name(),
            figure("/test/log_loss")?,
            figure("/valid/accuracy")?,
        );
        if *preset == Preset::Best && accuracy < PROMISED_ACCURACY {
            println!("FAILS: best is promised to get {PROMISED_ACCURACY} right");
            holds = false;
        }
    }
    Ok(holds)
}

/// As the files of MNIST have them: pixels from 0 to 255.
fn write(part: &Dataset, to: &Path) -> anyhow::Result<()> {
    let pixels = part.d_input();
    let Targets::Classes { indices, .. } = part.targets() else { bail!("no classes") };
    let column = |values: UInt8Array| Arc::new(values) as ArrayRef;
    let columns = (0..pixels).map(|pixel| {
        let ink = part.features().iter().skip(pixel).step_by(pixels);
        let values = ink.map(|ink| (ink * 255.0).round() as u8);
        (format!("pixel{pixel}"), column(UInt8Array::from_iter_values(values)))
    });
    let digits = column(UInt8Array::from_iter_values(indices.iter().map(|digit| *digit as u8)));
    let batch = RecordBatch::try_from_iter(columns.chain([("digit".to_owned(), digits)]))?;
    let mut writer = ArrowWriter::try_new(File::create(to)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}
