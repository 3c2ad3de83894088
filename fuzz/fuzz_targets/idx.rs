//! Bytes as an IDX file, plain or gzip.

#![no_main]

use kiln::data::read_idx_from;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(idx) = read_idx_from(bytes, "fuzz.idx") {
        assert_eq!(idx.values.len(), idx.dims.iter().product::<usize>());
    }
});
