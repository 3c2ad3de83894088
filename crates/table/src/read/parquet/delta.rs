//! The lengths of texts that are written as differences: how many there are, and what they sum up to.
//!
//! The parquet crate makes room for as many as the data say, so that a few bytes could ask for any
//! amount of memory. The encodings are described at
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>.

use parquet::errors::Result;

use super::thrift::{Compact, malformed};

/// Most texts of a page.
const MAX_VALUES: u64 = 1 << 24;
/// Most bytes of the texts of a page, which share what they begin with.
const MAX_BYTES: u64 = 256 << 20;

/// Checks a page of `DELTA_LENGTH_BYTE_ARRAY`.
pub(super) fn check_lengths(data: &[u8], num_values: u64) -> Result<()> {
    lengths(data, num_values).map(drop)
}

/// Checks a page of `DELTA_BYTE_ARRAY`: the lengths of what each text shares with the one before, then
/// those of what it adds.
pub(super) fn check_texts(data: &[u8], num_values: u64) -> Result<()> {
    let shared = lengths(data, num_values)?;
    let added = lengths(rest(data, shared.end)?, num_values)?;
    if shared.sum + added.sum > MAX_BYTES {
        return Err(malformed("the texts of a page are too long together"));
    }
    Ok(())
}

struct Lengths {
    sum: u64,
    /// Where they end in the data.
    end: usize,
}

/// Reads numbers of the encoding `DELTA_BINARY_PACKED`.
fn lengths(data: &[u8], num_values: u64) -> Result<Lengths> {
    let mut input = Compact::new(data);
    let [block, miniblocks, count] = [input.unsigned()?, input.unsigned()?, input.unsigned()?];
    if count > num_values.min(MAX_VALUES) {
        return Err(malformed("a page has more lengths than values"));
    }
    let size = block.checked_div(miniblocks).unwrap_or(0);
    if size == 0 || !size.is_multiple_of(32) || block != size * miniblocks {
        return Err(malformed("the lengths of a page are in blocks of a wrong size"));
    }
    let mut value = input.i32()?;
    let mut sum = if count > 0 { length(value)? } else { 0 };
    let mut left = count.saturating_sub(1);
    let mut at = input.position as usize;
    while left > 0 {
        let mut input = Compact::new(rest(data, at)?);
        let smallest = input.i32()?;
        at += input.position as usize;
        let widths = slice(data, at, miniblocks)?;
        at += widths.len();
        for &width in widths {
            // What follows the last value has any width, and no bytes.
            if left == 0 {
                break;
            }
            if width > 32 {
                return Err(malformed("a length of a page has more than 32 bits"));
            }
            let values = left.min(size);
            let packed = slice(data, at, (values * u64::from(width)).div_ceil(8))?;
            at = at.saturating_add((size / 8).saturating_mul(u64::from(width)) as usize);
            for index in 0..values {
                let difference = bits(packed, index, u64::from(width)) as i32;
                value = value.wrapping_add(smallest).wrapping_add(difference);
                sum += length(value)?;
            }
            left -= values;
        }
    }
    Ok(Lengths { sum, end: at })
}

fn length(value: i32) -> Result<u64> {
    u64::try_from(value).map_err(|_| malformed("a length of a page is below 0"))
}

fn rest(data: &[u8], start: usize) -> Result<&[u8]> {
    data.get(start..).ok_or_else(|| malformed("a page is cut off"))
}

fn slice(data: &[u8], start: usize, length: u64) -> Result<&[u8]> {
    let length = usize::try_from(length).ok();
    let part = rest(data, start)?.get(..length.unwrap_or(usize::MAX));
    part.ok_or_else(|| malformed("a page is cut off"))
}

/// The number of so many bits, at most 32, at this index, the lowest bits first.
fn bits(packed: &[u8], index: u64, width: u64) -> u32 {
    let first = index * width;
    let mut word = [0; 8];
    let bytes = packed.iter().skip((first / 8) as usize);
    word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let word = u64::from_le_bytes(word) >> (first % 8);
    (word & ((1 << width) - 1)) as u32
}
