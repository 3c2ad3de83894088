"""Predicts the rows of a problem with onnxruntime on the CPU: onnx_predict.py FOLDER CALLS."""

import statistics
import sys
import time

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from problem import Problem, answer


def network(problem):
    """The network as ONNX, bytes."""
    nodes, constants, x = [], [], "features"
    layers = problem.weights()
    for i, parameters in enumerate(layers):
        names = [f"weights_{i}", f"biases_{i}"]
        constants += map(numpy_helper.from_array, parameters, names)
        last = i + 1 == len(layers)
        y = "logits" if last else f"sums_{i}"
        nodes.append(helper.make_node("Gemm", [x, *names], [y]))
        if not last:
            nodes.append(helper.make_node("Relu", [y], [f"hidden_{i}"]))
            x = f"hidden_{i}"
    ends = zip(["features", "logits"], [problem.layers[0], problem.layers[-1]])
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", width])
        for name, width in ends
    ]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], constants)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def median_seconds(call, times):
    call()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main(folder, calls):
    problem = Problem(folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = problem.threads
    session = onnxruntime.InferenceSession(
        network(problem), options, providers=["CPUExecutionProvider"]
    )
    features, _ = problem.rows("test")

    def predict(rows):
        return session.run(None, {"features": rows})[0]

    seconds = median_seconds(lambda: predict(features), calls)
    row = features[:1]
    difference = np.abs(predict(features).ravel() - problem.floats("logits")).max()
    answer(
        rows_per_second=len(features) / seconds,
        one_row_microseconds=1e6 * median_seconds(lambda: predict(row), 100 * calls),
        difference=float(difference),
        version=onnxruntime.__version__,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
