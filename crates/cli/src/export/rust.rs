use std::path::Path;

use kiln::{backend::KilnBackend, classifier::Classifier, export::RustSource};
use serde::Serialize;

use crate::{console::Console, report::aligned, write_file::write_file};

#[derive(Serialize)]
struct Exported {
    file: String,
    /// The fields of the row, in order.
    fields: Vec<ExportedField>,
    parameters: usize,
}

#[derive(Serialize)]
struct ExportedField {
    name: String,
    column: String,
    r#type: &'static str,
}

pub(super) fn write<B: KilnBackend>(
    output: &Path,
    classifier: &Classifier<B>,
    console: Console,
) -> anyhow::Result<()> {
    let source = RustSource::new(classifier)?;
    write_file(output, |to| Ok(to.write_all(source.text().as_bytes())?))?;
    let fields = source.fields().iter().map(|field| ExportedField {
        name: field.name.clone(),
        column: field.column.clone(),
        r#type: field.field_type.rust_type(),
    });
    let result = Exported {
        file: output.display().to_string(),
        fields: fields.collect(),
        parameters: classifier.manifest().num_parameters(),
    };
    Ok(console.result(&result, || {
        let mut lines = vec![["field of Row", "type", "column"].map(str::to_owned).to_vec()];
        let fields = result.fields.iter();
        lines.extend(
            fields.map(|field| {
                vec![field.name.clone(), field.r#type.to_owned(), field.column.clone()]
            }),
        );
        format!("{}: Rust, {} parameters\n\n{}", result.file, result.parameters, aligned(&lines))
    })?)
}
