"""What the score of a winner is worth: it was chosen for being high, so that some of it is luck."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.statistics.interval import Interval

__all__ = ["score_of_chosen"]

_RESAMPLES = 1000
_NUMBERS_AT_ONCE = 4_000_000


def score_of_chosen(
    right: NDArray[np.bool_],
    labels: NDArray[np.int64],
    groups: NDArray[Any],
    choose: Callable[[Sequence[float]], int],
    seed: int,
) -> Interval:
    """The balanced accuracy to expect of whichever of C candidates `choose` takes, with its 95% interval.

    `right` [C, N] says which of N images of classes `labels` [N] each candidate, which had not seen them, named
    rightly; `choose` gets the C scores. Of 1,000 resamples of whole `groups` [N], each chooses by the images that were
    drawn and is scored by those that were not: bootstrap bias-corrected cross-validation (Tsamardinos et al. 2018,
    Machine Learning 107). The interval is wider than that of N images, because a third of them is left to score. Of
    one group nothing is left: the value is then the chosen one's own, and the interval [0, 1].

    Twenty candidates that guess, of which the luckiest is taken:

    >>> right, labels = np.random.default_rng(1).random((20, 100)) < 0.5, np.arange(100) % 2
    >>> found = score_of_chosen(right, labels, np.arange(100), lambda scores: int(np.argmax(scores)), seed=1)
    >>> print(f"{right.mean(axis=1).max():.2f} by luck, worth {found.value:.2f}")
    0.57 by luck, worth 0.47
    """
    rng = np.random.default_rng(seed)
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    at_once = max(1, _NUMBERS_AT_ONCE // len(group))
    found = []
    for size in np.diff([*range(0, _RESAMPLES, at_once), _RESAMPLES]).tolist():
        drawn = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)[:, group]
        chosen = [choose(scores) for scores in _balanced_accuracy(right, labels, times).tolist()]
        left = _balanced_accuracy(right, labels, times == 0)
        found.append(left[np.arange(size), chosen])
    scores = np.concatenate(found)
    if np.isnan(scores).all():  # one group, which is always drawn: nothing tells how far its score carries
        own = _balanced_accuracy(right, labels, np.ones((1, len(labels)), dtype=np.int64))[0].tolist()
        return Interval(value=own[choose(own)], low=0, high=1)
    low, high = np.nanpercentile(scores, [2.5, 97.5])
    return Interval(value=float(np.nanmean(scores)), low=float(low), high=float(high))


def _balanced_accuracy(
    right: NDArray[np.bool_], labels: NDArray[np.int64], weights: NDArray[Any]
) -> NDArray[np.float64]:
    """[R, C]: of each candidate on each of R samples, whose `weights` [R, N] say how often an image is in it.

    The mean recall over the classes that a sample has; NaN where it has no image.
    """
    recalls = []
    for name in np.unique(labels):
        of = labels == name
        images = weights[:, of].sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            recalls.append((weights[:, of].astype(np.float64) @ right[:, of].T) / images)
    stacked = np.stack(recalls)
    there = ~np.isnan(stacked)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = np.where(there, stacked, 0).sum(axis=0) / there.sum(axis=0)
    return means
