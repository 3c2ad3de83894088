"""Writes the seeds: python seeds.py, with pyarrow and zstandard. Each shows the fuzzer one feature."""

import gzip
import hashlib
import json
import random
import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

HERE = Path(__file__).parent


def write(target, name, data):
    folder = HERE / "seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def gz(data):
    return gzip.compress(data, mtime=0)


def idx():
    small = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 10, 20, 30, 40, 50, 255])
    write("idx", "plain", small)
    write("idx", "gzip", gz(small))
    write("idx", "two-members", gz(small[:9]) + gz(small[9:]))
    write("idx", "labels", bytes([0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 9]))
    write("idx", "images", bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4]))
    write("idx", "empty", bytes([0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 3]))
    write("idx", "huge", bytes([0, 0, 8, 4] + [255] * 16))
    write("idx", "bomb", gz(bytes([0, 0, 8, 1, 0, 16, 0, 0]) + bytes(1 << 20)))


def table(rows, seed=0):
    draw = random.Random(seed)
    lines = ["id,age,city,member,score,class"]
    for row in range(rows):
        age = draw.choice(["", "NA", str(draw.randint(18, 90))])
        city = draw.choice(["Rome", "Oslo", "Köln", "São Paulo", "東京"])
        lines.append(
            f"{row},{age},{city},{draw.choice(['yes', 'no'])},{draw.gauss(0, 1):.3f},"
            f"{draw.choice('abc')}"
        )
    return "\n".join(lines) + "\n"


def csv():
    # The first byte: 3 bits of delimiter, 2 of header, 2 of loss, 1 of embeddings. The second: 4 bits
    # of target column, then second target, weight, categorical, numeric.
    def seed(name, data, reading=0, target=5):
        if isinstance(data, str):
            data = data.encode()
        write("csv", name, bytes([reading, target]) + data)

    plain = table(30)
    seed("plain", plain)
    seed("embedded", plain, reading=0)
    seed("one-hot", plain, reading=0x80)
    seed("categorical-loss", plain, reading=0x40)
    seed("sparse-loss", plain, reading=0x60)
    seed("binary", "x,y\n1,no\n2,yes\n3,no\n4,yes\n", reading=0x20, target=1)
    seed("labels", "x,a,b\n1,0,1\n2,1,1\n3,0,0\n4,1,0\n", target=0x11)
    seed("one-label-each", "x,a,b\n1,0,1\n2,1,0\n3,0,1\n4,1,0\n", target=0x11)
    seed("distributions", "x,a,b\n1,0.25,0.75\n2,1,0\n3,0.5,0.5\n", reading=0x40, target=0x11)
    seed("weights", "y,x,w\na,1,0.5\nb,2,0\na,3,1e3\nb,4,2\n", target=0x20)
    seed("asked-kinds", "y,a,b,c,d\nn,1,2,3,4\nm,2,3,4,5\nn,3,4,5,6\nm,1,2,3,9\n", target=0xC0)
    seed("quotes", 'a,b,y\n"1,5","say ""no""",p\n"two\nlines",5" pipe,q\n"x" ,"",p\n', target=2)
    seed("open-quote", 'a,y\n1,"x\n2,y\n', target=1)
    seed("text-after-quote", 'a,y\n"1\n" x,p\n2,q\n', target=1)
    seed("bom", b"\xef\xbb\xbfa,y\n1,p\n2,q\n3,p\n", target=1)
    seed("crlf", "a,y\r\n1,p\r\n\r\n2,q\r\n3,p\r\n", target=1)
    seed("cr", "a,y\r1,p\r2,q\r3,p\r", target=1)
    seed("utf-16", "a,y\n1,p\n".encode("utf-16"), target=1)
    seed("latin-1", "a,y\nKöln,p\nx,q\n".encode("latin-1"), target=1)
    seed("nul", b"a,y\n1,p\n\0,q\n", target=1)
    seed("semicolon", "a;y\n1,5;p\n2,5;q\n3,5;p\n", target=1)
    seed("tab", "a\ty\n1\tp\n2\tq\n3\tp\n", target=1)
    seed("pipe", "a|y\n1|p\n2|q\n3|p\n", target=1)
    seed("space", "a y\n1 p\n2 q\n3 p\n", reading=5, target=1)
    seed("no-header", "1,p\n2,q\n3,p\n", reading=0x18, target=1)
    seed("ragged", "a,y\n1,p\n2\n3,q,r\n", target=1)
    seed("blank-lines", "\n\na,y\n\n1,p\n  \n2,q\n3,p\n", target=1)
    seed("duplicate-columns", "a,a\n1,2\n", target=1)
    seed("empty-names", ",y,\n1,p,2\n2,q,3\n3,p,9\n", target=1)
    seed("missing", "a,b,y\nNA,?,p\n1,,q\nnull,x,p\n2,-nan,\n3,y,q\n", target=2)
    seed("huge-numbers", "a,y\n1e400,p\n-1e308,q\n1e308,p\n5e-324,q\n123456789012345678901,p\n", target=1)
    seed("infinite", "a,y\ninf,p\nNaN,q\n-Infinity,p\n", target=1)
    seed("decimal-commas", 'a,y\n"1,5",p\n"2,5",q\n"1,5",p\n', target=1)
    seed("hexadecimal", "a,y\n0x1F,p\n0x2,q\n0x1F,p\n", target=1)
    seed("strays", "a,y\n" + "".join(f"{i % 7},{'pq'[i % 2]}\n" for i in range(40)) + "bad,p\n", target=1)
    seed("unicode", "ключ,y\n\u202e١,é\n\u00a0x\u3000,e\u0301\n😀,é\n", target=1)
    seed("number-classes", "y,x\n" + "".join(f"{i % 3},{i * i}\n" for i in range(12)), target=0)
    seed("gzip", gz(plain.encode()))
    seed("zstd", zstandard.compress(plain.encode()))
    seed("gzip-bomb", gz(b"a,y\n" + b"1,p\n2,q\n" * 20000), target=1)
    seed("zstd-bomb", zstandard.compress(b"a,y\n" + b"1,p\n2,q\n" * 20000), target=1)
    # A frame that asks for a window of 128 MiB, and one of 2 GiB.
    seed("zstd-window", bytes.fromhex("28b52ffd0088") + raw_block(b"a,y\n1,p\n2,q\n"), target=1)
    seed("zstd-window-huge", bytes.fromhex("28b52ffd00a8") + raw_block(b"a,y\n1,p\n2,q\n"), target=1)
    seed("wide", ",".join(f"c{i}" for i in range(300)) + "\n" + ",".join("1" * 300) + "\n")
    seed("zip", b"PK\x03\x04" + bytes(20))


def raw_block(data):
    return struct.pack("<I", len(data) << 3 | 1)[:3] + data


def parquet():
    columns = {
        "i": pa.array([1, 2, None, 4], pa.int32()),
        "u": pa.array([1, 2**64 - 1, 3, None], pa.uint64()),
        "f": pa.array([1.5, float("nan"), float("inf"), -0.0], pa.float64()),
        "h": pa.array([1.5, 2.5, None, 1.0], pa.float32()),
        "s": pa.array(["a", "b", "", None]),
        "b": pa.array([True, False, None, True]),
        "d": pa.array([1, 2, 3, 4], pa.date32()),
        "t": pa.array([1, 2, None, 4], pa.timestamp("us")),
        "c": pa.array(["x", "y", "x", "y"]).dictionary_encode(),
        "l": pa.array([[1], [], None, [1, 2]]),
        "m": pa.array([1, 2, None, 4], pa.decimal128(20, 3)),
        "n": pa.nulls(4),
    }

    def seed(name, columns, **options):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink, store_schema=False, **options)
        write("parquet", name, sink.getvalue().to_pybytes())

    seed("kinds", columns, compression="none")
    for codec in ["snappy", "gzip", "zstd", "lz4"]:
        seed(codec, {"i": list(range(40)), "s": [f"text {i % 3}" for i in range(40)]}, compression=codec)
    numbers = {"i": pa.array(range(40), pa.int64())}
    texts = {"s": pa.array([f"text {i}" for i in range(20)])}
    plain = dict(use_dictionary=False, compression="none")
    seed("delta", numbers, column_encoding="DELTA_BINARY_PACKED", **plain)
    seed("split", {"f": pa.array([0.5, 1.5])}, column_encoding="BYTE_STREAM_SPLIT", **plain)
    seed("delta-lengths", texts, column_encoding="DELTA_LENGTH_BYTE_ARRAY", **plain)
    seed("delta-texts", texts, column_encoding="DELTA_BYTE_ARRAY", **plain)
    seed("plain", {**numbers, "s": pa.array(["x"] * 40)}, **plain)
    seed("pages-2", columns, data_page_version="2.0", compression="zstd")
    seed("groups", numbers, row_group_size=16, **plain)
    seed("nulls", {"i": pa.nulls(5000, pa.int32())})
    seed("no-rows", {"i": pa.array([], pa.int32())})
    seed("no-columns", {})
    seed("flat", {"i": pa.array([7] * 5000, pa.int32())}, compression="none")
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"c": columns["c"], "x": pa.array([1, 2, 3, 4], pa.uint8())}), sink)
    write("parquet", "arrow-schema", sink.getvalue().to_pybytes())


def model():
    text = (HERE / "manifest.json").read_text()
    plain = json.loads(text)

    def manifest(**changes):
        return json.dumps(plain | changes, separators=(",", ":"))

    def behind_checksum(name, manifest, spoil=0, values=b"\x08\xf8\x04\x01"):
        write("model", name, b"\x01" + manifest.encode() + bytes([0, spoil]) + values)

    def network(**changes):
        return plain["network"] | changes

    behind_checksum("fixed", manifest())
    for spoil in range(1, 8):
        behind_checksum(f"spoilt-{spoil}", manifest(), spoil | 8)
    behind_checksum("batch", manifest(network=network(normalization="batch", dropout=0.5)))
    behind_checksum("layer", manifest(network=network(normalization="layer", activation="gelu")))
    behind_checksum("deep", manifest(network=network(hidden=[3, 2, 3])))
    behind_checksum("linear", manifest(network=network(hidden=[])))
    behind_checksum("wide", manifest(network=network(hidden=[1 << 40])))
    behind_checksum("newer", manifest(format_version=2))
    behind_checksum("largest", manifest(), 4, b"\x7f\x80\x81")
    binary = {"columns": ["class"], "form": {"binary": {"classes": ["a", "b"]}}, "missing": []}
    behind_checksum("binary", manifest(task="binary", target=binary, network=network(d_output=1)))
    labels = {"columns": ["class", "b"], "form": "labels", "missing": []}
    task = {"multi_label": {"num_labels": 2}}
    behind_checksum("labels", manifest(task=task, target=labels, network=network(d_output=2)))
    loss = {"label_smoothing": 0.1, "class_weights": [1, 2, 3]}
    behind_checksum("loss", manifest(loss=loss))

    shapes = {
        "embeddings.0.weight": [4, 2], "hidden.0.weight": [6, 4], "hidden.0.bias": [4],
        "output.weight": [4, 3], "output.bias": [3],
    }
    header, data, digest = {}, b"", hashlib.sha256()

    def field(part):
        digest.update(struct.pack("<Q", len(part)) + part)

    kiln = manifest()
    field(kiln.encode())
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        part = struct.pack(f"<{count}f", *[0.5 - i % 3 for i in range(count)])
        field(name.encode())
        field(b"F32")
        field(struct.pack(f"<{len(shape)}Q", *shape))
        field(part)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    header["__metadata__"] = {"format": "kiln", "kiln": kiln, "kiln_sha256": digest.hexdigest()}

    def file(name, header, data=data):
        header = json.dumps(header).encode()
        write("model", name, b"\0" + struct.pack("<Q", len(header)) + header + data)

    file("file", header)
    file("file-cut", header, data[:-4])
    file("file-flipped", header, b"\1" + data[1:])
    file("file-other", {"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4]}}, bytes(4))
    write("model", "file-long-header", b"\0" + struct.pack("<Q", 99_999_999) + b"{}")


def config():
    def seed(name, text):
        write("config", name, text.encode())

    seed("target", 'target = ["y"]\n')
    seed("position", 'target = ["last"]\nignore = ["a"]\n')
    seed(
        "all",
        """target = ["y"]
loss = "binary"
positive = "yes"
weight = "a"
categorical = ["b"]
numeric = ["a"]
ignore = []
missing = ["NA", "-999"]
valid_fraction = 0.2
delimiter = ";"
header = true
scaling = "standard"
one_hot_up_to = 5
hidden = [8, 4]
activation = "gelu"
normalization = "layer"
dropout = 0.1
epochs = 3
batch_size = "all"
optimizer = "adan"
learning_rate = 1e-3
weight_decay = 0.01
schedule = "one_cycle"
warmup = 10
clip_norm = 1.0
keep = "last"
patience = 2
monitor = "accuracy"
label_smoothing = 0.1
class_weights = [1.0, 2.0]
restarts = 2
seed = 7
""",
    )
    seed("unknown-key", 'targt = "y"\n')
    seed("unknown-value", 'target = ["y"]\noptimizer = "adamm"\n')
    seed("wrong-type", "target = 3\nepochs = -1\n")
    seed("special-numbers", 'target = ["y"]\nlearning_rate = inf\ndropout = nan\nclip_norm = -0.0\n')
    seed("largest", 'target = ["y"]\nhidden = [9223372036854775807, 2]\nwarmup = 9223372036854775807\n')
    seed("not-toml", "target = [\n")
    seed("unicode", 'target = ["ключ"]\n"é" = "x" # é\n')
    for loss in ["categorical", "sparse"]:
        seed(loss, f'target = ["y"]\nloss = "{loss}"\nclass_weights = "balanced"\nschedule = "plateau"\n')
    for optimizer in ["sgd", "momentum", "nesterov", "adam", "rmsprop", "adagrad"]:
        seed(optimizer, f'target = ["y"]\noptimizer = "{optimizer}"\nschedule = "cosine"\nkeep = "last"\n')
    seed(
        "settings",
        """loss = "auto"
class_weights = "none"
valid_fraction = 0.15
[columns]
target = ["y"]
[preprocess]
[network]
hidden = [4]
activation = "relu"
normalization = "none"
dropout = 0.0
[train]
num_epochs = 2
""",
    )


def rows():
    # The first byte: 1 for batch normalization, 2 for JSON.
    header = "id,city,age,smoker,sex\n"
    csv = header + '1,Rome,31,true,f\n2,1,64.5,no,m\n3,Oslo,NA,0,\n4,"2",-999,?,x\n5,Rome,old,yes,f\n'
    for choice, name in [(0, "csv"), (1, "csv-batch")]:
        write("rows", name, bytes([choice]) + csv.encode())
    write("rows", "ragged", b"\0" + (header + "1,Rome\n2,Rome,1e400,t,f,g\n3,Rome,5,y,m\n").encode())
    write("rows", "latin-1", b"\0" + (header + "1,Köln,3,t,f\n").encode("latin-1"))
    write("rows", "order", b"\0sex;smoker;age;city\nm;y;1,5;Rome\nf;n;1e308;1.0\n")
    write("rows", "column-missing", b"\0city,age,sex\nRome,3,f\n")
    write("rows", "gzip", b"\0" + gz(csv.encode()))
    write("rows", "many", b"\0" + header.encode() + b"1,Rome,31,true,f\n2,,-5e-324,f,m\n" * 200)
    people = [
        {"city": "Rome", "age": 31, "smoker": True, "sex": "f"},
        {"city": 1, "age": 64.5, "smoker": "no", "sex": "m", "id": 7},
        {"city": 2.0, "age": None, "smoker": 0},
        {"city": "Oslo", "age": 1e300, "smoker": 1.0, "sex": ""},
    ]
    for choice, name in [(2, "json"), (3, "json-batch")]:
        write("rows", name, bytes([choice]) + json.dumps(people).encode())
    write("rows", "json-nested", b'\2[{"city": ["Rome"], "age": {"a": 1}}]')
    write("rows", "json-empty", b"\2[]")


def checkpoint():
    # Which run, how its tensors are spoilt, what is merged into its manifest.
    kernels, burn = 2, 1
    write("checkpoint", "whole", bytes([kernels, 0]) + b"{}")
    write("checkpoint", "burn", bytes([burn, 0]) + b"{}")
    write("checkpoint", "file", b'\x00\x10' + bytes(7) + b'{"__metadata__":{}}')
    patches = {
        "iteration": {"place": {"iteration": 7}},
        "restart": {"place": {"restart": 0, "winner": None}},
        "records": {"place": {"records": [{"epoch": 2, "restart": 3}]}},
        "winner": {"place": {"winner": {"restart": 1, "kept_epoch": 3, "stop": "epochs"}}},
        "stopping": {"place": {"stopping": {"best": [0, -1.5], "epochs_without": 5}}},
        "plateau": {"place": {"plateau": {"fraction": 1e300, "best": 0.1}, "seconds": -1e99}},
        "identity": {"identity": {"config": {"num_epochs": 1, "restarts": 3}, "engine": "x"}},
        "context": {"context": {"a": [1, {"b": None}]}, "format_version": 2},
    }
    for at, (name, patch) in enumerate(patches.items()):
        write("checkpoint", name, bytes([kernels - at % 2, 0]) + json.dumps(patch).encode())
    for spoil in range(8):
        tensor = spoil * 3 % 13
        write("checkpoint", f"spoilt-{spoil}", bytes([kernels - spoil % 2, spoil + 8 * tensor]) + b"{}")
    write("checkpoint", "state", bytes([burn, 0]) + b"{}\0" + bytes([16, 0, 255, 64, 0, 1, 144, 1, 127]))


for make in [checkpoint, idx, csv, parquet, model, config, rows]:
    make()
