//! Bytes as a Parquet file, to a schema.

#![no_main]

use std::io::Write;

use kiln::table::{TableError, Profiler, ReadOptions, SchemaOptions, TableReader, infer_schema};
use libfuzzer_sys::fuzz_target;

/// A few bytes of Parquet may stand for any number of equal rows; what comes after so many chunks is
/// read like what came before.
const CHUNKS: usize = 16;

fuzz_target!(
    // The reader catches panics of the decoder, which libFuzzer's hook would not let it. One that is not
    // caught still ends the run.
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("room for it");
        let _ = read(file.path());
    }
);

fn read(path: &std::path::Path) -> Result<(), TableError> {
    let reader = TableReader::open(path, &ReadOptions::default())?;
    let (name, columns) = (reader.name().to_owned(), reader.columns().to_vec());
    let options = SchemaOptions::default();
    let mut profiler = Profiler::new(&columns, &options.missing_texts());
    let mut first_row = 0;
    for rows in reader.take(CHUNKS) {
        let rows = rows?;
        assert_eq!(rows.batch.num_columns(), columns.len());
        assert_eq!(rows.first_row, first_row);
        first_row += rows.batch.num_rows();
        profiler.push(&rows);
    }
    infer_schema(&name, &profiler.finish(), &options)?;
    Ok(())
}
