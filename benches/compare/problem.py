"""What the competitors are given, and the line in which they answer."""

import json
import sys
from pathlib import Path

import numpy as np


class Problem:
    """A folder that the benchmark wrote: the network, its first weights, and rows."""

    def __init__(self, folder):
        self.folder = Path(folder)
        problem = json.loads((self.folder / "problem.json").read_text())
        self.layers = problem["layers"]
        self.batch_size = problem["batch_size"]
        self.threads = problem["threads"]

    def rows(self, part):
        """Features [rows, inputs] and classes [rows] of `train` or `test`."""
        labels = np.fromfile(self.folder / f"{part}_labels.u32", "<u4").astype(np.int32)
        return self.floats(f"{part}_features").reshape(len(labels), -1), labels

    def weights(self):
        """Weights [inputs, outputs] and biases [outputs] of each layer."""
        numbers, layers = self.floats("weights"), []
        for inputs, outputs in zip(self.layers, self.layers[1:]):
            weights, biases, numbers = np.split(numbers, [inputs * outputs, (inputs + 1) * outputs])
            layers.append((weights.reshape(inputs, outputs), biases))
        return layers

    def floats(self, name):
        return np.fromfile(self.folder / f"{name}.f32", "<f4")


def orders(rows):
    """The order in which each epoch visits the rows."""
    draw = np.random.default_rng(0)
    while True:
        yield draw.permutation(np.arange(rows, dtype=np.int32))


def answer(**measured):
    json.dump(measured, sys.stdout)
    print()
