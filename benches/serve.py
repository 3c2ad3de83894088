"""How many requests `kiln serve` answers, beside the same model behind FastAPI and onnxruntime.

A model of 20 columns and two hidden layers of 128 units answers requests of one row each, over connections that are
kept open, from `wrk` on the same machine. The two servers take turns, each started anew; a ratio is Kiln's requests a
second over Python's, pair by pair.

    python benches/serve.py
    python benches/serve.py --only kiln --pairs 1 --seconds 600

needs `wrk` and the packages of benches/serve-requirements.txt in the Python that runs it.
"""

import argparse
import importlib.util
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
COLUMNS = [f"x{i}" for i in range(20)]
SAMPLES = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kiln", default="target/release/kiln", help="the binary")
    parser.add_argument("--only", choices=["kiln", "python"])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10, help="of load on each server")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of Python")
    args = parser.parse_args()
    if args.only != "kiln":
        require_packages()
    print(f"{os.cpu_count()} cores, {args.connections} connections, {args.seconds} s each")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        request = prepare(args.kiln, scratch)
        sides = [side for side in ("kiln", "python") if args.only in (None, side)]
        measured = {side: [] for side in sides}
        answers = {}
        for _ in range(args.pairs):
            for side in sides:
                with served(side, args, scratch) as (server, url):
                    answers[side] = ask(url, request)
                    measured[side].append(load(server, url, args, scratch))
    if len(sides) == 2:
        agree(answers)
    report(measured)


def require_packages():
    requirements = HERE / "serve-requirements.txt"
    for package in re.findall(r"^[\w-]+", requirements.read_text(), re.MULTILINE):
        if importlib.util.find_spec(package) is None:
            sys.exit(f"{package} is missing: {sys.executable} -m pip install -r {requirements}")


def prepare(kiln, scratch):
    """Trains and exports the model; the body of a request."""
    draw = random.Random(20250601)
    lines = [",".join([*COLUMNS, "y"])]
    for _ in range(2000):
        row = [draw.gauss(0, 1) for _ in COLUMNS]
        lines.append(",".join([*(f"{x:.4f}" for x in row), "yes" if sum(row) > 0 else "no"]))
    (scratch / "t.csv").write_text("\n".join(lines) + "\n")
    environment = dict(os.environ, KILN_PYTHON=sys.executable)
    for words in (
        "train t.csv --target y --preset fast --numeric-bins 0 --hidden 128,128 --epochs 3 -q -o t.safetensors",
        "export t.safetensors --format onnx --inputs matrix -o t.onnx",
    ):
        command = [Path(kiln).resolve(), *words.split()]
        subprocess.run(command, cwd=scratch, env=environment, check=True, stdout=subprocess.DEVNULL)
    row = {name: round(draw.gauss(0, 1), 4) for name in COLUMNS}
    body = json.dumps({"rows": [row]})
    (scratch / "post.lua").write_text(
        "wrk.method = 'POST'\n"
        "wrk.headers['Content-Type'] = 'application/json'\n"
        f"wrk.body = [[{body}]]\n"
    )
    return body.encode()


@contextmanager
def served(side, args, scratch):
    """A server that answers, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if side == "kiln":
        command = [args.kiln, "serve", scratch / "t.safetensors", "--listen", f"127.0.0.1:{port}"]
    else:
        command = [sys.executable, "-m", "uvicorn", "serve:app", "--app-dir", HERE / "python"]
        command += ["--port", str(port), "--workers", str(args.workers), "--loop", "uvloop"]
        command += ["--http", "httptools", "--no-access-log", "--log-level", "error"]
    environment = dict(os.environ, MODEL=str(scratch / "t.onnx"))
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/v1/predict"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{side} does not serve: {' '.join(map(str, command))}")
                time.sleep(0.1)
        yield server, url
    finally:
        server.terminate()
        server.wait()


def ask(url, body):
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)["predictions"][0]


def agree(answers):
    kiln, python = answers["kiln"], answers["python"]
    pairs = zip(kiln["probabilities"], python["probabilities"])
    difference = max(abs(a - b) for a, b in pairs)
    if kiln["class"] != python["class"] or difference > 1e-5:
        sys.exit(f"the servers disagree: {answers}")


def load(server, url, args, scratch):
    """Requests a second, the 99th percentile of latency in ms, errors, and peak memory over time in MiB."""
    command = ["wrk", "-t", "1", "-c", str(args.connections), "-d", f"{args.seconds}s", "--latency"]
    command += ["-s", scratch / "post.lua", url]
    wrk = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    memory = []
    while wrk.poll() is None:
        time.sleep(args.seconds / SAMPLES)
        memory.append(resident(server.pid))
    said = wrk.stdout.read()
    errors = [int(n) for n in re.findall(r"(?:Non-2xx or 3xx responses: |connect |read |write |timeout )(\d+)", said)]
    latency, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    return {
        "requests": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
        "p99": float(latency) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit],
        "errors": sum(errors),
        "memory": memory,
    }


def resident(pid):
    """MiB of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024 + sum(map(resident, children))


def report(measured):
    for side, runs in measured.items():
        print(
            f"{side}: {spread([run['requests'] for run in runs], '.0f')} requests/s, "
            f"p99 {spread([run['p99'] for run in runs], '.2f')} ms, "
            f"{sum(run['errors'] for run in runs)} errors, memory from "
            f"{min(run['memory'][0] for run in runs):.0f} to {max(max(run['memory']) for run in runs):.0f} MiB"
        )
    if len(measured) == 2:
        pairs = zip(measured["kiln"], measured["python"])
        print(f"ratio: {spread([a['requests'] / b['requests'] for a, b in pairs], '.1f')}")


def spread(values, form):
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:{form}} ({low:{form}}..{high:{form}})"


if __name__ == "__main__":
    main()
