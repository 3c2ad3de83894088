//! Whether a graph says what the model says, by an engine that shares no code with Kiln.

use std::{
    env,
    ffi::OsString,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use anyhow::{Context, bail};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use kiln::{
    backend::KilnBackend,
    classifier::{Classifier, Manifest, Prediction},
    export::{GraphInput, InputValues, Onnx},
    store::write_atomically,
    table::{Embedded, OneHot, ReadOptions, Rows, TableReader, Transform},
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Most that a probability may differ by.
pub(super) const BAR: f64 = 1e-5;

/// Rows that a graph is checked on, at most.
const ROWS: usize = 1000;

/// The exit code with which `check.py` says that onnxruntime is not there.
const NO_ENGINE: i32 = 77;

/// What came of a check.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    /// The engine and its version.
    pub(super) engine: String,
    pub(super) rows: usize,
    /// What the rows are.
    pub(super) of: String,
    /// The largest difference of a probability.
    pub(super) largest_difference: f64,
    /// Rows of which the engine decided otherwise than its own probabilities demand.
    pub(super) decisions_differ: usize,
}

/// Rows to check a graph on.
pub(super) struct CheckRows {
    rows: Rows,
    /// What they are.
    of: String,
}

/// The first rows of a file.
pub(super) fn rows_of(path: &Path, options: &ReadOptions) -> anyhow::Result<CheckRows> {
    let mut reader = TableReader::open(path, options)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let Some(rows) = reader.next().transpose()? else {
        bail!("{name} has no rows, expected some to check the graph on");
    };
    let batch = rows.batch.slice(0, rows.batch.num_rows().min(ROWS));
    let problems = rows.problems.into_iter().filter(|p| p.row < batch.num_rows()).collect();
    Ok(CheckRows { rows: Rows { batch, problems, ..rows }, of: format!("rows of {name}") })
}

/// Rows like those that the model was trained on, as far as its preprocessing tells: numbers about their
/// centres, some far out, each category, and what was never seen or is missing.
pub(super) fn drawn_rows(manifest: &Manifest) -> CheckRows {
    const UNSEEN: &str = "never seen";
    let rng = &mut ChaCha8Rng::seed_from_u64(0);
    let text = |rng: &mut ChaCha8Rng, known: &[&str]| -> Option<String> {
        // As many places as there are texts, one for what is not among them, one for nothing.
        match rng.random_range(0..known.len() + 2) {
            place if place < known.len() => Some(known[place].to_owned()),
            place if place == known.len() => Some(UNSEEN.to_owned()),
            _ => None,
        }
    };
    let column = |transform: &Transform| -> ArrayRef {
        match transform {
            Transform::Numeric(numeric) => {
                let scale = numeric.scale.map_or((numeric.median, 1.0), |s| (s.center, s.spread));
                let values = (0..ROWS).map(|_| draw_number(rng, scale));
                Arc::new(values.collect::<Float64Array>())
            }
            Transform::Boolean => {
                let values = (0..ROWS).map(|_| rng.random_range(0..3_u8));
                let texts = values.map(|value| [Some("false"), Some("true"), None][value as usize]);
                Arc::new(texts.collect::<StringArray>())
            }
            Transform::OneHot(OneHot { categories, .. })
            | Transform::Embedding(Embedded { categories, .. }) => {
                let known: Vec<&str> = categories.iter().map(String::as_str).collect();
                Arc::new((0..ROWS).map(|_| text(rng, &known)).collect::<StringArray>())
            }
        }
    };
    let features = manifest.preprocessor.features();
    let transforms = features.iter().map(|feature| &feature.transform);
    let arrays: Vec<ArrayRef> = transforms.map(column).collect();
    let names = features.iter().map(|feature| feature.name.as_str());
    let batch = RecordBatch::try_from_iter_with_nullable(
        names.zip(arrays).map(|(name, array)| (name, array, true)),
    )
    .expect("columns of one length, with names that are all different");
    let rows =
        Rows { batch, first_row: 0, lines: Vec::new(), picked: Vec::new(), problems: Vec::new() };
    CheckRows { rows, of: "rows drawn at random".to_owned() }
}

/// One in ten is missing, one in ten far out.
fn draw_number(rng: &mut impl Rng, (center, spread): (f64, f64)) -> Option<f64> {
    let width = match rng.random_range(0..10) {
        0 => return None,
        1 => 1000.0,
        _ => 2.0,
    };
    let value = center + spread * rng.random_range(-width..width);
    Some(value.clamp(f64::MIN, f64::MAX))
}

/// Runs the graph by onnxruntime on the rows that the classifier can use. `Err` says why there is no engine.
///
/// # Errors
///
/// If the engine can't run the graph, or there are no rows to compare.
pub(super) fn check<B: KilnBackend>(
    onnx: &Onnx,
    classifier: &Classifier<B>,
    CheckRows { rows, of }: &CheckRows,
) -> anyhow::Result<Result<Checked, String>> {
    let schema = rows.batch.schema();
    let columns: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let predictions = classifier.predict_rows(&classifier.bind(of, &columns)?, rows);
    let expected: Vec<&[f32]> = predictions.probabilities.rows().collect();
    let usable = |row: &&[f32]| !row[0].is_nan();
    if !expected.iter().any(usable) {
        bail!("the model can use none of the {of}, expected some to check the graph on");
    }
    let answer = match run(&onnx.encode(), &given(onnx.inputs(), rows))? {
        Ok(answer) => answer,
        Err(why) => return Ok(Err(why)),
    };
    let shape = |rows: &[Vec<f32>]| rows.iter().map(Vec::len).collect::<Vec<_>>();
    let widths = vec![classifier.classes().len(); expected.len()];
    if shape(&answer.probabilities) != widths || answer.decisions.len() != expected.len() {
        bail!("{} answered in another shape than [rows, classes]", answer.engine);
    }
    let difference = |(a, b): (&f32, &f32)| {
        let difference = (f64::from(*a) - f64::from(*b)).abs();
        // NaN is no small difference.
        if difference.is_nan() { f64::INFINITY } else { difference }
    };
    let (mut compared, mut largest_difference, mut decisions_differ) = (0, 0.0_f64, 0);
    let answers = answer.probabilities.iter().zip(&answer.decisions);
    for (expected, (found, decision)) in expected.iter().zip(answers) {
        if !usable(expected) {
            continue;
        }
        compared += 1;
        largest_difference =
            found.iter().zip(*expected).map(difference).fold(largest_difference, f64::max);
        // What the engine's own probabilities decide: those near a tie may fall to either side.
        let decided = decision.prediction(classifier.classes());
        decisions_differ += usize::from(classifier.decide(found) != Some(decided));
    }
    Ok(Ok(Checked {
        engine: answer.engine,
        rows: compared,
        of: of.clone(),
        largest_difference,
        decisions_differ,
    }))
}

/// The inputs of the graph, as `check.py` takes them.
fn given(inputs: &[GraphInput], rows: &Rows) -> Value {
    let input = |input: &GraphInput| {
        let values = match input.values(rows) {
            // What JSON can't hold, NaN, is a null.
            InputValues::Numbers(numbers) => json!(numbers),
            InputValues::Texts(texts) => json!(texts),
        };
        let shape = [rows.batch.num_rows(), input.columns.len()];
        let value_type = input.value_type.name();
        (input.name.clone(), json!({"type": value_type, "shape": shape, "values": values}))
    };
    Value::Object(inputs.iter().map(input).collect())
}

#[derive(Deserialize)]
struct Answer {
    engine: String,
    decisions: Vec<Decision>,
    probabilities: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Decision {
    Class(String),
    Labels(Vec<bool>),
}

impl Decision {
    fn prediction(&self, classes: &[String]) -> Prediction {
        match self {
            Self::Class(class) => Prediction::Class(class.clone()),
            Self::Labels(on) => {
                let labels = classes.iter().zip(on).filter(|(_, on)| **on);
                Prediction::Labels(labels.map(|(label, _)| label.clone()).collect())
            }
        }
    }
}

fn run(graph: &[u8], given: &Value) -> anyhow::Result<Result<Answer, String>> {
    let folder = tempfile::tempdir().context("no temporary folder for the check")?;
    let path = folder.path().join("graph.onnx");
    write_atomically(&path, |to| to.write_all(graph))?;
    let python = env::var_os("KILN_PYTHON").unwrap_or_else(|| OsString::from("python3"));
    let child = Command::new(&python)
        .args(["-c", include_str!("check.py")])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return Ok(Err(format!("{} does not start: {error}", python.display()))),
    };
    let mut stdin = child.stdin.take().expect("piped");
    let given = given.to_string();
    // A thread of its own: whoever ends without reading all must not end this.
    let writer = thread::spawn(move || stdin.write_all(given.as_bytes()));
    let output = child.wait_with_output().context("onnxruntime did not end")?;
    let _ = writer.join();
    let message = String::from_utf8_lossy(&output.stderr);
    let message = message.trim().lines().last().unwrap_or_default();
    match output.status.code() {
        Some(0) => Ok(Ok(serde_json::from_slice(&output.stdout)
            .context("onnxruntime's answer cannot be read")?)),
        Some(NO_ENGINE) => Ok(Err(message.to_owned())),
        _ => bail!("onnxruntime cannot run the graph, so it is not written: {message}"),
    }
}
