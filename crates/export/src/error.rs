/// Why a classifier can't be written in a form.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Only numbers fit into a matrix.
    #[error(
        "column {column:?} is {kind}, and a matrix holds numbers only: expected one input per column"
    )]
    NotNumeric {
        /// The first such column.
        column: String,
        /// What it is.
        kind: &'static str,
    },

    /// The messages of an ONNX file are no longer than protobuf allows.
    #[error(
        "the network has {parameters} parameters, expected at most {limit}: an ONNX file is smaller than 2 GiB"
    )]
    TooLarge {
        /// Numbers in the network.
        parameters: usize,
        /// Most that fit.
        limit: usize,
    },

    /// So many numbers are data, not source text.
    #[error(
        "the network has {parameters} parameters, expected at most {limit} in Rust source: ONNX takes more"
    )]
    TooLargeForSource {
        /// Numbers in the network.
        parameters: usize,
        /// Most that a file is written for.
        limit: usize,
    },
}
