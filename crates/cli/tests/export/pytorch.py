"""Runs exported Sequentials by PyTorch.

    pytorch.py < models.json

The models are a JSON list of {"file", "usage", "features"}: the lines of Python that `kiln export` printed, and rows of
preprocessed features. Prints a JSON list of the rows of logits, or of the probabilities of several networks. Exits with 77 if PyTorch is not there.
"""

import json
import sys

try:
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file
    from torch import nn
except ImportError as error:
    print(f"skipped: {sys.executable} has no {error.name}", file=sys.stderr)
    sys.exit(77)

logits = []
for given in json.load(sys.stdin):
    features = torch.tensor(given["features"])
    names = {"torch": torch, "nn": nn, "load_file": load_file, "features": features, "x": features}
    exec("\n".join(given["usage"]), names)
    with safe_open(given["file"], framework="pt") as file:
        metadata = file.metadata()
    width = len(json.loads(metadata["features"]))
    assert features.shape[1] == width, f"{features.shape} features, expected {width} columns"
    assert str(eval(metadata["torch"])) == str(names["model"])
    assert json.loads(metadata["kiln"])["temperature"] == 1.7
    with torch.no_grad():
        several = isinstance(names["model"], nn.ModuleList)
        logits.append((names["probabilities"] if several else names["model"](names["x"])).tolist())
json.dump(logits, sys.stdout)
