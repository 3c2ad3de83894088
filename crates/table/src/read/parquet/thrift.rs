//! Thrift's compact protocol, in which Parquet writes what it says of its data: just enough of it to
//! look at a number before the parquet crate acts on it.
//!
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

use std::io::Read;

use parquet::errors::{ParquetError, Result};

/// The types of fields and of elements of lists.
pub(super) const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
pub(super) const BYTE: u8 = 3;
pub(super) const I16: u8 = 4;
pub(super) const I32: u8 = 5;
pub(super) const I64: u8 = 6;
pub(super) const DOUBLE: u8 = 7;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// How deep structs and lists may stand in each other in what is passed over.
const DEPTH: usize = 16;

/// Reads values one after the other.
pub(super) struct Compact<R> {
    input: R,
    /// Bytes read.
    pub(super) position: u64,
}

/// A field of a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) id: i64,
    pub(super) kind: u8,
}

pub(super) fn malformed(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

impl<R: Read> Compact<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, position: 0 }
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte)?;
        self.position += 1;
        Ok(byte[0])
    }

    pub(super) fn unsigned(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("a number in a header is too long"))
    }

    pub(super) fn signed(&mut self) -> Result<i64> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        i32::try_from(self.signed()?).map_err(|_| malformed("a number in a header is too large"))
    }

    /// The next field of a struct, none at its end; `last` is the id of the one before, 0 at first.
    pub(super) fn field(&mut self, last: &mut i64) -> Result<Option<Field>> {
        let byte = self.byte()?;
        let kind = byte & 0xf;
        if kind == 0 {
            return Ok(None);
        }
        let id = match byte >> 4 {
            0 => self.signed()?,
            delta => *last + i64::from(delta),
        };
        if id <= *last || id > 1000 {
            return Err(malformed("the fields of a header are out of order"));
        }
        *last = id;
        Ok(Some(Field { id, kind }))
    }

    /// How many elements a list has, and their type.
    pub(super) fn list(&mut self) -> Result<(u64, u8)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.unsigned()?,
            count => u64::from(count),
        };
        Ok((count, byte & 0xf))
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self, kind: u8) -> Result<()> {
        self.skip_to(kind, DEPTH)
    }

    fn skip_to(&mut self, kind: u8, depth: usize) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(malformed("a header is nested too deep"));
        };
        match kind {
            TRUE | FALSE => Ok(()),
            BYTE => self.byte().map(drop),
            I16 | I32 | I64 => self.unsigned().map(drop),
            DOUBLE => self.pass(8),
            BINARY => {
                let length = self.unsigned()?;
                self.pass(length)
            }
            STRUCT => {
                let mut last = 0;
                while let Some(field) = self.field(&mut last)? {
                    self.skip_to(field.kind, depth)?;
                }
                Ok(())
            }
            LIST => {
                let (count, kind) = self.list()?;
                // The elements of other lists take a byte at least, so that their end is met.
                if matches!(kind, TRUE | FALSE) && count > 0 {
                    return Err(malformed("a header holds a list of an unexpected type"));
                }
                (0..count).try_for_each(|_| self.skip_to(kind, depth))
            }
            _ => Err(malformed("a header holds a value of an unexpected type")),
        }
    }

    fn pass(&mut self, bytes: u64) -> Result<()> {
        let passed = std::io::copy(&mut self.input.by_ref().take(bytes), &mut std::io::sink())?;
        self.position += passed;
        if passed < bytes {
            return Err(malformed("a header is cut off"));
        }
        Ok(())
    }
}
