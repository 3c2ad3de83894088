"""Trains the network of a problem with PyTorch on the CPU: torch_train.py FOLDER EPOCHS."""

import sys
import time
from itertools import pairwise

import torch
from torch import nn

from problem import Problem, answer, orders


def network(problem):
    modules = []
    for (inputs, outputs), (weights, biases) in zip(pairwise(problem.layers), problem.weights()):
        linear = nn.Linear(inputs, outputs)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weights.T))
            linear.bias.copy_(torch.from_numpy(biases))
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def main(folder, epochs):
    problem = Problem(folder)
    torch.set_num_threads(problem.threads)
    features, classes = map(torch.from_numpy, problem.rows("train"))
    classes = classes.long()
    model = network(problem)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    order = orders(len(classes))

    def train_epoch():
        for rows in torch.from_numpy(next(order)).split(problem.batch_size):
            loss = nn.functional.cross_entropy(model(features[rows]), classes[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    train_epoch()
    start = time.perf_counter()
    for _ in range(epochs):
        train_epoch()
    seconds = time.perf_counter() - start

    features, labels = map(torch.from_numpy, problem.rows("test"))
    with torch.no_grad():
        right = model(features).argmax(dim=1) == labels
    answer(
        rows_per_second=epochs * len(classes) / seconds,
        test_accuracy=right.float().mean().item(),
        version=torch.__version__,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
