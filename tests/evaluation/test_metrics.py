import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as scikit

from frostline.evaluation.metrics import METRICS, measure, score

CLASSES = 3


@st.composite
def predictions(draw):
    count = draw(st.integers(1, 30))
    labels = draw(arrays(np.int64, count, elements=st.integers(0, CLASSES - 1)))
    raw = draw(arrays(np.float32, (count, CLASSES), elements=st.floats(0.0078125, 1, width=32)))
    return labels, raw / raw.sum(axis=1, keepdims=True)


@st.composite
def resampled(draw):
    """Labels with every class in them, probabilities with ties, and how often each image was drawn."""
    count = draw(st.integers(CLASSES, 30))
    labels = np.concatenate([np.arange(CLASSES), draw(arrays(np.int64, count, elements=st.integers(0, CLASSES - 1)))])
    kinds = np.array([*itertools.permutations([0.625, 0.25, 0.125]), *itertools.permutations([0.5, 0.25, 0.25])])
    chosen = draw(arrays(np.int64, len(labels), elements=st.integers(0, len(kinds) - 1)))
    counts = draw(arrays(np.int64, len(labels), elements=st.integers(0, 3)))
    counts[:CLASSES] = 1
    return labels, kinds[chosen], counts


def one_hot(predicted: list[int], confidence: float = 1.0) -> np.ndarray:
    rest = (1 - confidence) / (CLASSES - 1)
    return np.where(np.eye(CLASSES)[predicted] == 1, confidence, rest).astype(np.float32)


def test_known_counts():
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    metrics = score(labels, one_hot([0, 0, 0, 1, 1, 0, 2, 2], 0.8), ["a", "b", "c"])
    assert metrics["images"] == 8
    assert metrics["accuracy"] == 6 / 8
    assert metrics["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2 + 1) / 3)
    assert metrics["macro_f1"] == pytest.approx((3 / 4 + 1 / 2 + 1) / 3)
    assert metrics["log_loss"] == pytest.approx(-(6 * math.log(0.8) + 2 * math.log(0.1)) / 8, rel=1e-6)
    assert metrics["calibration_error"] == pytest.approx(0.8 - 6 / 8, rel=1e-6)
    assert metrics["confusion_matrix"] == [[3, 1, 0], [1, 1, 0], [0, 0, 2]]
    assert metrics["per_class"]["b"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "images": 2}


def test_a_class_without_images_counts_for_nothing_in_balanced_accuracy():
    metrics = score(np.array([0, 0, 1]), one_hot([0, 0, 2]), ["a", "b", "c"])
    assert metrics["balanced_accuracy"] == 0.5
    assert metrics["per_class"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "images": 0}


def test_certain_and_wrong_is_a_large_loss_but_a_finite_one():
    assert 10 < score(np.array([0, 1]), one_hot([1, 0]), ["a", "b", "c"])["log_loss"] < math.inf


def test_an_area_that_is_not_defined_is_none():
    assert score(np.array([1, 1]), one_hot([1, 0]), ["a", "b", "c"])["roc_auc"] is None


@given(resampled())
@settings(deadline=None)
def test_a_resample_has_the_metrics_that_scikit_learn_gives_its_images(case):
    labels, probabilities, counts = case
    named = probabilities.argmax(axis=1)
    truth = np.eye(CLASSES)[labels]
    weighted = {"sample_weight": counts}
    expected = {
        "accuracy": scikit.accuracy_score(labels, named, **weighted),
        "balanced_accuracy": scikit.balanced_accuracy_score(labels, named, **weighted),
        "macro_f1": scikit.f1_score(labels, named, average="macro", zero_division=0, **weighted),
        "roc_auc": scikit.roc_auc_score(truth, probabilities, **weighted),
        "average_precision": scikit.average_precision_score(truth, probabilities, **weighted),
        "log_loss": scikit.log_loss(labels, probabilities, **weighted),
    }
    weights = np.stack([counts, np.ones_like(counts)]).astype(np.float64)
    for metric, value in expected.items():
        assert METRICS[metric](labels, probabilities, weights)[0] == pytest.approx(value), metric
        assert METRICS[metric](labels, probabilities, weights)[1] == pytest.approx(
            measure(metric, labels, probabilities)
        )


@given(predictions())
def test_metrics_agree_with_one_another(case):
    labels, probabilities = case
    metrics = score(labels, probabilities, ["a", "b", "c"])
    matrix = np.array(metrics["confusion_matrix"])
    assert matrix.sum() == metrics["images"] == len(labels)
    assert metrics["accuracy"] == pytest.approx(np.trace(matrix) / matrix.sum())
    assert [row["images"] for row in metrics["per_class"].values()] == matrix.sum(axis=1).tolist()
    assert all(0 <= metrics[name] <= 1 for name in ("accuracy", "balanced_accuracy", "macro_f1", "calibration_error"))


@given(predictions(), st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(case, random):
    labels, probabilities = case
    order = list(range(len(labels)))
    random.shuffle(order)
    before, after = (score(labels[o], probabilities[o], ["a", "b", "c"]) for o in (slice(None), order))
    assert before["confusion_matrix"] == after["confusion_matrix"]
    for metric in METRICS:
        assert before[metric] == pytest.approx(after[metric], abs=1e-12), metric
