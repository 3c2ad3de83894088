"""Whether `kiln train --stream` trains a table of 20 million rows in little memory, and without waiting for its rows.

A table of 30 numbers and two classes is written once (Parquet 3.2 GB, CSV 5.4 GB) and trained for some epochs on a
network of 256-128. Printed are the seconds of the pass that finds what is in the file and of each epoch, the share of
the epoch in which training waited for rows, and the most memory that the process took.

    python benches/stream.py
    python benches/stream.py --format csv --rows 2000000 --in-memory

needs numpy and pyarrow in the Python that runs it.
"""

import argparse
import json
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

COLUMNS = 30
ROWS_AT_A_TIME = 1_000_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kiln", default="target/release/kiln", help="the binary")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("target/stream"), help="for the table, which stays")
    parser.add_argument("--in-memory", action="store_true", help="the same without --stream, too")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    table = args.folder / f"{args.rows}.{args.format}"
    if not table.exists():
        write(table, args.rows)
    print(f"{table}: {table.stat().st_size / 1e9:.2f} GB")
    for flags in [["--stream"], []] if args.in_memory else [["--stream"]]:
        run(args, table, flags)


def write(path, rows):
    """The class says which of two sums of squares is larger, with noise: no straight line parts the classes."""
    rng = np.random.default_rng(0)
    names = [f"x{i}" for i in range(COLUMNS)]
    schema = pa.schema([(name, pa.float64()) for name in names] + [("class", pa.int64())])
    partial = path.with_suffix(".partial")
    open_writer = pa.parquet.ParquetWriter if path.suffix == ".parquet" else pa.csv.CSVWriter
    with open_writer(partial, schema) as writer:
        for start in range(0, rows, ROWS_AT_A_TIME):
            x = rng.standard_normal((min(ROWS_AT_A_TIME, rows - start), COLUMNS)).round(5)
            score = (x[:, :5] ** 2).sum(1) - (x[:, 5:10] ** 2).sum(1) + rng.standard_normal(len(x))
            arrays = [x[:, i] for i in range(COLUMNS)] + [(score > 0).astype(np.int64)]
            writer.write_table(pa.table(arrays, schema=schema))
    partial.rename(path)


def run(args, table, flags):
    history = args.folder / "history.jsonl"
    command = [args.kiln, "train", table, "--target", "class", "-o", args.folder / "model", "--history", history]
    command += ["--preset", "fast", "--numeric-bins", "0", "--hidden", "256,128", "--epochs", str(args.epochs), "--json", "-q", *flags]
    started = time.time()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = 0
    while child.poll() is None:
        peak = max(peak, peak_of(child.pid))
        time.sleep(0.02)
    seconds = time.time() - started
    if child.returncode != 0:
        raise SystemExit(f"kiln ended with {child.returncode}")
    summary = json.loads(child.stdout.read())
    epochs = [json.loads(line) for line in history.read_text().splitlines()]
    print(" ".join(flags) or "in memory")
    print(f"  {seconds:.1f} s in all, {seconds - sum(e['seconds'] for e in epochs):.1f} s outside the epochs, "
          f"at most {peak} MiB, accuracy {summary['valid']['accuracy']:.4f}")
    for e in epochs:
        share = 100 * e["waiting"] / e["seconds"]
        print(f"  epoch {e['epoch']}: {e['seconds']:.1f} s, {e['rows_per_second']:,.0f} rows/s, waited {share:.1f} %")


def peak_of(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return max((int(line.split()[1]) >> 10 for line in status.splitlines() if line.startswith("VmHWM")), default=0)


if __name__ == "__main__":
    main()
