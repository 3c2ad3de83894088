mod check;
mod pytorch;
mod rust;

use std::path::PathBuf;

use anyhow::bail;
use clap::ValueEnum;
use kiln::{
    backend::{self, BackendName, Job, TrainBackend},
    classifier::Classifier,
    export::{GraphInput, Inputs, OPSET, Onnx},
};
use serde::Serialize;

use super::{
    console::Console,
    options::{ReadArgs, UsageError},
    report::aligned,
    write_file::{refuse_overwriting, write_file},
};
use check::Checked;

/// Write a model in a form that other programs read
///
/// `onnx`: one graph from the columns of a table to classes and probabilities, with the preprocessing in it. If
/// Python's onnxruntime is there (by `python3`, or the interpreter that KILN_PYTHON names), it runs the graph
/// before the file is written, and what comes out must be what Kiln says.
///
/// `pytorch`: the weights of a torch.nn.Sequential from preprocessed features to logits, as safetensors; the lines
/// that load it are printed.
///
/// `rust`: one file of Rust that needs `core` alone, from a row of columns to classes and probabilities.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model file that `kiln train` wrote
    model: PathBuf,
    /// The form
    #[arg(long)]
    format: ExportFormat,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What an ONNX graph is given [default: columns]
    #[arg(long, value_name = "WHAT")]
    inputs: Option<InputsArg>,
    /// Rows to check an ONNX graph on: CSV, TSV or Parquet [default: rows drawn at random]
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Where the network is put; without it the first that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
    #[command(flatten)]
    read: ReadArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// ONNX, opset 17
    Onnx,
    /// Weights of a torch.nn.Sequential, as safetensors
    Pytorch,
    /// One file of Rust without std, heap or dependencies
    Rust,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum InputsArg {
    /// One input per column: doubles for numbers, strings for the rest
    Columns,
    /// One matrix of doubles, a column of it for each column: where all are numbers
    Matrix,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    if args.format != ExportFormat::Onnx {
        let given = [("inputs", args.inputs.is_some()), ("check", args.check.is_some())];
        if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
            let message = format!("`--{flag}` is for `--format onnx` only");
            return Err(UsageError::new(message).into());
        }
    }
    backend::run(args.backend, Export { args, console })?
}

struct Export {
    args: Args,
    console: Console,
}

impl Job for Export {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Self { args, console } = self;
        refuse_overwriting(&args.output, std::iter::once(&args.model).chain(&args.check))?;
        let classifier = Classifier::<B::InnerBackend>::load(&args.model, &device)?;
        match args.format {
            ExportFormat::Onnx => onnx(&args, &classifier, console),
            ExportFormat::Pytorch => pytorch::write(&args.output, &classifier, console),
            ExportFormat::Rust => rust::write(&args.output, &classifier, console),
        }
    }
}

fn onnx<B: kiln::backend::KilnBackend>(
    args: &Args,
    classifier: &Classifier<B>,
    console: Console,
) -> anyhow::Result<()> {
    let inputs = match args.inputs {
        None | Some(InputsArg::Columns) => Inputs::Columns,
        Some(InputsArg::Matrix) => Inputs::Matrix,
    };
    let onnx = Onnx::new(classifier, inputs)?;
    let rows = match &args.check {
        Some(path) => check::rows_of(path, &args.read.options())?,
        None => check::drawn_rows(classifier.manifest()),
    };
    let checked = match check::check(&onnx, classifier, &rows)? {
        Ok(checked) => Some(checked),
        Err(why) => {
            console.warn(format_args!("the graph was not run: {why}"));
            None
        }
    };
    if let Some(Checked { rows, largest_difference, decisions_differ, .. }) = &checked
        && (*largest_difference > check::BAR || *decisions_differ > 0)
    {
        bail!(
            "the graph does not say what the model says, so it is not written: of {rows} rows a probability \
             differs by {largest_difference:e}, expected at most {:e}; {decisions_differ} decisions differ",
            check::BAR
        );
    }
    let result = Exported {
        file: args.output.display().to_string(),
        opset: OPSET,
        inputs: onnx.inputs().iter().map(ExportedInput::new).collect(),
        outputs: onnx.outputs().map(str::to_owned).collect(),
        check: checked,
    };
    let onnx = match &result.check {
        Some(checked) => onnx.with_metadata("kiln.check", &serde_json::to_string(checked)?),
        None => onnx,
    };
    write_file(&args.output, |to| Ok(to.write_all(&onnx.encode())?))?;
    Ok(console.result(&result, || result.text())?)
}

#[derive(Serialize)]
struct Exported {
    file: String,
    opset: i64,
    inputs: Vec<ExportedInput>,
    outputs: Vec<String>,
    /// Null where no engine was there.
    check: Option<Checked>,
}

#[derive(Serialize)]
struct ExportedInput {
    name: String,
    r#type: &'static str,
    columns: Vec<String>,
}

impl ExportedInput {
    fn new(input: &GraphInput) -> Self {
        let (name, columns) = (input.name.clone(), input.columns.clone());
        Self { name, r#type: input.value_type.name(), columns }
    }
}

impl Exported {
    fn text(&self) -> String {
        let mut text = format!("{}: ONNX, opset {}\n\n", self.file, self.opset);
        let mut lines = vec![["input", "type", "shape"].map(str::to_owned).to_vec()];
        for input in &self.inputs {
            let shape = format!("[rows, {}]", input.columns.len());
            lines.push(vec![input.name.clone(), input.r#type.to_owned(), shape]);
        }
        text += &aligned(&lines);
        text += &format!("\noutputs: {}\n", self.outputs.join(", "));
        if let Some(check) = &self.check {
            text += &format!(
                "\n{} says the same of {} {}: probabilities differ by {:.1e} at most\n",
                check.engine, check.rows, check.of, check.largest_difference
            );
        }
        text
    }
}
