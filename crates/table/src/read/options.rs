/// How to read a file; the default finds everything from the file itself.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// What stands between the fields of a CSV file; `None`: found from its first lines, among comma,
    /// semicolon, tab and `|`.
    pub delimiter: Option<u8>,
    /// Whether the first line of a CSV file names the columns; `None`: found from its first lines.
    pub header: Option<bool>,
    /// Most columns of a CSV file, from 1 to 1048576; `None`: that.
    pub max_columns: Option<usize>,
}

/// What a table was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text.
    Csv {
        /// What stands between the fields.
        delimiter: u8,
        /// Whether the first line names the columns; without, they are `column_1`, `column_2`, ….
        header: bool,
    },
    /// Parquet.
    Parquet,
}
