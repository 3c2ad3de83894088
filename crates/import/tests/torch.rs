//! Files of PyTorch, which `torch/make.py` wrote.

use std::{collections::BTreeMap, fs, io::Cursor, path::Path};

use burn::tensor::{DType, TensorData};
use kiln_import::{ImportError, read_torch};
use proptest::prelude::*;

fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torch");
    fs::read(folder.join(name)).unwrap()
}

fn tensors(name: &str) -> Result<BTreeMap<String, TensorData>, ImportError> {
    read_torch(Cursor::new(file(name)))
}

fn refused(bytes: Vec<u8>) -> String {
    read_torch(Cursor::new(bytes)).unwrap_err().to_string()
}

#[test]
fn every_view_of_a_storage_is_what_pytorch_says() {
    let expected = kiln_store::decode_plain(&file("state.safetensors")).unwrap().tensors;
    assert_eq!(expected.len(), 11);
    for name in ["state.pt", "protocol4.pt"] {
        let found = tensors(name).unwrap();
        assert_eq!(found, expected, "{name}");
        assert_eq!(found["1.num_batches_tracked"].dtype, DType::I64);
    }
}

#[test]
fn parameters_are_read_as_tensors() {
    let found = tensors("parameters.pt").unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["bias", "weight"]);
    assert_eq!(*found["weight"].shape, [1, 2]);
}

#[test]
fn what_is_no_dictionary_of_tensors_is_named() {
    let ends =
        ", expected a dictionary of tensors: `torch.save(model.state_dict(), FILE)` writes one";
    for (name, found) in [
        ("model.pt", "it holds a `torch.nn.modules.container.Sequential`"),
        ("checkpoint.pt", "the entry `epoch` is no tensor"),
    ] {
        assert_eq!(tensors(name).unwrap_err().to_string(), format!("{found}{ends}"));
    }
    let error = tensors("expanded.pt").unwrap_err().to_string();
    assert!(
        error.starts_with("the tensors have more numbers than the file has bytes, "),
        "{error}"
    );
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let whole = file("state.pt");
    for end in 0..whole.len() {
        refused(whole[..end].to_vec());
    }
}

/// A pickle alone, in an archive as PyTorch's: one file, stored.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("x/data.pkl", options).unwrap();
    std::io::Write::write_all(&mut writer, pickle).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_pickle_that_means_harm_is_refused() {
    // os.system("true"), as pickle.loads would run it.
    let error = refused(archive(b"cos\nsystem\nX\x04\0\0\0true\x85R."));
    assert!(error.starts_with("it holds a `os.system`, expected"), "{error}");
    // A tuple in a tuple, and so on, deep enough for a recursive drop to end the process.
    let mut nested = vec![b')'];
    nested.extend([0x85; 1_000_000]);
    nested.push(b'.');
    assert!(refused(archive(&nested)).starts_with("its value is no dictionary"));
    nested.extend([b')'; 100_000]);
    assert_eq!(refused(archive(&nested)), "`x/data.pkl`: it has more than 1048576 bytes");
    for damaged in [
        &b""[..],
        b"t.",
        b"\x85.",
        b"}s.",
        b"}(K\x01u.",
        b"h\x01.",
        b"Q.",
        b"X\xff\xff\xff\xff.",
        b"R.",
    ] {
        assert_eq!(refused(archive(damaged)), "its pickle is damaged", "{damaged:?}");
    }
}

proptest! {
    #[test]
    fn changed_pickles_are_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut zip = zip::ZipArchive::new(Cursor::new(file("state.pt"))).unwrap();
        let mut pickle = Vec::new();
        std::io::Read::read_to_end(&mut zip.by_name("state/data.pkl").unwrap(), &mut pickle).unwrap();
        for (at, byte) in changes {
            let at = at.index(pickle.len());
            pickle[at] = byte;
        }
        // The checksum of the archive is right, so that the pickle is reached; the storages are not there.
        let _ = read_torch(Cursor::new(archive(&pickle)));
    }

    #[test]
    fn changed_files_are_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = file("state.pt");
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read_torch(Cursor::new(bytes));
    }
}
