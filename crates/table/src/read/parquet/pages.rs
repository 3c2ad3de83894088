//! The pages of a file, each looked at before the parquet crate makes room for what it says it holds.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::Result;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use super::delta;
use super::thrift::{Compact, Field, I32, STRUCT, malformed};

/// Most bytes of a page. Writers end one at a megabyte, DuckDB at a hundred.
const MAX_PAGE: u64 = 256 << 20;

/// The row groups of a file.
pub(super) struct CheckedGroups {
    pub(super) file: Arc<File>,
    pub(super) metadata: Arc<ParquetMetaData>,
    /// Those that are read.
    pub(super) groups: Range<usize>,
    /// In them.
    pub(super) rows: usize,
}

impl RowGroups for CheckedGroups {
    fn num_rows(&self) -> usize {
        self.rows
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let (file, metadata) = (Arc::clone(&self.file), Arc::clone(&self.metadata));
        Ok(Box::new(ColumnChunks { file, metadata, column, groups: self.groups.clone() }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups()[self.groups.clone()].iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The chunks of one column, one in each row group.
struct ColumnChunks {
    file: Arc<File>,
    metadata: Arc<ParquetMetaData>,
    column: usize,
    groups: Range<usize>,
}

impl Iterator for ColumnChunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = &self.metadata.row_groups()[self.groups.next()?];
        Some(CheckedPages::new(&self.file, group, self.column).map(|pages| Box::new(pages) as _))
    }
}

impl PageIterator for ColumnChunks {}

/// The pages of one column chunk.
struct CheckedPages {
    file: Arc<File>,
    pages: SerializedPageReader<File>,
    column: ColumnDescPtr,
    compression: Compression,
    /// Where the next page starts in the file.
    next: u64,
    /// Where the last one ends.
    end: u64,
}

/// What comes before the data of a page.
struct Header {
    kind: i32,
    uncompressed: u64,
    compressed: u64,
    length: u64,
}

/// A page of this kind is passed over.
const INDEX_PAGE: i32 = 1;

impl CheckedPages {
    fn new(file: &Arc<File>, group: &RowGroupMetaData, column: usize) -> Result<Self> {
        let chunk = group.column(column);
        let rows = group.num_rows() as usize;
        let (start, length) = chunk.byte_range();
        let Some(end) =
            start.checked_add(length).filter(|end| *end <= file.metadata().map_or(0, |m| m.len()))
        else {
            return Err(malformed("a column chunk ends behind the end of the file"));
        };
        Ok(Self {
            file: Arc::clone(file),
            pages: SerializedPageReader::new(Arc::clone(file), chunk, rows, None)?,
            column: chunk.column_descr_ptr(),
            compression: chunk.compression(),
            next: start,
            end,
        })
    }

    /// Checks the header of the next page that is not passed over, if there is one.
    fn check_next(&mut self) -> Result<()> {
        while self.next < self.end {
            let header = self.header()?;
            let start = self.next + header.length;
            if header.compressed > self.end.saturating_sub(start) {
                return Err(malformed("a page ends behind the end of its column chunk"));
            }
            self.next = start + header.compressed;
            if header.kind != INDEX_PAGE {
                return self.check_size(&header, start);
            }
        }
        Ok(())
    }

    fn header(&self) -> Result<Header> {
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.next))?;
        let mut input = Compact::new(BufReader::with_capacity(256, file));
        let (mut last, mut numbers) = (0, [None; 3]);
        while let Some(field) = input.field(&mut last)? {
            match field {
                Field { id: 1..=3, kind: I32 } => {
                    numbers[field.id as usize - 1] = Some(input.i32()?);
                }
                Field { id: 4, kind: I32 } | Field { id: 5..=8, kind: STRUCT } => {
                    input.skip(field.kind)?;
                }
                _ => return Err(malformed("a page has an unexpected header")),
            }
        }
        let [Some(kind), Some(uncompressed), Some(compressed)] = numbers else {
            return Err(malformed("the header of a page is incomplete"));
        };
        let size = |size| u64::try_from(size).map_err(|_| malformed("a page has a size below 0"));
        Ok(Header {
            kind,
            uncompressed: size(uncompressed)?,
            compressed: size(compressed)?,
            length: input.position,
        })
    }

    /// Refuses a page that is larger than its compressed bytes can make it.
    fn check_size(&self, header: &Header, start: u64) -> Result<()> {
        let expansion = match self.compression {
            Compression::UNCOMPRESSED => 1,
            // A copy of 64 bytes takes 3.
            Compression::SNAPPY => 22,
            // A byte adds 255 to the length of a copy.
            Compression::LZ4 | Compression::LZ4_RAW => 255,
            // A copy of 258 bytes takes 2 bits.
            Compression::GZIP(_) => 1032,
            // 128 KiB of one byte take 4.
            _ => 32 << 10,
        };
        let most = header.compressed.saturating_mul(expansion).saturating_add(64);
        if header.uncompressed > most.min(MAX_PAGE) {
            return Err(malformed("a page is larger than its compressed bytes can make it"));
        }
        // Gzip is decompressed to its end, whatever size was expected.
        if matches!(self.compression, Compression::GZIP(_)) && most > MAX_PAGE {
            let mut file = &*self.file;
            file.seek(SeekFrom::Start(start))?;
            let mut whole = MultiGzDecoder::new(BufReader::new(file.take(header.compressed)));
            let longest = MAX_PAGE + 1;
            if std::io::copy(&mut whole.by_ref().take(longest), &mut std::io::sink())? == longest {
                return Err(malformed("a page is larger than its header says"));
            }
        }
        Ok(())
    }

    /// Refuses a page with more values than its bytes can hold.
    fn check_page(&self, page: &Page) -> Result<()> {
        let num_values = u64::from(page.num_values());
        match page {
            Page::DictionaryPage { buf, .. } => {
                let width = match self.column.physical_type() {
                    Type::BOOLEAN => 1,
                    Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
                    Type::INT64 | Type::DOUBLE => 8,
                    Type::INT96 => 12,
                    Type::FIXED_LEN_BYTE_ARRAY => self.column.type_length().max(1) as u64,
                };
                if num_values > buf.len() as u64 / width {
                    return Err(malformed("a dictionary has more values than its bytes can hold"));
                }
                Ok(())
            }
            Page::DataPage { buf, encoding, def_level_encoding, .. } => {
                let levels = if self.column.max_def_level() == 0 {
                    Some(0)
                } else if *def_level_encoding == Encoding::RLE {
                    let length = buf.first_chunk().map(|length| u32::from_le_bytes(*length));
                    length.map(|length| 4 + u64::from(length))
                } else {
                    Some(num_values.div_ceil(8))
                };
                self.check_lengths(buf, levels, *encoding, num_values)
            }
            Page::DataPageV2 {
                buf, encoding, def_levels_byte_len, rep_levels_byte_len, ..
            } => {
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                self.check_lengths(buf, Some(levels), *encoding, num_values)
            }
        }
    }

    fn check_lengths(
        &self,
        page: &[u8],
        levels: Option<u64>,
        encoding: Encoding,
        num_values: u64,
    ) -> Result<()> {
        let check = match encoding {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => delta::check_lengths,
            Encoding::DELTA_BYTE_ARRAY => delta::check_texts,
            _ => return Ok(()),
        };
        let start = levels.and_then(|levels| usize::try_from(levels).ok());
        match start.and_then(|start| page.get(start..)) {
            Some(data) => check(data, num_values),
            None => Err(malformed("a page is cut off")),
        }
    }
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.check_next()?;
        let page = self.pages.get_next_page()?;
        page.iter().try_for_each(|page| self.check_page(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.check_next()?;
        self.pages.skip_next_page()
    }
}
