//! Model files that are none, or no longer; `kiln-classifier` tests them byte by byte.

use std::fs;

use crate::common::Folder;

#[track_caller]
fn refused(folder: &Folder, content: &[u8], message: &str) {
    folder.write("m.safetensors", content);
    for command in ["predict m.safetensors good.csv", "evaluate m.safetensors good.csv"] {
        folder.fails(command, message);
    }
}

#[test]
fn a_file_that_is_no_model_is_refused() {
    let folder = Folder::with_model();
    folder.fails(
        "predict none.safetensors good.csv",
        "cannot read none.safetensors: No such file or directory (os error 2)",
    );
    folder.fails(
        "predict good.csv good.csv",
        "good.csv: not a Kiln model: it does not start as safetensors files do",
    );
    fs::create_dir(folder.path("folder")).unwrap();
    folder.fails("predict folder good.csv", "cannot read folder: is a directory");
    refused(&folder, b"", "m.safetensors: not a Kiln model: it has 0 bytes");
}

#[test]
fn a_model_cut_off_is_refused() {
    let folder = Folder::with_model();
    let model = fs::read(folder.path("model.safetensors")).unwrap();
    let header = u64::from_le_bytes(model[..8].try_into().unwrap());
    refused(&folder, &model[..5], "m.safetensors: not a Kiln model: it has 5 bytes");
    refused(
        &folder,
        &model[..1000],
        &format!(
            "m.safetensors: not a Kiln model: its header takes {header} bytes, and the file ends \
             after 992: it is cut off"
        ),
    );
    refused(
        &folder,
        &model[..model.len() - 1],
        "m.safetensors: not a Kiln model: incomplete metadata, file not fully covered, or the file \
         is cut off",
    );
}

#[test]
fn a_flipped_bit_is_found() {
    let folder = Folder::with_model();
    let model = fs::read(folder.path("model.safetensors")).unwrap();
    for at in [model.len() / 2, model.len() - 1] {
        let mut damaged = model.clone();
        damaged[at] ^= 4;
        let message = "m.safetensors: its checksum does not match: the file was damaged or edited";
        refused(&folder, &damaged, message);
        folder.fails("inspect m.safetensors", message);
    }
}

#[test]
fn a_model_of_a_newer_kiln_says_so() {
    let folder = Folder::with_model();
    let model = fs::read(folder.path("model.safetensors")).unwrap();
    let (known, newer) = (b"\\\"format_version\\\":4,", b"\\\"format_version\\\":9,");
    let at = model.windows(known.len()).position(|bytes| bytes == known).expect("its version");
    let mut changed = model;
    changed[at..at + newer.len()].copy_from_slice(newer);
    let message = "m.safetensors was written by a newer Kiln (format 9), this one reads up to 4";
    refused(&folder, &changed, message);
    folder.fails("inspect m.safetensors", message);
}
