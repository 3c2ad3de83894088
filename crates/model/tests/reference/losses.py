"""Reference numbers for the three losses, from PyTorch and Keras.

Run, from anywhere:

    python -m venv venv
    venv/bin/pip install numpy==2.4.6 torch==2.15.0 jax==0.10.2 keras==3.15.1
    venv/bin/python crates/model/tests/reference/losses.py

It writes `losses.json` beside itself. Nothing is random: a second run with the versions above
writes the same bytes. Everything is computed in float64. All inputs except the smoothing factor
are exact in float32, so a float32 implementation is given the same problem.

What is computed, for logits z, targets t, label smoothing a, class weights w, row weights r:

    categorical  l_i = -sum_c w_c t'_ic log softmax(z_i)_c              t' = (1 - a) t + a / K
    sparse       the same, t being the one-hot row of the class index
    binary       l_i = mean over the L labels of
                 -(p w_pos t' log sigmoid(z) + w_neg (1 - t') log sigmoid(-z))
                                                                        t' = (1 - a) t + a / 2
    mean         sum_i r_i l_i / sum_i r_i
    gradient     d mean / d z

`p` is `pos_weight`, one per label. Binary class weights are [w_neg, w_pos] for one label; for
several labels they are one per label, and multiply the label's whole term.

The losses are the libraries' own functions. Only what a library lacks is done to its inputs:
PyTorch has no label smoothing for binary targets (the targets are smoothed before the call) and no
pair of weights for the two classes of one label (w_neg goes in as `weight`, p w_pos / w_neg as
`pos_weight`). Keras weighs classes by weighing rows, so it is asked only where a row has one class.
Keras on JAX averages in float32 even when floatx is float64 (`keras.ops.mean`, Keras 3.15.1), and
`BinaryCrossentropy` ends in that average over the labels. So `keras.ops.binary_crossentropy`, the
terms behind it, is averaged here in float64, and the loss itself must agree to float32 precision.
"""

import json
import math
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import keras
import torch
import torch.nn.functional as F

keras.config.set_floatx("float64")

HUGE = 1e9
AGREEMENT = 1e-9
FLOAT32_AGREEMENT = 1e-6


def torch_losses(case, logits):
    """One loss per row, `[rows]`."""
    smoothing = case["label_smoothing"]
    weights = case["class_weights"]
    weights = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    if case["loss"] == "binary":
        targets = torch.tensor(case["targets"], dtype=torch.float64)
        targets = (1 - smoothing) * targets + smoothing / 2
        positive = case["pos_weight"]
        positive = None if positive is None else torch.tensor(positive, dtype=torch.float64)
        if weights is not None and logits.shape[1] == 1:
            ratio = weights[1:] / weights[:1]
            positive = ratio if positive is None else positive * ratio
            weights = weights[:1]
        terms = F.binary_cross_entropy_with_logits(
            logits, targets, weight=weights, pos_weight=positive, reduction="none"
        )
        return terms.mean(dim=1)
    dtype = torch.int64 if case["loss"] == "sparse" else torch.float64
    targets = torch.tensor(case["targets"], dtype=dtype)
    return F.cross_entropy(
        logits, targets, weight=weights, label_smoothing=smoothing, reduction="none"
    )


def torch_reference(case):
    logits = torch.tensor(case["logits"], dtype=torch.float64, requires_grad=True)
    per_row = torch_losses(case, logits)
    rows = torch.tensor(case["row_weights"] or [1.0] * len(per_row), dtype=torch.float64)
    mean = (rows * per_row).sum() / rows.sum()
    mean.backward()
    return numbers(per_row.tolist(), mean.item(), logits.grad.tolist())


def keras_absent(case):
    """Why Keras's losses cannot express the case, or None where they can."""
    if case["loss"] == "sparse" and case["label_smoothing"]:
        return "SparseCategoricalCrossentropy has no label smoothing"
    if case["pos_weight"]:
        return "BinaryCrossentropy has no pos_weight"
    if case["class_weights"] is None:
        return None
    if case["loss"] == "binary" and len(case["logits"][0]) > 1:
        return "class weights in Keras weigh rows, and these rows have several labels"
    if case["label_smoothing"]:
        return "class weights in Keras weigh rows, not the smoothed target's terms"
    if case["loss"] != "sparse" and any(t not in (0.0, 1.0) for r in case["targets"] for t in r):
        return "class weights in Keras weigh rows, not a soft target's terms"
    return None


def keras_loss(case, reduction):
    options = {"from_logits": True, "reduction": reduction}
    if case["loss"] == "sparse":
        return keras.losses.SparseCategoricalCrossentropy(**options)
    options["label_smoothing"] = case["label_smoothing"]
    if case["loss"] == "binary":
        return keras.losses.BinaryCrossentropy(**options)
    return keras.losses.CategoricalCrossentropy(**options)


def keras_reference(case):
    targets, weights = case["targets"], case["class_weights"]
    if case["loss"] == "sparse":
        classes = targets
    elif case["loss"] == "binary":
        classes = [int(row[0]) for row in targets]
    else:
        classes = [row.index(max(row)) for row in targets]
    by_class = None if weights is None else jnp.array([weights[c] for c in classes])
    rows = jnp.array(case["row_weights"] or [1.0] * len(targets))
    targets = jnp.array(targets)

    def losses(logits):
        if case["loss"] != "binary":
            return keras_loss(case, None)(targets, logits, sample_weight=by_class)
        smoothing = case["label_smoothing"]
        smoothed = targets * (1.0 - smoothing) + 0.5 * smoothing
        terms = keras.ops.binary_crossentropy(smoothed, logits, from_logits=True)
        return terms.mean(axis=1) * (1.0 if by_class is None else by_class)

    def mean(logits):
        return (rows * losses(logits)).sum() / rows.sum()

    logits = jnp.array(case["logits"])
    value = float(mean(logits))
    if weights is None:
        # Keras's own weighted mean is the mean defined here.
        own = keras_loss(case, "mean_with_sample_weight")(targets, logits, sample_weight=rows)
        assert math.isclose(value, float(own), rel_tol=FLOAT32_AGREEMENT), case["name"]
    per_row = losses(logits).tolist()
    own = keras_loss(case, None)(targets, logits, sample_weight=by_class).tolist()
    for x, y in zip(per_row, own, strict=True):
        assert math.isclose(x, y, rel_tol=FLOAT32_AGREEMENT), case["name"]
    return numbers(per_row, value, jax.grad(mean)(logits).tolist())


def numbers(per_row, mean, gradient):
    # Adding zero turns -0.0 into 0.0.
    return {
        "per_row": [x + 0.0 for x in per_row],
        "mean": mean + 0.0,
        "gradient": [[x + 0.0 for x in row] for row in gradient],
    }


def flat(reference):
    return reference["per_row"] + [reference["mean"]] + sum(reference["gradient"], [])


def case(name, loss, logits, targets, a=0.0, w=None, p=None, r=None):
    result = {
        "name": name,
        "loss": loss,
        "logits": logits,
        "targets": targets,
        "label_smoothing": a,
        "class_weights": w,
        "pos_weight": p,
        "row_weights": r,
    }
    result["torch"] = torch_reference(result)
    if not all(map(math.isfinite, flat(result["torch"]))):
        result["torch"] = None
        result["torch_absent"] = "not finite"
    reason = keras_absent(result)
    result["keras"] = None if reason else keras_reference(result)
    if result["keras"] and not all(map(math.isfinite, flat(result["keras"]))):
        result["keras"], reason = None, "not finite"
    if reason:
        result["keras_absent"] = reason
    if result["torch"] and result["keras"]:
        for x, y in zip(flat(result["torch"]), flat(result["keras"]), strict=True):
            # The absolute term is for gradients that cancel to nearly nothing.
            assert math.isclose(x, y, rel_tol=AGREEMENT, abs_tol=1e-15), (name, x, y)
    return result


def binary_cases():
    z = [[0.5], [-1.25], [2.0], [-0.375], [3.5], [0.0]]
    t = [[1.0], [0.0], [0.0], [1.0], [1.0], [0.0]]
    soft = [[0.75], [0.125], [0.5], [1.0], [0.0], [0.25]]
    w, p, r = [0.5, 2.0], [3.0], [1.0, 0.25, 2.0, 0.0, 4.0, 0.5]
    huge = [[HUGE], [-HUGE], [HUGE], [-HUGE], [0.5]]
    huge_t = [[1.0], [0.0], [0.0], [1.0], [1.0]]
    return [
        case("binary_plain", "binary", z, t),
        case("binary_smoothed", "binary", z, t, a=0.1),
        case("binary_class_weights", "binary", z, t, w=w),
        case("binary_row_weights", "binary", z, t, r=r),
        case("binary_class_and_row_weights", "binary", z, t, w=w, r=r),
        case("binary_pos_weight", "binary", z, t, p=p),
        case("binary_pos_class_and_row_weights", "binary", z, t, w=w, p=p, r=r),
        case("binary_smoothed_all_weights", "binary", z, t, a=0.1, w=w, p=p, r=r),
        case("binary_smoothed_class_and_row_weights", "binary", z, t, a=0.1, w=w, r=r),
        case("binary_soft_targets", "binary", z, soft),
        case("binary_soft_targets_smoothed_all_weights", "binary", z, soft, a=0.1, w=w, p=p, r=r),
        case("binary_smoothed_to_one_half", "binary", z, t, a=1.0),
        case("binary_extreme", "binary", huge, huge_t),
        case("binary_extreme_right", "binary", huge[:2], huge_t[:2]),
        case("binary_extreme_wrong", "binary", huge[2:4], huge_t[2:4]),
        case("binary_extreme_smoothed", "binary", huge, huge_t, a=0.1),
        case("binary_extreme_class_weights", "binary", huge, huge_t, w=w),
        case("binary_extreme_smoothed_all_weights", "binary", huge, huge_t, a=0.1, w=w, p=p,
             r=r[:5]),
        case("binary_extreme_soft_targets", "binary", huge, soft[:5]),
        case("binary_all_negative", "binary", z, [[0.0]] * 6),
        case("binary_all_positive", "binary", z, [[1.0]] * 6),
        case("binary_all_negative_all_weights", "binary", z, [[0.0]] * 6, w=w, p=p, r=r),
        case("binary_batch_of_one", "binary", [[0.75]], [[1.0]]),
        case("binary_batch_of_one_all_weights", "binary", [[0.75]], [[1.0]], a=0.1, w=w, p=p,
             r=[4.0]),
    ]


def multi_label_cases():
    z = [[0.5, -1.0, 2.0], [-0.25, 0.0, 1.5], [3.0, -2.5, -0.75], [-1.125, 0.875, 0.25]]
    t = [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    soft = [[0.75, 0.25, 1.0], [0.5, 0.0, 0.125], [1.0, 0.875, 0.25], [0.0, 0.5, 0.625]]
    w, p, r = [0.5, 1.0, 2.5], [2.0, 1.0, 0.25], [0.5, 1.0, 3.0, 0.0]
    huge = [[HUGE, -HUGE, 0.5], [-HUGE, HUGE, -0.5], [HUGE, HUGE, HUGE]]
    huge_t = [[1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 1.0]]
    return [
        case("multi_label_plain", "binary", z, t),
        case("multi_label_smoothed", "binary", z, t, a=0.1),
        case("multi_label_pos_weight", "binary", z, t, p=p),
        case("multi_label_class_weights", "binary", z, t, w=w),
        case("multi_label_row_weights", "binary", z, t, r=r),
        case("multi_label_class_and_row_weights", "binary", z, t, w=w, r=r),
        case("multi_label_smoothed_all_weights", "binary", z, t, a=0.1, w=w, p=p, r=r),
        case("multi_label_soft_targets", "binary", z, soft),
        case("multi_label_soft_targets_all_weights", "binary", z, soft, w=w, p=p, r=r),
        case("multi_label_extreme", "binary", huge, huge_t),
        case("multi_label_extreme_smoothed_all_weights", "binary", huge, huge_t, a=0.1, w=w, p=p,
             r=r[:3]),
        case("multi_label_batch_of_one", "binary", z[:1], t[:1]),
    ]


def class_cases():
    z = [
        [1.0, 2.0, 0.5],
        [-0.5, 0.25, 3.0],
        [0.0, 0.0, 0.0],
        [2.5, -1.5, 0.75],
        [-2.0, -0.125, -1.0],
    ]
    index = [1, 2, 0, 2, 1]
    soft = [[0.25, 0.5, 0.25], [0.0, 0.125, 0.875], [1.0, 0.0, 0.0], [0.375, 0.375, 0.25],
            [0.0, 0.75, 0.25]]
    w, r = [0.5, 1.0, 3.0], [1.0, 0.25, 2.0, 4.0, 0.0]
    huge = [
        [HUGE, 0.0, -HUGE],
        [-HUGE, HUGE, 0.0],
        [HUGE, -HUGE, -HUGE],
        [HUGE, HUGE, -HUGE],
        [-HUGE, -HUGE, -HUGE],
    ]
    huge_index = [0, 0, 2, 1, 1]

    def one_hot(classes, width=3):
        return [[float(c == k) for k in range(width)] for c in classes]

    cases = []
    for loss in ("categorical", "sparse"):
        def targets(classes, width=3):
            return one_hot(classes, width) if loss == "categorical" else classes

        def add(name, z, t, **options):
            cases.append(case(f"{loss}_{name}", loss, z, t, **options))

        t, huge_t = targets(index), targets(huge_index)
        add("plain", z, t)
        add("smoothed", z, t, a=0.1)
        add("class_weights", z, t, w=w)
        add("zero_class_weight", z, t, w=[1.0, 0.0, 2.0])
        add("row_weights", z, t, r=r)
        add("class_and_row_weights", z, t, w=w, r=r)
        add("smoothed_class_weights", z, t, a=0.1, w=w)
        add("smoothed_class_and_row_weights", z, t, a=0.1, w=w, r=r)
        add("smoothed_to_uniform", z, t, a=1.0)
        if loss == "categorical":
            add("soft_targets", z, soft)
            add("soft_targets_smoothed", z, soft, a=0.1)
            add("soft_targets_class_weights", z, soft, w=w)
            add("soft_targets_row_weights", z, soft, r=r)
            add("soft_targets_smoothed_class_and_row_weights", z, soft, a=0.1, w=w, r=r)
        add("extreme", huge, huge_t)
        add("extreme_right", huge[:1] + [[-HUGE, HUGE, -HUGE]], targets([0, 1]))
        add("extreme_wrong", huge[1:3], targets(huge_index[1:3]))
        add("extreme_smoothed", huge, huge_t, a=0.1)
        add("extreme_class_and_row_weights", huge, huge_t, w=w, r=r)
        add("extreme_smoothed_class_and_row_weights", huge, huge_t, a=0.1, w=w, r=r)
        if loss == "categorical":
            add("extreme_soft_targets", huge, soft)
        one, first = [[0.5], [-2.0], [HUGE]], targets([0, 0, 0], 1)
        add("one_class", one, first)
        add("one_class_smoothed_weighted", one, first, a=0.1, w=[2.0], r=[1.0, 0.5, 2.0])
        add("two_classes", [row[:2] for row in z], targets([1, 0, 0, 1, 1], 2))
        add("one_class_present", z, targets([1] * 5))
        add("batch_of_one", z[:1], t[:1])
        add("batch_of_one_smoothed_class_and_row_weights", z[:1], t[:1], a=0.1, w=w, r=[4.0])
    return cases


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
    cases = binary_cases() + multi_label_cases() + class_cases()
    assert len({c["name"] for c in cases}) == len(cases)
    versions = {
        "torch": torch.__version__.split("+")[0],
        "keras": keras.__version__,
        "jax": jax.__version__,
    }
    text = pretty({"versions": versions, "cases": cases}) + "\n"
    (Path(__file__).parent / "losses.json").write_text(text)
    both = sum(c["torch"] is not None and c["keras"] is not None for c in cases)
    print(f"{len(cases)} cases, {both} of them from both libraries, which agree to {AGREEMENT}")
