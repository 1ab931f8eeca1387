"""Classification metrics of predicted probabilities, over the test images as they are or as they are resampled.

What scikit-learn computes for one sample (`sample_weight`) is computed here for thousands at once, as their intervals
need it. Each function takes `labels` [N], `probabilities` [N, K] of sum 1 and `weights` [R, N], which say how often
each image is in each of R samples, and gives [R] values.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.data.arrays import Labels, Probabilities
from frostline.evaluation.calibration import calibration_error

__all__ = ["HIGHER_IS_BETTER", "METRICS", "measure", "normalised", "score"]

Values = NDArray[np.float64]
_LEAST = np.finfo(np.float64).eps


def accuracy(labels: Labels, probabilities: Probabilities, weights: Values) -> Values:
    """The share of images whose likeliest class is theirs."""
    return np.asarray(weights @ (probabilities.argmax(axis=1) == labels) / weights.sum(axis=1))


def balanced_accuracy(labels: Labels, probabilities: Probabilities, weights: Values) -> Values:
    """The mean recall over the classes that have images."""
    hits, actual, _ = _tallies(labels, probabilities, weights)
    return np.asarray((hits / np.maximum(actual, 1)).sum(axis=1) / (actual > 0).sum(axis=1))


def macro_f1(labels: Labels, probabilities: Probabilities, weights: Values) -> Values:
    """The mean F1 over all classes; 0 for one that is neither present nor predicted."""
    hits, actual, named = _tallies(labels, probabilities, weights)
    return np.asarray((2 * hits / np.maximum(actual + named, 1)).mean(axis=1))


def roc_auc(labels: Labels, probabilities: Probabilities, weights: Values) -> Values:
    """The area under the ROC curve of each class against the rest, mean over classes; NaN where only one is there."""
    areas = []
    for hits, misses in _by_score(labels, probabilities, weights):
        found = hits.cumsum(axis=1)
        pairs = found[:, -1] * misses.sum(axis=1)
        with np.errstate(invalid="ignore"):
            areas.append((misses * (found - hits / 2)).sum(axis=1) / pairs)
    return _mean_of_defined(areas)


def average_precision(labels: Labels, probabilities: Probabilities, weights: Values) -> Values:
    """The area under the precision-recall steps of each class against the rest, mean over classes that have images."""
    areas = []
    for hits, misses in _by_score(labels, probabilities, weights):
        found, passed = hits.cumsum(axis=1), misses.cumsum(axis=1)
        with np.errstate(invalid="ignore"):
            areas.append((hits * found / np.maximum(found + passed, 1)).sum(axis=1) / found[:, -1])
    return _mean_of_defined(areas)


def log_loss(labels: Labels, probabilities: Probabilities, weights: Values) -> Values:
    """The mean negative natural logarithm of the probability of the right class."""
    likelihood = np.clip(probabilities[np.arange(len(labels)), labels], _LEAST, 1)
    return np.asarray(weights @ -np.log(likelihood) / weights.sum(axis=1))


METRICS: dict[str, Callable[[Labels, Probabilities, Values], Values]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    "calibration_error": calibration_error,
}
HIGHER_IS_BETTER = frozenset(METRICS) - {"log_loss", "calibration_error"}


def measure(metric: str, labels: Labels, probabilities: Probabilities) -> float:
    """One of METRICS over all images.

    Three of one class are right, the only one of the other is not:

    >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    >>> measure("balanced_accuracy", np.array([0, 0, 0, 1]), probabilities)
    0.5
    """
    (value,) = METRICS[metric](labels, normalised(probabilities), np.ones((1, len(labels))))
    return float(value)


def score(labels: Labels, probabilities: Probabilities, classes: Sequence[str]) -> dict[str, Any]:
    """Metrics of `probabilities` [N, C] against integer `labels` [N], as plain numbers.

    `images`; METRICS (None where one is not defined); `per_class`, which maps each name to `precision`, `recall`, `f1`
    and `images`; `confusion_matrix`, a list of C rows (actual) of C counts (predicted). A precision or recall of
    nothing is 0.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    every = list(range(len(classes)))
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, images = precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    measured = {metric: measure(metric, labels, probabilities) for metric in METRICS}
    return {
        "images": len(labels),
        **{metric: value if np.isfinite(value) else None for metric, value in measured.items()},
        "per_class": {
            name: {
                "precision": float(precision[row]),
                "recall": float(recall[row]),
                "f1": float(f1[row]),
                "images": int(images[row]),
            }
            for row, name in enumerate(classes)
        },
        "confusion_matrix": confusion_matrix(labels, predicted, labels=every).tolist(),
    }


def normalised(probabilities: Probabilities) -> Values:
    """In float64 and of sum 1, which float32 misses by rounding."""
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True, dtype=np.float64))


def _tallies(labels: Labels, probabilities: Probabilities, weights: Values) -> tuple[Values, Values, Values]:
    """Of each class [R, K]: images that are and are called it, that are it, that are called it."""
    classes = np.arange(probabilities.shape[1])
    actual = labels[:, None] == classes
    named = probabilities.argmax(axis=1)[:, None] == classes
    hits, actual_count, named_count = (weights @ kind.astype(np.float64) for kind in (actual & named, actual, named))
    return hits, actual_count, named_count


def _by_score(labels: Labels, probabilities: Probabilities, weights: Values) -> Iterator[tuple[Values, Values]]:
    """For each class, images [R, U] of it and of the rest at each of its U probabilities, from the highest on."""
    for name, scores in enumerate(probabilities.T):
        order = np.argsort(-scores, kind="stable")
        starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
        ordered, positive = weights[:, order], labels[order] == name
        hits, misses = (np.add.reduceat(ordered * kind, starts, axis=1) for kind in (positive, ~positive))
        yield hits, misses


def _mean_of_defined(areas: Sequence[Values]) -> Values:
    stacked = np.stack(areas)
    defined = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(defined, stacked, 0).sum(axis=0) / defined.sum(axis=0))
