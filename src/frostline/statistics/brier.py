"""The Brier score: how far calibrated probabilities are from the truth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["brier_score", "merit"]


def merit(certainty: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Of the probability, in [0, 1], of an image's own class: 1 less the square of what it lacks of 1."""
    return 1 - (1 - certainty) ** 2


def brier_score(certainty: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """1 less the mean merit of `certainty` [N] of images of classes `labels` [N], every class alike: in [0, 1].

    The mean squared distance of an image's own class's probability from 1 (Brier 1950, Monthly Weather Review 78). It
    tells a sure answer from a lucky one, so that on few images it varies less by chance than a count of right answers.

    >>> round(brier_score(np.array([1.0, 0.9, 0.5, 0.5]), labels=np.array([0, 0, 1, 1])), 4)
    0.1275
    """
    merits = merit(certainty)
    return float(1 - np.mean([merits[labels == name].mean() for name in np.unique(labels)]))
