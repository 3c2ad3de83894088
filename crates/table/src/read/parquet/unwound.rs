/// The result in words, a panic included: parquet's decoders index and slice by what the file says.
pub(super) fn unwound<T, E: std::fmt::Display>(
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, String> {
    // After a panic nothing of the reader is used again: its caller stops at the error.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("a page does not hold what its header says".to_owned()),
    }
}
