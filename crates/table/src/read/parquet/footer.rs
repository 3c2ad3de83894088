//! What the footer says of the columns, looked at before the parquet crate reads it: that makes room for
//! as many children of a node as the node says it has, and descends once for each level of nesting.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use parquet::errors::Result;

use super::thrift::{BINARY, BYTE, Compact, FALSE, Field, I32, LIST, STRUCT, TRUE, malformed};

/// Length of the footer, and `PAR1`.
const TAIL: u64 = 8;
/// How deep columns may be nested.
const DEPTH: usize = 64;

/// Refuses a footer whose tree of columns is not one.
pub(super) fn check(file: &File) -> Result<()> {
    let (mut file, length) = (file, file.metadata()?.len());
    let Some(tail) = length.checked_sub(TAIL) else { return Err(malformed("it is cut off")) };
    file.seek(SeekFrom::Start(tail))?;
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    let footer = u64::from(u32::from_le_bytes(bytes));
    let Some(start) = tail.checked_sub(footer) else {
        return Err(malformed("its footer is longer than the file, or the file is cut off"));
    };
    file.seek(SeekFrom::Start(start))?;
    columns(&mut Compact::new(BufReader::new(file.take(footer))))
}

/// Checks the second field of the footer, `2: required list<SchemaElement> schema`.
fn columns(footer: &mut Compact<impl Read>) -> Result<()> {
    let mut last = 0;
    while let Some(field) = footer.field(&mut last)? {
        match field {
            Field { id: 1, kind: I32 } => footer.skip(I32)?,
            Field { id: 2, kind: LIST } => return tree(footer),
            _ => break,
        }
    }
    Err(malformed("its footer does not list the columns"))
}

/// The elements are the nodes of a tree, each before its children.
fn tree(footer: &mut Compact<impl Read>) -> Result<()> {
    let (count, kind) = footer.list()?;
    if kind != STRUCT {
        return Err(malformed("its footer does not list the columns"));
    }
    // Of each node from the root to the current one, the children still to come.
    let mut open: Vec<u64> = vec![1];
    for index in 0..count {
        while open.last() == Some(&0) {
            open.pop();
        }
        let Some(siblings) = open.last_mut() else {
            return Err(malformed("its footer has more columns than it says"));
        };
        *siblings -= 1;
        let children = element(footer)?;
        if children > count - index - 1 {
            return Err(malformed("its footer has fewer columns than it says"));
        }
        if open.len() > DEPTH {
            return Err(malformed("its columns are nested too deep"));
        }
        if children > 0 {
            open.push(children);
        }
    }
    Ok(())
}

/// One `SchemaElement`: how many children it has.
fn element(footer: &mut Compact<impl Read>) -> Result<u64> {
    let (mut last, mut children) = (0, 0);
    while let Some(field) = footer.field(&mut last)? {
        match field {
            Field { id: 5, kind: I32 } => children = footer.i32()?,
            Field { id: 1..=3 | 6..=9, kind: I32 } | Field { id: 4, kind: BINARY } => {
                footer.skip(field.kind)?;
            }
            Field { id: 10, kind: STRUCT } => logical_type(footer)?,
            _ => return Err(malformed("its footer describes a column in an unexpected way")),
        }
    }
    u64::try_from(children).map_err(|_| malformed("a column has less than 0 columns in it"))
}

/// A union of structs. The parquet crate reads them by the ids of their fields, so that fields of other
/// types would mean one thing there and another here.
fn logical_type(footer: &mut Compact<impl Read>) -> Result<()> {
    let mut last = 0;
    while let Some(field) = footer.field(&mut last)? {
        let kinds: &[u8] = match field {
            Field { kind: STRUCT, id: 5 } => &[I32],
            Field { kind: STRUCT, id: 7 | 8 } => &[TRUE, FALSE, STRUCT],
            Field { kind: STRUCT, id: 10 } => &[BYTE, TRUE, FALSE],
            Field { kind: STRUCT, id: 16 } => &[BYTE],
            Field { kind: STRUCT, id: 17 | 18 } => &[BINARY, I32],
            Field { kind: STRUCT, .. } => &[],
            _ => return Err(malformed("its footer describes a column in an unexpected way")),
        };
        let mut last = 0;
        while let Some(field) = footer.field(&mut last)? {
            if !kinds.contains(&field.kind) {
                return Err(malformed("its footer describes a column in an unexpected way"));
            }
            footer.skip(field.kind)?;
        }
    }
    Ok(())
}
