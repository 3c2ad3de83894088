"""How much faster two processes train than one, on one thread each.

A table of 30 numbers is trained on a network of 256-128 by `mpirun -np 1` and `-np 2` in turns: once with the same rows
an iteration for both (strong scaling), once with twice as many for two (weak scaling). Printed are the rows per second of
each, the median over all epochs but the first of every run, and the ratio of each pair of runs.

    cargo build --release -p kiln-cli --features mpi
    python benches/scaling.py

needs Open MPI, two idle cores, and numpy and pyarrow in the Python that runs it.
"""

import argparse
import json
import os
import statistics
import subprocess
from pathlib import Path

from stream import write

# Open MPI does not run as root unless told so twice.
ENVIRONMENT = os.environ | {
    "RAYON_NUM_THREADS": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kiln", default="target/release/kiln", help="the binary, with the feature `mpi`")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--batch-size", type=int, default=4096, help="of both, and of one where two take twice as many")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--mpirun", default="mpirun --bind-to core", help="the launcher and its flags")
    parser.add_argument("--folder", type=Path, default=Path("target/stream"), help="for the table, which stays")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    table = args.folder / f"{args.rows}.parquet"
    if not table.exists():
        write(table, args.rows)
    for name, of_two in [("strong", args.batch_size), ("weak", 2 * args.batch_size)]:
        pairs = [(speed(args, table, 1, args.batch_size), speed(args, table, 2, of_two)) for _ in range(args.pairs)]
        one, two = zip(*pairs)
        ratios = [b / a for a, b in pairs]
        print(f"{name}: {args.batch_size} rows an iteration for one, {of_two} for two")
        for ranks, speeds in [(1, one), (2, two)]:
            print(f"  {ranks} process{'es' if ranks > 1 else ''}: {statistics.median(speeds):,.0f} rows/s "
                  f"({min(speeds):,.0f}..{max(speeds):,.0f})")
        print(f"  ratio {statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f}), "
              f"efficiency {statistics.median(ratios) / 2:.0%}")


def speed(args, table, ranks, batch_size):
    """Rows per second."""
    history = args.folder / "history.jsonl"
    command = [*args.mpirun.split(), "-np", str(ranks), args.kiln, "train", table, "--target", "class", "--engine", "mpi"]
    command += ["-o", args.folder / "model", "--history", history, "--hidden", "256,128", "--numeric-bins", "0", "--batch-size", str(batch_size)]
    command += ["--epochs", str(args.epochs), "--keep", "last", "-q", "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    epochs = [json.loads(line)["rows_per_second"] for line in history.read_text().splitlines()]
    return statistics.median(epochs[1:])


if __name__ == "__main__":
    main()
