"""Means over images, every class alike, of candidates of which some were judged by a part of the images alone."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.statistics.standard_error import paired_standard_error, standard_error

__all__ = ["ALIKE", "balanced_means", "error_of_balanced_mean", "is_judged"]

ALIKE = 250
"""So many images without a difference are believed beforehand of a candidate that is to be chosen by some images alone.

Trials of a study differ by a standard deviation of some 1.6 points of accuracy, and on one image by one of some 0.27:
on the square of 0.27 / 0.016 images the two are alike (`python -m benchmarks.choices`).
"""


_BEST = 8
"""Those that a candidate is compared with: it began from one of the best, and is more like them than like all."""


def is_judged(correct: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Which of N images judged a candidate, whose answers `correct` [..., N] are NaN on the others."""
    judged: NDArray[np.bool_] = ~np.isnan(correct)
    return judged


def balanced_means(
    correct: NDArray[np.floating[Any]], labels: NDArray[np.int64], weights: NDArray[Any], alike: int = 0
) -> NDArray[np.float64]:
    """[R, C]: of each candidate on each of R samples, whose `weights` [R, N] say how often an image is in it.

    `correct` [C, N], in [0, 1], says how often each of C candidates named N images of classes `labels` [N] rightly, NaN
    for images that did not judge it: the result is its balanced accuracy, the mean recall over the classes that a
    sample has; NaN where it has no image. Any other merit of answers is averaged in the same way.

    Whoever was judged by some images alone may have had easy ones, and luck. Its score is therefore the mean score on
    all images of the best eight that all images judged, and by how much it differs from theirs on its own images: a
    control variate, as in sampling theory's difference estimator (Cochran 1977, Sampling Techniques, section 7.9). To
    choose by, the difference is shrunk as if `alike` more images had shown none: fewer are believed less. Without
    others it is the plain score.

    Two candidates are right about all images but the last; a third was judged by the first two images, and knew both:

    >>> correct = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, np.nan, np.nan]])
    >>> balanced_means(correct, np.array([0, 1, 0, 1]), np.ones((1, 4), dtype=int)).tolist()
    [[0.75, 0.75, 0.75]]
    """
    judged = is_judged(correct)
    shares = np.where(judged, correct, 0.0).astype(np.float64)
    scores = _balanced_mean(shares, labels, weights)
    partly, control = ~judged.all(axis=1), _control(correct, labels)
    for seen in np.unique(judged[partly], axis=0):
        these, on_seen = partly & (judged == seen).all(axis=1), weights * seen
        own = _balanced_mean(shares[these], labels, on_seen)
        if control is None:
            scores[:, these] = own
            continue
        others = _balanced_mean(control[None], labels, on_seen)
        scores[:, these] = _balanced_mean(control[None], labels, weights) + _belief(seen, alike) * (own - others)
    return np.clip(scores, 0.0, 1.0)


def error_of_balanced_mean(
    correct: NDArray[np.floating[Any]],
    candidate: int,
    labels: NDArray[np.int64],
    groups: NDArray[Any],
    alike: int = 0,
) -> float:
    """The standard error of what `balanced_means` gives a candidate, by its place, on all of N images.

    Of an adjusted score it is that of the others on all images, joined with that of the difference from them.
    """
    own = correct[candidate]
    seen, control = is_judged(own), _control(correct, labels)
    if seen.all() or control is None:
        return standard_error(own[seen], labels[seen], groups[seen])
    difference = paired_standard_error((own - control)[seen], labels[seen], groups[seen])
    return math.hypot(_belief(seen, alike) * difference, standard_error(control, labels, groups))


def _belief(seen: NDArray[np.bool_], alike: int) -> float:
    """How much of a difference is believed that the images `seen` [N] have shown."""
    return float(seen.sum() / (seen.sum() + alike))


def _control(correct: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """How often the best of those that all images judged named each image rightly [N]; None without such."""
    everywhere = correct[is_judged(correct).all(axis=1)].astype(np.float64)
    if not len(everywhere):
        return None
    means = _balanced_mean(everywhere, labels, np.ones((1, len(labels))))[0]
    best: NDArray[np.float64] = everywhere[np.argsort(-means, kind="stable")[:_BEST]].mean(axis=0)
    return best


def _balanced_mean(
    shares: NDArray[np.float64], labels: NDArray[np.int64], weights: NDArray[Any]
) -> NDArray[np.float64]:
    recalls = []
    for name in np.unique(labels):
        of = labels == name
        images = weights[:, of].sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            recalls.append((weights[:, of].astype(np.float64) @ shares[:, of].T) / images)
    stacked = np.stack(recalls)
    there = ~np.isnan(stacked)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = np.where(there, stacked, 0).sum(axis=0) / there.sum(axis=0)
    return means
