use std::io::Cursor;

use axum::body::Bytes;
use axum::http::StatusCode;
use kiln_table::{ReadOptions, TableError, TableReader};

use super::collector::Collector;
use super::columns::max_columns;
use crate::problem::{Problem, TABLE};

/// The first bytes of files that a [`TableReader`] would decompress, or refuse with advice for files.
const NOT_TEXT: [(&[u8], &str); 3] = [
    (&[0x1f, 0x8b], "the body is compressed by gzip, expected the text itself"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "the body is compressed by zstd, expected the text itself"),
    (b"PAR1", "the body is Parquet, expected CSV"),
];

/// Reads a CSV text with a header.
pub(super) fn read(body: &Bytes, collector: &mut Collector) -> Result<(), Problem> {
    if let Some((_, detail)) = NOT_TEXT.iter().find(|(start, _)| body.starts_with(start)) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, *detail));
    }
    let model = collector.model;
    let options = ReadOptions {
        header: Some(true),
        max_columns: Some(max_columns(model)),
        ..ReadOptions::default()
    };
    let reader = TableReader::from_reader(Cursor::new(body.clone()), TABLE, &options)?;
    let preprocessor = &model.manifest().preprocessor;
    let binding = preprocessor.rebind(model.binding(), TABLE, reader.columns())?;
    for rows in reader {
        let rows = match rows {
            Err(TableError::NoRows { .. }) => return Ok(()),
            rows => rows?,
        };
        if collector.table(&binding, rows).is_err() {
            break;
        }
    }
    Ok(())
}
