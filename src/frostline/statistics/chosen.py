"""What the score of a winner is worth: it was chosen for being high, so that some of it is luck."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.statistics.interval import Interval
from frostline.statistics.judged import balanced_means, error_of_balanced_mean, is_judged
from frostline.statistics.standard_error import standard_error

__all__ = ["score_of_chosen"]

_RESAMPLES = 1000
_NUMBERS_AT_ONCE = 4_000_000
_NORMAL = 1.96
"""Standard errors to either side that make a 95% interval."""


def score_of_chosen(
    correct: NDArray[np.bool_ | np.floating[Any]],
    labels: NDArray[np.int64],
    groups: NDArray[Any],
    choose: Callable[[NDArray[np.int64]], Sequence[int]],
    seed: int,
    test_labels: NDArray[np.int64] | None = None,
) -> Interval:
    """The balanced accuracy to expect of whichever of C candidates `choose` takes, with its 95% interval.

    `correct` [C, N], in [0, 1], says how often each candidate, when it had not seen them, named N images of classes
    `labels` [N] rightly: once or not at all (bool), or in which share of repeated draws of folds; NaN where an image
    did not judge it (see `statistics.judged`). `choose` gets how often each image is in each of R samples [R, N], and
    gives the R places of those that it takes. Of 1,000 resamples of whole `groups` [N], each chooses by the images that
    were drawn and is scored by those that were not: bootstrap bias-corrected cross-validation (Tsamardinos et al. 2018,
    Machine Learning 107). An image is drawn or left together with its answers in all draws of folds: what one of them
    chose, another shall not score.

    The interval says where the score on a test split of classes `test_labels` [M] lies, or, without them, the true
    accuracy. It joins two errors as independent ones. The estimate's is the middle 95% of the resamples' scores, which
    a third of the images gave: so wide that it has room for what another training set would change (Bates, Hastie and
    Tibshirani 2024, JASA 119), and at least N images' standard error, where every answer is right. The test split's is
    that standard error for M images. Of one group nothing is left to score: the value is then the chosen one's own, and
    the interval [0, 1].

    Twenty candidates that guess, of which the luckiest is taken:

    >>> correct, labels = np.random.default_rng(1).random((20, 100)) < 0.5, np.arange(100) % 2
    >>> luckiest = lambda times: (times @ correct.T).argmax(axis=1)
    >>> found = score_of_chosen(correct, labels, np.arange(100), luckiest, seed=1)
    >>> print(f"{correct.mean(axis=1).max():.2f} by luck, worth {found.value:.2f}")
    0.57 by luck, worth 0.47
    """
    rng, shares = np.random.default_rng(seed), correct.astype(np.float64)
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    at_once = max(1, _NUMBERS_AT_ONCE // len(group))
    found = []
    for size in np.diff([*range(0, _RESAMPLES, at_once), _RESAMPLES]).tolist():
        drawn = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)[:, group]
        left = balanced_means(shares, labels, times == 0)
        found.append(left[np.arange(size), choose(times)])
    outside = np.concatenate(found)
    once = np.ones((1, len(labels)), dtype=np.int64)
    (winner,) = choose(once)
    if np.isnan(outside).all():  # one group, which is always drawn: nothing tells how far its score carries
        return Interval(value=float(balanced_means(shares, labels, once)[0, winner]), low=0, high=1)
    value, (low, high) = float(np.nanmean(outside)), np.nanpercentile(outside, [2.5, 97.5]).tolist()
    error = _NORMAL * error_of_balanced_mean(shares, winner, labels, groups)
    of_test = 0.0 if test_labels is None else _NORMAL * _error_of_test(shares[winner], labels, groups, test_labels)
    below, above = (math.hypot(max(side, error), of_test) for side in (value - low, high - value))
    return Interval(value=value, low=max(0.0, value - below), high=min(1.0, value + above))


def _error_of_test(
    correct: NDArray[np.float64], labels: NDArray[np.int64], groups: NDArray[Any], test_labels: NDArray[np.int64]
) -> float:
    """The standard error of a score on images of `test_labels` [M], known from answers `correct` [N] to others."""
    seen = is_judged(correct)
    error = standard_error(correct[seen], labels[seen], groups[seen])
    return error * math.sqrt(_variance(test_labels) / _variance(labels[seen]))


def _variance(labels: NDArray[np.int64]) -> float:
    """To what the variance of balanced accuracy over images of classes `labels` [N] is proportional."""
    counts = np.unique(labels, return_counts=True)[1]
    return float((1 / counts).sum()) / len(counts) ** 2
