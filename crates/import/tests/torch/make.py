"""Writes the files beside it: what PyTorch saves, and the same tensors as safetensors.

    pip install torch safetensors numpy
    python crates/import/tests/torch/make.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

folder = Path(__file__).parent
torch.manual_seed(7)

# A layer whose weight is a transposed view, one of half precision, two views of one storage, counters of a
# normalization, and f64.
model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 2))
model(torch.randn(32, 3))
state = model.state_dict()
state["0.weight"] = torch.randn(3, 4).t()
state["3.weight"] = state["3.weight"].to(torch.bfloat16)
state["3.bias"] = state["3.bias"].half()
shared = torch.randn(5, 4)
state["4.weight"], state["4.bias"] = shared[1:3], shared[4, 1:3]
state["1.running_var"] = state["1.running_var"].double()
torch.save(state, folder / "state.pt")
torch.save(dict(state), folder / "protocol4.pt", pickle_protocol=4)
save_file({name: tensor.clone().contiguous() for name, tensor in state.items()}, folder / "state.safetensors")

torch.save(model, folder / "model.pt")
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
torch.save({"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "checkpoint.pt")
torch.save(nn.Linear(2, 1).state_dict(keep_vars=True), folder / "parameters.pt")
torch.save({"0.weight": torch.ones(1, 1).expand(1000, 1000)}, folder / "expanded.pt")
