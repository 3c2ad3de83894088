//! The messages of an Arrow IPC stream, before they are decoded.

use arrow_ipc::{Buffer, Message, root_as_message};

/// What comes before the length of a message, in all but old streams.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Checks that the buffers of each message lie within it, which arrow-ipc asserts and so would panic.
///
/// Whatever else is wrong is left for it to say.
pub(super) fn check(mut stream: &[u8]) -> Result<(), &'static str> {
    while let Some((message, rest)) = next(stream) {
        let Ok(length) = usize::try_from(message.bodyLength()) else { return Ok(()) };
        let batch = message
            .header_as_record_batch()
            .or_else(|| message.header_as_dictionary_batch().and_then(|batch| batch.data()));
        let mut buffers = batch.and_then(|batch| batch.buffers()).into_iter().flatten();
        if buffers.any(|buffer| !lies_within(buffer, length)) {
            return Err("a buffer lies outside its message");
        }
        let Some(after) = rest.get(length..) else { return Ok(()) };
        stream = after;
    }
    Ok(())
}

/// The next message, and what comes after its metadata.
fn next(stream: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let stream = stream.strip_prefix(&CONTINUATION).unwrap_or(stream);
    let (length, rest) = stream.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 || length > rest.len() {
        return None;
    }
    let (metadata, rest) = rest.split_at(length);
    Some((root_as_message(metadata).ok()?, rest))
}

fn lies_within(buffer: &Buffer, length: usize) -> bool {
    let place = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
    let end = place.and_then(|(offset, length)| offset.checked_add(length));
    end.is_some_and(|end| end <= length)
}
