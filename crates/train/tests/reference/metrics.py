"""Reference numbers for the metrics, from scikit-learn.

Run, from anywhere:

    python -m venv venv
    venv/bin/pip install numpy==2.4.6 scikit-learn==1.9.1
    venv/bin/python crates/train/tests/reference/metrics.py

It writes `metrics.json` beside itself. The random problems come from a fixed seed: a second run
with the versions above writes the same bytes. `null` stands for a metric that is not defined.

scikit-learn has no expected calibration error: that one is computed here, with numpy, from its
definition. Its macro average of one-vs-rest curves fails where a class does not occur; here it is
the mean of the binary metric over the classes for which that metric is defined.
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn import metrics

BINS = [1, 5, 10, 15]


def roc_auc(scores, positive):
    if positive.all() or not positive.any():
        return None
    return metrics.roc_auc_score(positive, scores)


def pr_auc(scores, positive):
    return metrics.average_precision_score(positive, scores) if positive.any() else None


def macro_ovr(metric, scores, actual):
    values = [metric(scores[:, c], actual == c) for c in range(scores.shape[1])]
    values = [v for v in values if v is not None]
    return float(np.mean(values)) if values else None


def expected_calibration_error(confidence, correct, bins):
    """Equal-width bins (lower, upper]; the first holds 0 too."""
    inner_edges = np.arange(1, bins) / bins
    bin_of = np.searchsorted(inner_edges, confidence, side="left")
    error = 0.0
    for b in range(bins):
        held = bin_of == b
        if held.any():
            error += held.mean() * abs(correct[held].mean() - confidence[held].mean())
    return error


def calibration(confidence, correct):
    return [[bins, float(expected_calibration_error(confidence, correct, bins))] for bins in BINS]


def multiclass(name, probabilities, actual):
    probabilities, actual = np.asarray(probabilities), np.asarray(actual)
    rows, num_classes = probabilities.shape
    labels = list(range(num_classes))
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        actual, predicted, labels=labels, zero_division=0
    )
    # How ties are broken is each implementation's choice, and two classes scikit-learn refuses.
    tied = any(len(set(row)) < num_classes for row in probabilities.tolist())
    return {
        "name": name,
        "num_classes": num_classes,
        "probabilities": probabilities.ravel().tolist(),
        "actual": actual.tolist(),
        "predicted": predicted.tolist(),
        "confusion": metrics.confusion_matrix(actual, predicted, labels=labels).tolist(),
        "accuracy": metrics.accuracy_score(actual, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(actual, predicted),
        "macro_f1": metrics.f1_score(actual, predicted, average="macro", zero_division=0),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.astype(int).tolist(),
        "top_k_accuracy": None
        if tied or num_classes == 2
        else [
            metrics.top_k_accuracy_score(actual, probabilities, k=k, labels=labels)
            for k in range(1, num_classes + 1)
        ],
        "macro_roc_auc": macro_ovr(roc_auc, probabilities, actual),
        "macro_pr_auc": macro_ovr(pr_auc, probabilities, actual),
        "log_loss": metrics.log_loss(actual, probabilities, labels=labels),
        "brier": metrics.brier_score_loss(
            actual, probabilities, labels=labels, scale_by_half=False
        ),
        "calibration": calibration(probabilities.max(axis=1), predicted == actual),
    }


def binary(name, scores, positive):
    scores, positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    probabilities = scores.min() >= 0 and scores.max() <= 1
    predicted = scores > 0.5
    confidence = np.where(predicted, scores, 1 - scores)
    return {
        "name": name,
        "scores": scores.tolist(),
        "positive": positive.tolist(),
        "roc_auc": roc_auc(scores, positive),
        "pr_auc": pr_auc(scores, positive),
        "brier": metrics.brier_score_loss(positive, scores, pos_label=True, labels=[False, True])
        if probabilities
        else None,
        "confidence": confidence.tolist() if probabilities else None,
        "calibration": calibration(confidence, predicted == positive) if probabilities else None,
    }


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def multiclass_cases():
    rng = np.random.default_rng(7)
    actual = rng.integers(0, 4, size=60)
    random = softmax(1.5 * np.eye(4)[actual] + rng.normal(size=(60, 4)))
    few = np.where(actual == 2, 0, actual)
    never_predicted = random.copy()
    never_predicted[:, 3] *= 1e-3
    never_predicted /= never_predicted.sum(axis=1, keepdims=True)
    # Sixteenths: sums to one exactly, and many scores are equal.
    tied = rng.multinomial(16, [0.25] * 4, size=60) / 16
    three = [0, 1, 2, 1, 0]
    return [
        multiclass("random", random, actual),
        multiclass("one_class_absent", random, few),
        multiclass("one_class_never_predicted", never_predicted, actual),
        multiclass("one_class_neither_actual_nor_predicted", never_predicted,
                   np.where(actual == 3, 1, actual)),
        multiclass("one_class_only", random, np.full(60, 1)),
        multiclass("ties", tied, actual),
        multiclass("all_tied", np.full((60, 4), 0.25), actual),
        multiclass("perfect", np.eye(3)[three], three),
        multiclass("worst", np.eye(3)[[1, 2, 0, 0, 2]], three),
        multiclass("two_classes", softmax(rng.normal(size=(20, 2))), rng.integers(0, 2, size=20)),
        multiclass("one_row", [[0.2, 0.5, 0.3]], [2]),
    ]


def binary_cases():
    rng = np.random.default_rng(11)
    positive = rng.random(50) < 0.35
    logits = 1.2 * positive + rng.normal(size=50)
    return [
        binary("random", 1 / (1 + np.exp(-logits)), positive),
        binary("logits", logits, positive),
        binary("ties", np.round(rng.random(50), 1), positive),
        binary("all_tied", np.full(50, 0.5), positive),
        binary("huge_logits", np.sign(logits) * 1e9, positive),
        binary("signed_zeros", [0.0, -0.0, 0.0, -0.0, 0.5], [True, False, False, True, True]),
        binary("perfect", [0.0, 0.0, 1.0, 1.0, 1.0], [False, False, True, True, True]),
        binary("worst", [1.0, 1.0, 0.0, 0.0, 0.0], [False, False, True, True, True]),
        binary("one_positive", [0.1, 0.9, 0.4, 0.4], [False, False, True, False]),
        binary("no_positives", rng.random(10), [False] * 10),
        binary("no_negatives", rng.random(10), [True] * 10),
        binary("one_row_positive", [0.25], [True]),
        binary("one_row_negative", [0.25], [False]),
        binary("bin_edges", np.arange(11) / 10, [i % 3 == 0 for i in range(11)]),
    ]


def plain(value):
    """Numpy's numbers as Python's, and -0.0 as it is."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    assert not isinstance(value, float) or math.isfinite(value)
    return value


def pretty(value, indent=0):
    """JSON with one line to a key, lists of numbers on that line."""
    pad = "  " * (indent + 1)
    if isinstance(value, dict):
        lines = [f"{pad}{json.dumps(k)}: {pretty(v, indent + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + "  " * indent + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        lines = [pad + pretty(v, indent + 1) for v in value]
        return "[\n" + ",\n".join(lines) + "\n" + "  " * indent + "]"
    return json.dumps(value, allow_nan=False)


if __name__ == "__main__":
    # scikit-learn warns of every case that is degenerate on purpose.
    warnings.filterwarnings("ignore")
    result = {
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
        "multiclass": multiclass_cases(),
        "binary": binary_cases(),
    }
    (Path(__file__).parent / "metrics.json").write_text(pretty(plain(result)) + "\n")
    print(f"{len(result['multiclass'])} multiclass and {len(result['binary'])} binary cases")
