use std::{io::Write, path::PathBuf, sync::mpsc, thread};

use anyhow::bail;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use clap::ValueEnum;
use kiln::{
    backend::{self, BackendName, Job, KilnBackend, TrainBackend},
    classifier::{Classifier, Predictions},
    table::{Binding, RowProblem, Rows, TableError, TableReader, column_index},
};

use crate::{
    console::Console,
    options::ReadArgs,
    row_writer::{ErrorFile, OutputFormat, RowWriter},
    write_file::{Stdout, refuse_overwriting, write_file},
};

/// Chunks of rows that wait between the reader and the network. Few, for all the memory is in them.
const WAITING: usize = 2;

/// Predict the class of each row of a file
///
/// Writes the columns to keep, then `prediction`, then `probability_CLASS` for each class: one row for
/// each row of the file, in its order. Memory does not depend on the number of rows.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A model file that `kiln train` wrote
    model: PathBuf,
    /// CSV, TSV or Parquet with the feature columns of the training file, in any order; `-` is stdin
    file: PathBuf,
    /// The file to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// In which form [default: by the ending of the output file, else csv]
    #[arg(long)]
    format: Option<OutputFormat>,
    /// Columns of the file to copy to the output
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    keep: Vec<String>,
    /// What to do with a row that can't be used
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    on_error: OnError,
    /// Write the line, the column and what is wrong of each such row to this CSV file
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    /// cuda, rocm, wgpu, flex or ndarray; without it the first of these that is compiled in
    #[arg(long)]
    backend: Option<BackendName>,
    #[command(flatten)]
    read: ReadArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnError {
    /// End with an error, and write nothing
    Fail,
    /// Leave the row out
    Skip,
    /// Write the row without a prediction
    Null,
}

pub(crate) fn run(args: Args, console: Console) -> anyhow::Result<()> {
    backend::run(args.backend, Predict { args, console })?
}

struct Predict {
    args: Args,
    console: Console,
}

impl Job for Predict {
    type Output = anyhow::Result<()>;

    fn run<B: TrainBackend>(self, device: B::Device) -> Self::Output {
        let Self { args, console } = self;
        if let Some(output) = &args.output {
            let others = [Some(&args.model), Some(&args.file), args.errors.as_ref()];
            refuse_overwriting(output, others.into_iter().flatten())?;
        }
        if let Some(errors) = &args.errors {
            refuse_overwriting(errors, [&args.model, &args.file])?;
        }
        let classifier = Classifier::<B::InnerBackend>::load(&args.model, &device)?;
        let reader = TableReader::open(&args.file, &args.read.options())?;
        let format = match (args.format, &args.output) {
            (Some(format), _) => format,
            (None, Some(path)) => OutputFormat::of(path),
            (None, None) => OutputFormat::Csv,
        };
        let layout = Layout::new(&reader, &args.keep, &classifier)?;
        let run = Run { layout, classifier, on_error: args.on_error, format };
        let table = reader.name().to_owned();

        let mut stdout = Stdout::default();
        let predict = |errors: Option<Errors<'_>>| match &args.output {
            Some(path) => {
                write_file(path, |to| run.stream(reader, to, path.display().to_string(), errors))
            }
            None => run.stream(reader, &mut stdout, "to stdout".to_owned(), errors),
        };
        let result = match &args.errors {
            Some(path) => write_file(path, |to| {
                predict(Some(ErrorFile::new(path.display().to_string(), to)?))
            }),
            None => predict(None),
        };
        // The reader of a pipe, `head` say, has seen enough.
        if stdout.closed {
            return Ok(());
        }
        let done = result?;
        if let Some(first) = done.first_problem {
            let unusable = done.problems;
            console.warn(format_args!(
                "{unusable} of {} rows could not be used, the first: {table} {first}",
                done.rows
            ));
        }
        Ok(())
    }
}

/// What came of a whole table.
#[derive(Debug, Default)]
struct Done {
    rows: usize,
    problems: usize,
    first_problem: Option<RowProblem>,
}

type Errors<'a> = ErrorFile<&'a mut (dyn Write + Send)>;

struct Run<B: KilnBackend> {
    classifier: Classifier<B>,
    layout: Layout,
    on_error: OnError,
    format: OutputFormat,
}

impl<B: KilnBackend> Run<B> {
    /// Predicts a table chunk by chunk, while a thread of its own reads the next ones.
    fn stream(
        &self,
        reader: TableReader,
        to: &mut (dyn Write + Send),
        to_name: String,
        mut errors: Option<Errors<'_>>,
    ) -> anyhow::Result<Done> {
        let mut writer = RowWriter::new(to_name, self.format, to);
        let mut done = Done::default();
        let name = reader.name().to_owned();
        let (sender, chunks) = mpsc::sync_channel(WAITING);
        // Not a scoped thread: after an error nothing waits for a reader that waits for its pipe.
        thread::spawn(move || {
            for rows in reader {
                let failed = rows.is_err();
                if sender.send(rows).is_err() || failed {
                    break;
                }
            }
        });
        for rows in chunks {
            let rows = rows?;
            let predictions = self.classifier.predict_rows(&self.layout.binding, &rows);
            if let (OnError::Fail, Some(problem)) = (self.on_error, predictions.problems.first()) {
                let problem = problem.clone();
                return Err(TableError::Row { table: name, problem }.into());
            }
            writer.write(&self.output_rows(&rows, &predictions)?)?;
            done.rows += rows.batch.num_rows();
            done.problems += predictions.problems.len();
            if let Some(errors) = &mut errors {
                predictions.problems.iter().try_for_each(|problem| errors.write(problem))?;
            }
            if done.first_problem.is_none() {
                done.first_problem = predictions.problems.into_iter().next();
            }
        }
        writer.finish()?;
        if let Some(errors) = errors {
            errors.finish()?;
        }
        Ok(done)
    }

    /// The rows of the output for a chunk of the input.
    fn output_rows(&self, rows: &Rows, predictions: &Predictions) -> anyhow::Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> =
            self.layout.keep.iter().map(|index| rows.batch.column(*index).clone()).collect();
        columns.extend(self.classifier.manifest().prediction_columns(&predictions.probabilities));
        let columns = self.layout.names.iter().zip(columns);
        let output = RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, column)| (name, column, true)),
        )?;
        if self.on_error == OnError::Null || predictions.problems.is_empty() {
            return Ok(output);
        }
        let mut usable = vec![true; output.num_rows()];
        predictions.problems.iter().for_each(|problem| usable[problem.row] = false);
        Ok(arrow_select::filter::filter_record_batch(&output, &BooleanArray::from(usable))?)
    }
}

/// Which columns are read, and which are written.
struct Layout {
    binding: Binding,
    /// The columns to copy, by their place in the input.
    keep: Vec<usize>,
    /// The columns of the output.
    names: Vec<String>,
}

impl Layout {
    fn new<B: KilnBackend>(
        reader: &TableReader,
        keep: &[String],
        classifier: &Classifier<B>,
    ) -> anyhow::Result<Self> {
        let (table, columns) = (reader.name(), reader.columns());
        let mut names = keep.to_vec();
        names.extend(classifier.manifest().prediction_names());
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                bail!("the output would have two columns {name:?}: leave one out of `--keep`");
            }
        }
        let index = |name: &String| column_index(table, columns, name);
        Ok(Self {
            binding: classifier.bind(table, columns)?,
            keep: keep.iter().map(index).collect::<Result<_, _>>()?,
            names,
        })
    }
}
