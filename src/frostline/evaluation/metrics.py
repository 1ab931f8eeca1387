"""Classification metrics of predicted probabilities."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["balanced_accuracy", "score"]


def balanced_accuracy(labels: NDArray[np.int64], probabilities: NDArray[np.floating[Any]]) -> float:
    """The mean over classes of recall, in [0, 1]; classes without an image in `labels` [N] do not count.

    `probabilities` is [N, C].
    """
    predicted = probabilities.argmax(axis=1)
    return float(np.mean([(predicted[labels == label] == label).mean() for label in np.unique(labels)]))


def score(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating[Any]], classes: Sequence[str]
) -> dict[str, Any]:
    """Metrics of `probabilities` [N, C] against integer `labels` [N], as plain numbers.

    `images`, `accuracy`, `balanced_accuracy`, `macro_f1`, `log_loss` (natural logarithm); `per_class`, which maps each
    name to `precision`, `recall`, `f1` and `images`; `confusion_matrix`, a list of C rows (actual) of C counts
    (predicted). A precision or recall of nothing is 0.
    """
    from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, precision_recall_fscore_support

    every = list(range(len(classes)))
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, images = precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    normalised = probabilities.astype(np.float64) / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)
    return {
        "images": len(labels),
        "accuracy": float(accuracy_score(labels, predicted)),
        "balanced_accuracy": balanced_accuracy(labels, probabilities),
        "macro_f1": float(f1.mean()),
        "log_loss": float(log_loss(labels, normalised, labels=every)),
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
