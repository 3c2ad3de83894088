use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection, RowSelector};
use parquet::arrow::{
    FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::footer;
use super::pages::CheckedGroups;
use super::thrift::malformed;
use super::unwound::unwound;
use crate::error::TableError;
use crate::names::column_names;

/// Rows of a chunk.
const ROWS: usize = 8192;
/// Cells of a chunk, which a wide table reaches first.
const CELLS: usize = 1 << 20;

/// What the footer of a file says: its columns, and where their values are.
#[derive(Debug)]
pub(in crate::read) struct Layout {
    columns: Vec<String>,
    /// For each column, where it stands in a batch; none where it is no column of values.
    places: Vec<Option<usize>>,
    levels: FieldLevels,
    metadata: Arc<ParquetMetaData>,
    /// In each row group.
    rows: Vec<usize>,
}

impl Layout {
    pub(super) fn of(file: &File, name: &str) -> Result<Self, TableError> {
        let error = |reason| not_parquet(name, reason);
        match unwound(|| Self::read(file)).map_err(error)? {
            None => Err(TableError::unreadable(name, "is empty, expected a table")),
            Some(layout) => {
                let columns = column_names(name, layout.columns)?;
                Ok(Self { columns, ..layout })
            }
        }
    }

    /// None for a file without columns.
    fn read(file: &File) -> Result<Option<Self>, ParquetError> {
        footer::check(file)?;
        let metadata = Arc::new(ParquetMetaDataReader::new().parse_and_finish(file)?);
        let schema = metadata.file_metadata().schema_descr();
        // Not as the writer's Arrow schema has it, which is one more thing that may be wrong.
        let all = parquet_to_arrow_schema(schema, None)?.fields;
        if all.is_empty() {
            return Ok(None);
        }
        let columns = all.iter().map(|field| field.name().clone()).collect();
        let read: Vec<usize> =
            (0..all.len()).filter(|column| holds_values(&all[*column])).collect();
        if read.is_empty() {
            return Err(malformed("none of its columns holds numbers, texts or booleans"));
        }
        let mut places = vec![None; all.len()];
        for (place, column) in read.iter().enumerate() {
            places[*column] = Some(place);
        }
        let hints: Fields = all.iter().map(|field| Arc::new(as_views(field))).collect();
        let mask = ProjectionMask::roots(schema, read.iter().copied());
        let levels = parquet_to_arrow_field_levels(schema, mask, Some(&hints))?;
        let groups = metadata.row_groups().iter();
        let rows: Option<Vec<usize>> =
            groups.map(|group| usize::try_from(group.num_rows()).ok()).collect();
        let rows = rows.filter(|rows| {
            rows.iter().try_fold(0_usize, |sum, rows| sum.checked_add(*rows)).is_some()
        });
        let rows = rows.ok_or_else(|| malformed("a row group has less than 0 rows"))?;
        Ok(Some(Self { columns, places, levels, metadata, rows }))
    }

    pub(in crate::read) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn places(&self) -> &[Option<usize>] {
        &self.places
    }

    /// Rows of the file.
    pub(in crate::read) fn rows(&self) -> usize {
        self.rows.iter().sum()
    }

    /// Some rows of the file. Row groups before and behind them are not touched; pages before them in
    /// theirs are passed over without being decompressed.
    pub(super) fn batches(
        &self,
        file: File,
        name: &str,
        rows: Range<usize>,
    ) -> Result<ParquetRecordBatchReader, TableError> {
        let mut ends = self.rows.iter().scan(0, |end, rows| {
            *end += rows;
            Some(*end)
        });
        let (mut start, mut groups, mut in_groups) = (0, 0..0, 0);
        for (group, end) in ends.by_ref().enumerate() {
            if end <= rows.start {
                (start, groups) = (end, group + 1..group + 1);
            } else if end - self.rows[group] < rows.end {
                (groups.end, in_groups) = (group + 1, end - start);
            }
        }
        let selection = (rows.len() < in_groups).then(|| {
            let skipped = RowSelector::skip(rows.start - start);
            RowSelection::from(vec![skipped, RowSelector::select(rows.len())])
        });
        let (file, metadata) = (Arc::new(file), Arc::clone(&self.metadata));
        let groups = CheckedGroups { file, metadata, groups, rows: in_groups };
        let batch_size = (CELLS / self.columns.len()).clamp(1, ROWS);
        let open = || {
            ParquetRecordBatchReader::try_new_with_row_groups(
                &self.levels,
                &groups,
                batch_size,
                selection,
            )
        };
        unwound(open).map_err(|reason| not_parquet(name, reason))
    }
}

/// The error for a file that the reader of the format refuses.
pub(super) fn not_parquet(name: &str, reason: String) -> TableError {
    TableError::unreadable(name, format_args!("is not a Parquet file that can be read: {reason}"))
}

/// Whether a column is of one of the types that [`Rows`](super::Rows) makes something of.
fn holds_values(field: &Field) -> bool {
    use DataType as T;
    let kind = field.data_type();
    kind.is_numeric()
        || (kind.is_temporal() && !matches!(kind, T::Interval(_)))
        || matches!(kind, T::Boolean | T::Null | T::Utf8 | T::LargeUtf8 | T::Utf8View)
}

fn as_views(field: &Field) -> Field {
    match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => field.clone().with_data_type(DataType::Utf8View),
        _ => field.clone(),
    }
}
