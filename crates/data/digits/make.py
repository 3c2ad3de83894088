"""Makes images-idx3-ubyte.gz and labels-idx1-ubyte.gz, beside this file, from scikit-learn's copy.

    pip install scikit-learn && python make.py

The result does not depend on the day or the machine: gzip's time stamp is 0.
"""

import gzip
import struct
from pathlib import Path

from sklearn.datasets import load_digits

UNSIGNED_BYTE = 0x08

digits = load_digits()
arrays = {
    "images-idx3-ubyte.gz": digits.images.astype("uint8"),
    "labels-idx1-ubyte.gz": digits.target.astype("uint8"),
}
for name, values in arrays.items():
    header = struct.pack(f">HBB{values.ndim}I", 0, UNSIGNED_BYTE, values.ndim, *values.shape)
    packed = gzip.compress(header + values.tobytes(), compresslevel=9, mtime=0)
    (Path(__file__).parent / name).write_bytes(packed)
