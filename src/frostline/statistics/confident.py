"""Confident learning: which labels are probably wrong, by what a model says of images that it was not trained on.

Northcutt, Jiang and Chuang 2021, Confident Learning: Estimating Uncertainty in Dataset Labels (arXiv 1911.00068), as
its authors' package cleanlab does it.
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
    of the label. `ranking` are the places of the labels that are probably wrong, the largest margin first.
    """

    likelier: NDArray[np.int64]
    margin: NDArray[np.float64]
    ranking: NDArray[np.int64]


def doubts(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> Doubts:
    """The doubts about `labels` [N] by class `probabilities` [N, K], out of fold.

    A model is sure of a class where it gives it at least the probability that it gives it on average over the images
    of that label. A label is doubted where the model is sure of another class: so a class that the model is less sure
    of in general is not doubted for that.

    >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.05, 0.95]])
    >>> doubts(probabilities, np.array([0, 0, 0, 1, 1, 1])).ranking.tolist()
    [2]
    """
    from cleanlab.filter import find_label_issues

    places = np.arange(len(labels))
    others = probabilities.astype(np.float64)
    others[places, labels] = -1.0
    likelier = others.argmax(axis=1)
    margin = others[places, likelier] - probabilities[places, labels]
    doubted = find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    ranked = np.flatnonzero(doubted)
    return Doubts(likelier, margin, ranked[np.argsort(-margin[ranked], kind="stable")])
