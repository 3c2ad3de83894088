use prost::Message;

/// Bytes before a record's data: its length, and that length's checksum.
const HEADER: usize = 8 + 4;

/// Replaces what is in `record` by a TFRecord that holds the message: the length of the data as a `u64`,
/// the masked checksum of these 8 bytes, the data, the masked checksum of the data. All numbers are
/// little-endian.
pub(crate) fn frame(message: &impl Message, record: &mut Vec<u8>) {
    record.clear();
    record.resize(HEADER, 0);
    message.encode(record).expect("a vector grows as needed");
    let length = (record.len() - HEADER) as u64;
    let checksum = masked_crc32c(&record[HEADER..]);
    record.extend(checksum.to_le_bytes());
    record[..8].copy_from_slice(&length.to_le_bytes());
    let checksum = masked_crc32c(&record[..8]);
    record[8..HEADER].copy_from_slice(&checksum.to_le_bytes());
}

/// CRC-32C, rotated and shifted as TensorFlow's `crc32c.h` does it: the CRC of data that holds its own
/// CRC is weak.
fn masked_crc32c(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Event, What};

    /// RFC 3720, appendix B.4.
    #[test]
    fn checksums_are_those_of_rfc_3720() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c::crc32c(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c::crc32c(&ascending), 0x46dd_794e);
        // (crc >> 15 | crc << 17) + 0xa282ead8 in 32 bits, by hand for the first.
        assert_eq!(masked_crc32c(&[0; 32]), 0x0fd7_fffa);
    }

    /// The first record of any file that TensorFlow writes, but for the time.
    #[test]
    fn a_record_is_length_checksum_data_checksum() {
        let what = What::FileVersion("brain.Event:2".to_owned());
        let event = Event { wall_time: 0.0, step: 0, what: Some(what) };
        let mut record = b"what the last record left".to_vec();
        frame(&event, &mut record);
        let data = b"\x1a\x0dbrain.Event:2";
        assert_eq!(record[..8], 15_u64.to_le_bytes());
        assert_eq!(record[8..12], masked_crc32c(&record[..8]).to_le_bytes());
        assert_eq!(&record[12..27], data);
        assert_eq!(record[27..], masked_crc32c(data).to_le_bytes());
        assert_eq!(Event::decode(&record[12..27]).unwrap(), event);
    }
}
