//! Predictions as bytes.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Field, Schema};
use kiln_classifier::Probabilities;
use kiln_model::Task;

use crate::Model;
use crate::media::Media;
use crate::problem::Problem;

/// What is the same in all JSON answers of a model.
#[derive(Debug)]
pub(crate) struct Names {
    /// All that comes before the predictions.
    start: Vec<u8>,
    /// Each class in quotes.
    classes: Vec<Vec<u8>>,
}

impl Names {
    pub(crate) fn new(model: &Model) -> Self {
        let quoted = |text: &str| serde_json::Value::from(text).to_string().into_bytes();
        let classes: Vec<Vec<u8>> =
            model.manifest().target.classes().iter().map(|class| quoted(class)).collect();
        let mut start = b"{\"model\":".to_vec();
        start.extend(quoted(model.name()));
        start.extend(b",\"classes\":[");
        start.extend(classes.join(&b','));
        start.extend(b"],\"predictions\":[");
        Self { start, classes }
    }
}

/// The answer in one of the forms; `kept` are columns to come first, chunk by chunk, where it is a table.
pub(crate) fn write(
    model: &Model,
    names: &Names,
    media: Media,
    probabilities: &Probabilities,
    kept: &[RecordBatch],
) -> Result<Vec<u8>, Problem> {
    match media {
        Media::Json => Ok(json(model, names, probabilities)),
        Media::Csv | Media::Arrow => table(model, media, probabilities, kept),
    }
}

fn json(model: &Model, names: &Names, probabilities: &Probabilities) -> Vec<u8> {
    let manifest = model.manifest();
    let rows = probabilities.rows().len();
    let per_row = 40 + 12 * names.classes.len();
    let mut out = Vec::with_capacity(names.start.len() + rows * per_row + 2);
    out.extend_from_slice(&names.start);
    for (index, row) in probabilities.rows().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let decided = manifest.decide_indices(row);
        let mut decided = decided.iter().map(|class| names.classes[*class].as_slice());
        match manifest.task {
            Task::MultiLabel { .. } => {
                out.extend_from_slice(b"{\"labels\":[");
                join(&mut out, decided, |out, label| out.extend_from_slice(label));
                out.push(b']');
            }
            Task::Binary | Task::Multiclass { .. } => {
                out.extend_from_slice(b"{\"class\":");
                out.extend_from_slice(decided.next().unwrap_or(b"null"));
            }
        }
        out.extend_from_slice(b",\"probabilities\":[");
        join(&mut out, row.iter(), |out, p| {
            // A number goes into a `Vec` without fail.
            let _ = serde_json::to_writer(out, p);
        });
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}");
    out
}

fn join<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

fn table(
    model: &Model,
    media: Media,
    probabilities: &Probabilities,
    kept: &[RecordBatch],
) -> Result<Vec<u8>, Problem> {
    let names = model.manifest().prediction_names();
    let columns = model.manifest().prediction_columns(probabilities);
    let batches = match kept {
        [] => vec![batch(&[], &names, &columns)?],
        kept => {
            let mut start = 0;
            let with_kept = |kept: &RecordBatch| {
                let rows = kept.num_rows();
                let part: Vec<ArrayRef> = columns.iter().map(|c| c.slice(start, rows)).collect();
                start += rows;
                let own = kept.schema();
                let own = own.fields().iter().map(|field| field.name().clone());
                let own: Vec<(String, ArrayRef)> =
                    own.zip(kept.columns().iter().cloned()).collect();
                batch(&own, &names, &part)
            };
            kept.iter().map(with_kept).collect::<Result<_, _>>()?
        }
    };
    let written = match media {
        Media::Arrow => arrow(&batches),
        Media::Csv | Media::Json => csv(&batches),
    };
    written.map_err(|error| {
        let status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, format!("the answer could not be written: {error}"))
    })
}

fn batch(
    kept: &[(String, ArrayRef)],
    names: &[String],
    columns: &[ArrayRef],
) -> Result<RecordBatch, Problem> {
    if let Some((name, _)) = kept.iter().find(|(name, _)| names.contains(name)) {
        let detail = format!("the answer would have two columns {name:?}: ask without keep=all");
        return Err(Problem::bad_request(detail));
    }
    let kept = kept.iter().map(|(name, array)| (name, array));
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = kept
        .chain(names.iter().zip(columns))
        .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), Arc::clone(array)))
        .unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .expect("nullable columns of the types stated and of one length"))
}

fn csv(batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let mut writer = arrow_csv::WriterBuilder::new().with_header(true).build(Vec::new());
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    Ok(writer.into_inner())
}

fn arrow(batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batches[0].schema())?;
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.into_inner()
}
