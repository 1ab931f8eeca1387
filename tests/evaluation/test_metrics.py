import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import balanced_accuracy_score

from frostline.evaluation.metrics import balanced_accuracy, score

CLASSES = 3


@st.composite
def predictions(draw):
    count = draw(st.integers(1, 30))
    labels = draw(arrays(np.int64, count, elements=st.integers(0, CLASSES - 1)))
    raw = draw(arrays(np.float32, (count, CLASSES), elements=st.floats(0.0078125, 1, width=32)))
    return labels, raw / raw.sum(axis=1, keepdims=True)


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
    assert metrics["log_loss"] == pytest.approx(-(6 * math.log(0.8) + 2 * math.log(0.1)) / 8)
    assert metrics["confusion_matrix"] == [[3, 1, 0], [1, 1, 0], [0, 0, 2]]
    assert metrics["per_class"]["b"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "images": 2}


def test_a_class_without_images_counts_for_nothing_in_balanced_accuracy():
    metrics = score(np.array([0, 0, 1]), one_hot([0, 0, 2]), ["a", "b", "c"])
    assert metrics["balanced_accuracy"] == 0.5
    assert metrics["per_class"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "images": 0}


def test_certain_and_wrong_is_a_large_loss_but_a_finite_one():
    assert 10 < score(np.array([0, 1]), one_hot([1, 0]), ["a", "b", "c"])["log_loss"] < math.inf


@given(predictions())
def test_balanced_accuracy_is_scikit_learns(case):
    labels, probabilities = case
    expected = balanced_accuracy_score(labels, probabilities.argmax(axis=1))
    assert balanced_accuracy(labels, probabilities) == pytest.approx(expected)


@given(predictions())
def test_metrics_agree_with_one_another(case):
    labels, probabilities = case
    metrics = score(labels, probabilities, ["a", "b", "c"])
    matrix = np.array(metrics["confusion_matrix"])
    assert matrix.sum() == metrics["images"] == len(labels)
    assert metrics["accuracy"] == pytest.approx(np.trace(matrix) / matrix.sum())
    assert [row["images"] for row in metrics["per_class"].values()] == matrix.sum(axis=1).tolist()
    assert all(0 <= metrics[name] <= 1 for name in ("accuracy", "balanced_accuracy", "macro_f1"))


@given(predictions(), st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(case, random):
    labels, probabilities = case
    order = list(range(len(labels)))
    random.shuffle(order)
    before, after = (score(labels[o], probabilities[o], ["a", "b", "c"]) for o in (slice(None), order))
    assert before["confusion_matrix"] == after["confusion_matrix"]
    assert before["log_loss"] == pytest.approx(after["log_loss"])
