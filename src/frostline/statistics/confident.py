"""Confident learning: which labels are probably wrong, by what a model says of images that it was not trained on.

Northcutt, Jiang and Chuang 2021, Confident Learning: Estimating Uncertainty in Dataset Labels (arXiv 1911.00068).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Doubts", "doubts"]


@dataclass(frozen=True, eq=False)
class Doubts:
    """What speaks against each of N labels.

    `likelier` int64 [N] is the most probable of the other classes, `margin` [N], in [-1, 1], its probability less that
    of the label. `doubted` bool [N] are the labels that confident learning takes for wrong.
    """

    likelier: NDArray[np.int64]
    margin: NDArray[np.float64]
    doubted: NDArray[np.bool_]

    @property
    def ranking(self) -> NDArray[np.int64]:
        """The places of the doubted labels, the most doubtful first."""
        places = np.flatnonzero(self.doubted)
        return places[np.argsort(-self.margin[places], kind="stable")]


def doubts(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> Doubts:
    """The doubts about `labels` [N] by class `probabilities` [N, K], out of fold.

    A model is sure of a class where it gives it at least the probability that it gives it on average over the images
    of that label (equation 2 of the paper). A label is doubted where the model is sure of another class, and of none
    with more probability: an off-diagonal count of the confident joint (equation 1). Classes that are rarer, or that
    the model is less sure of in general, have a lower threshold, so that they are not doubted for that.

    >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.05, 0.95]])
    >>> doubts(probabilities, np.array([0, 0, 0, 1, 1, 1])).ranking.tolist()
    [2]
    """
    number, classes = probabilities.shape
    places = np.arange(number)
    thresholds = np.full(classes, np.inf)
    for label in np.unique(labels):
        own = probabilities[labels == label, label]
        thresholds[label] = min(own.mean(), own.max())  # rounding lifts the mean of equal numbers above them
    sure = np.where(probabilities >= thresholds, probabilities, -1.0)
    surest = sure.argmax(axis=1)
    others = probabilities.astype(np.float64)
    others[places, labels] = -1.0
    likelier = others.argmax(axis=1)
    margin = others[places, likelier] - probabilities[places, labels]
    return Doubts(likelier, margin, (sure[places, surest] >= 0) & (surest != labels) & (margin > 0))
