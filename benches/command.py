"""How fast and how big the `kiln` command is, beside the same job in Python.

Both run in alternation, each a process of its own, so that what else the machine does falls on
both alike. A ratio is Python's seconds over Kiln's, pair by pair.

    python benches/command.py --kiln target/release/kiln --penguins penguins.csv

needs the packages of benches/requirements.txt in the Python that runs it.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import joblib  # noqa: F401
    import numpy as np
    import pandas as pd
    import sklearn  # noqa: F401
except ImportError as error:
    requirements = Path(__file__).with_name("requirements.txt")
    sys.exit(f"{error.name} is missing: {sys.executable} -m pip install -r {requirements}")

HERE = Path(__file__).parent
PENGUINS = HERE.parent.parent / "shared/data/tabular/penguins.csv"
SEED = 20250601
TRAIN_ROWS = 20_000
ROWS = 1_000_000
CHUNK = 100_000
NUMBERS, NAMES = 15, 5
# One network on plain columns, as in Python.
ONE = ["--preset", "fast", "--numeric-bins", "0"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kiln", default="target/release/kiln", help="the binary")
    parser.add_argument("--penguins", type=Path, default=PENGUINS, help="penguins.csv")
    parser.add_argument("--only", choices=["train", "predict", "memory"])
    parser.add_argument("--pairs", type=int, help="in place of 7 for train, 3 for predict")
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        if args.only in (None, "train"):
            compare_training(args, scratch)
        if args.only in (None, "predict"):
            compare_prediction(args, scratch)
        if args.only in (None, "memory"):
            measure_memory(args, scratch)


def compare_training(args, scratch):
    if not args.penguins.is_file():
        print(f"train: skipped, no {args.penguins} (--penguins names it)")
        return
    model = scratch / "penguins.safetensors"
    kiln = [args.kiln, "train", args.penguins, "--target", "species", *ONE, "--quiet", "-o", model]
    python = [sys.executable, HERE / "python/train.py", args.penguins, "species"]
    print("train on penguins.csv, the whole process")
    report(*alternate(kiln, python, args.pairs or 7))


def compare_prediction(args, scratch):
    sample, file = scratch / "sample.csv", scratch / "rows.csv"
    write_rows(sample, TRAIN_ROWS, seed=SEED, target=True)
    write_rows(file, ROWS, seed=SEED + 1)
    ours, theirs = scratch / "model.safetensors", scratch / "model.joblib"
    run([args.kiln, "train", sample, "--target", "target", *ONE, "--quiet", "-o", ours])
    run([sys.executable, HERE / "python/train.py", sample, "target", theirs])

    output = scratch / "predictions.csv"
    kiln = [args.kiln, "predict", ours, file, "--quiet", "-o", output]
    python = [sys.executable, HERE / "python/predict.py", theirs, file, output]
    print(f"predict {ROWS:,} rows of {NUMBERS + NAMES} columns, {file.stat().st_size >> 20} MiB")
    kiln, python = alternate(kiln, python, args.pairs or 3)
    for name, runs in [("kiln", kiln), ("python", python)]:
        print(f"  {name:7} {ROWS / median_seconds(runs):12,.0f} rows/s")
    report(kiln, python)


def measure_memory(args, scratch):
    sample, file = scratch / "sample.csv", scratch / "rows.csv"
    write_rows(sample, TRAIN_ROWS, seed=SEED, target=True)
    model, output = scratch / "model.safetensors", scratch / "predictions.csv"
    run([args.kiln, "train", sample, "--target", "target", *ONE, "--quiet", "-o", model])
    write_rows(file, ROWS, seed=SEED + 1)
    _, body = file.read_bytes().split(b"\n", maxsplit=1)
    print("peak memory of `kiln predict`")
    for times in [1, 5]:
        with open(file, "ab") as rows:
            rows.writelines([body] * (times - 1))
        seconds, peak = run([args.kiln, "predict", model, file, "--quiet", "-o", output])
        print(f"  {times * ROWS:9,} rows: {peak:4.0f} MiB, {seconds:.1f} s")


def write_rows(path, rows, seed, target=False):
    """Writes a table of numbers and names, one in twenty of them missing.

    The target depends on both, and a tenth of it is chance.
    """
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        draw = np.random.default_rng([seed, start])
        numbers = draw.normal(size=(count, NUMBERS)) * 10.0 ** (np.arange(NUMBERS) % 4)
        names = draw.integers(0, 2 + 3 * np.arange(NAMES), size=(count, NAMES))
        columns = {f"number_{i}": numbers[:, i].round(4) for i in range(NUMBERS)}
        columns |= {f"name_{i}": np.char.add("name ", names[:, i].astype(str)) for i in range(NAMES)}
        table = pd.DataFrame(columns).mask(draw.random((count, NUMBERS + NAMES)) < 0.05)
        if target:
            score = numbers[:, 0] + numbers[:, 4] * np.where(names[:, 1] > 2, 1, -1) + names[:, 0]
            chance = draw.random(count) < 0.1
            classes = np.where(chance, draw.integers(0, 3, count), np.digitize(score, [-0.5, 1]))
            table["target"] = np.array(["low", "middle", "high"])[classes]
        table.to_csv(path, mode="w" if start == 0 else "a", header=start == 0, index=False)


def alternate(kiln, python, pairs):
    """The runs of the one command and of the other, each seconds and peak memory."""
    # Once untimed, so that neither reads its files from a cold disk.
    run(kiln), run(python)
    return zip(*[(run(kiln), run(python)) for _ in range(pairs)])


def run(command):
    """Seconds and peak memory in MiB of a process."""
    measure = [sys.executable, "-S", HERE / "python/measure.py", *command]
    done = subprocess.run(measure, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(1)
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak


def report(kiln, python):
    for name, runs in [("kiln", kiln), ("python", python)]:
        peak = max(peak for _, peak in runs)
        print(f"  {name:7} {spread([s for s, _ in runs], 's')}, peak {peak:.0f} MiB")
    ratios = [theirs / ours for (ours, _), (theirs, _) in zip(kiln, python)]
    print(f"  ratio   {spread(ratios, 'x')}")


def median_seconds(runs):
    return statistics.median(seconds for seconds, _ in runs)


def spread(values, unit):
    return f"{statistics.median(values):.2f} {unit} ({min(values):.2f}..{max(values):.2f})"


if __name__ == "__main__":
    main()
