//! Files of tensors that are written whole or not at all, and that show when they are damaged.
//!
//! Models and checkpoints are such files: [safetensors](https://huggingface.co/docs/safetensors) with a
//! manifest. Nothing in them is executable, and the same content is the same file, byte for byte. The
//! metadata has three entries:
//!
//! | Entry | |
//! |---|---|
//! | `format` | what it is: `kiln` for a model |
//! | `kiln` | the manifest, as JSON, whose `format_version` says how to read the rest |
//! | `kiln_sha256` | SHA-256, in lower-case hexadecimal digits, of the fields below |
//!
//! The fields are the bytes of the entry `kiln`; then, for each tensor in order of the bytes of its
//! name: the name, the type (`F32`), the shape (each dimension as an unsigned 64-bit number), the
//! values. Each field is preceded by its length in bytes. All numbers are little-endian.
//!
//! The checksum finds damage, not malice: whoever edits the file can write a new one. So who reads
//! an archive checks what is in it all the same.
//!
//! ```
//! use burn::tensor::TensorData;
//! use kiln_store::{StoreError, decode, encode};
//!
//! let manifest = r#"{"format_version":1}"#;
//! let tensors = [("w".to_owned(), TensorData::from([1.0_f32, 2.0]))].into();
//! let mut bytes = encode("kiln", manifest, &tensors);
//!
//! let archive = decode(&bytes, "kiln", 1)?;
//! assert_eq!((archive.manifest.as_str(), archive.tensors), (manifest, tensors));
//! *bytes.last_mut().unwrap() ^= 1;
//! assert!(matches!(decode(&bytes, "kiln", 1), Err(StoreError::Damaged)));
//! # Ok::<(), StoreError>(())
//! ```

mod archive;
mod atomic;
mod error;

pub use archive::{Archive, Plain, decode, decode_plain, encode, encode_plain, plain_tensor, read};
pub use atomic::{check_writable, write_atomically};
pub use error::StoreError;
