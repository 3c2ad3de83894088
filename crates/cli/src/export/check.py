"""Runs an ONNX graph by onnxruntime, for `kiln export`.

    check.py GRAPH < inputs.json

The inputs are a JSON object of {"type": "double" | "string", "shape", "values"} by name; null is NaN. Prints a
JSON object of the engine, the decisions and the probabilities. Exits with 77 if onnxruntime is not there.
"""

import json
import sys

try:
    import numpy as np
    import onnxruntime
except ImportError as error:
    print(f"{sys.executable} has no {error.name}", file=sys.stderr)
    sys.exit(77)

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
inputs = {}
for name, given in json.load(sys.stdin).items():
    values = np.array(given["values"], dtype=np.float64 if given["type"] == "double" else object)
    inputs[name] = values.reshape(given["shape"])
decisions, probabilities = session.run(None, inputs)
result = {
    "engine": f"onnxruntime {onnxruntime.__version__}",
    "decisions": decisions.tolist(),
    "probabilities": probabilities.tolist(),
}
json.dump(result, sys.stdout)
