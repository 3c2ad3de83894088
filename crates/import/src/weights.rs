use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use kiln_store::{Plain, decode_plain, read};

use crate::{ImportError, torch::read_torch};

/// What files that `torch.save` writes begin with: they are ZIP archives.
const ZIP: [u8; 4] = *b"PK\x03\x04";

/// The tensors of a safetensors file, or of one that `torch.save` wrote.
///
/// # Errors
///
/// If the file can't be read or is neither.
pub fn read_weights(path: &Path) -> Result<Plain, ImportError> {
    let mut start = [0; 4];
    if path.is_file() {
        let mut file = File::open(path)?;
        if file.read_exact(&mut start).is_ok() && start == ZIP {
            return Ok(Plain { metadata: BTreeMap::new(), tensors: read_torch(file)? });
        }
    }
    Ok(decode_plain(&read(path)?)?)
}
