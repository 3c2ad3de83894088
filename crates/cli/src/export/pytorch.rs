use std::path::Path;

use kiln::{backend::KilnBackend, classifier::Classifier, export::PyTorch};
use serde::Serialize;

use crate::{console::Console, write_file::write_file};

#[derive(Serialize)]
struct Exported<'a> {
    file: String,
    /// The Sequential, as a Python expression.
    torch: &'a str,
    /// The lines that load it.
    usage: Vec<String>,
    /// The columns of the preprocessed matrix.
    features: &'a [String],
}

pub(super) fn write<B: KilnBackend>(
    output: &Path,
    classifier: &Classifier<B>,
    console: Console,
) -> anyhow::Result<()> {
    let pytorch = PyTorch::new(classifier);
    write_file(output, |to| Ok(to.write_all(&pytorch.encode())?))?;
    let file = output.display().to_string();
    let result = Exported {
        usage: pytorch.usage(&file),
        file,
        torch: pytorch.expression(),
        features: pytorch.features(),
    };
    Ok(console.result(&result, || {
        format!(
            "{}: weights of a torch.nn.Sequential\n\n{}\n\n{} preprocessed features: {}\n",
            result.file,
            result.usage.join("\n"),
            result.features.len(),
            result.features.join(", ")
        )
    })?)
}
