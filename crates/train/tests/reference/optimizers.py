"""Makes optimizers.json: where PyTorch's optimizers take five weights under a fixed sequence of gradients.

Run with: python optimizers.py (needs torch; written with 2.15.0). Everything is float64 and fixed,
so a second run writes the same bytes.
"""

import json
import math
from pathlib import Path

import torch

STEPS = 6
RATE = 0.1
START = [0.5, -1.0, 2.0, -0.25, 0.75]


def gradient(step):
    return [math.sin(1.0 + 0.7 * step + 1.3 * i) * (i + 1) for i in range(len(START))]


def run(make, clip=None):
    weights = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = make([weights])
    path = []
    for step in range(STEPS):
        weights.grad = torch.tensor(gradient(step), dtype=torch.float64)
        if clip:
            torch.nn.utils.clip_grad_norm_([weights], clip)
        optimizer.step()
        path.append(weights.detach().tolist())
    return path


o = torch.optim
runs = {
    "sgd": run(lambda p: o.SGD(p, RATE)),
    "momentum": run(lambda p: o.SGD(p, RATE, momentum=0.9)),
    "nesterov": run(lambda p: o.SGD(p, RATE, momentum=0.9, nesterov=True)),
    "sgd_decay": run(lambda p: o.SGD(p, RATE, momentum=0.9, weight_decay=0.05)),
    "sgd_norm_1": run(lambda p: o.SGD(p, RATE), clip=1.0),
    "adam": run(lambda p: o.Adam(p, RATE)),
    "adam_decay": run(lambda p: o.Adam(p, RATE, weight_decay=0.05)),
    "adamw": run(lambda p: o.AdamW(p, RATE)),
    "rmsprop": run(lambda p: o.RMSprop(p, RATE)),
    "adagrad": run(lambda p: o.Adagrad(p, RATE)),
}
result = {
    "versions": {"torch": torch.__version__.split("+")[0]},
    "learning_rate": RATE,
    "start": START,
    "gradients": [gradient(step) for step in range(STEPS)],
    "paths": runs,
}
Path(__file__).with_name("optimizers.json").write_text(json.dumps(result, indent=1) + "\n")
