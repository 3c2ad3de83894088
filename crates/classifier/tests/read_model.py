"""Prints what a model file holds: version, whether its checksum is right, and each tensor."""

import hashlib
import json
import struct
import sys

from safetensors import safe_open

with safe_open(sys.argv[1], framework="numpy") as file:
    metadata = file.metadata()
    tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}

checksum = hashlib.sha256()


def field(data):
    checksum.update(struct.pack("<Q", len(data)))
    checksum.update(data)


field(metadata["kiln"].encode())
for name, tensor in tensors.items():
    field(name.encode())
    field(b"F32")
    field(struct.pack(f"<{tensor.ndim}Q", *tensor.shape))
    field(tensor.astype("<f4").tobytes())

manifest = json.loads(metadata["kiln"])
print(manifest["kiln_version"], metadata["kiln_sha256"] == checksum.hexdigest())
for name, tensor in tensors.items():
    print(name, list(tensor.shape), f"{tensor.astype('f8').sum():.6f}")
