"""How far apart two samples of a number lie (Kolmogorov 1933, Smirnov 1939)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.statistics.interval import Interval

__all__ = ["kolmogorov_smirnov"]


def kolmogorov_smirnov(
    first: NDArray[np.floating[Any]], weights: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]
) -> tuple[Interval, float]:
    """The largest difference, in [0, 1], of the shares of `first` [N] and `second` [M] that lie below a number.

    Of `first` each value counts as often as its `weights` [N] >= 0 say; they count together as as many values as have
    the same standard error (Kish 1965, Survey Sampling). Gives the distance with its 95% interval, and the p-value of
    there being none.

    What chance may add to any such difference, or take from it, bounds the interval, so that it holds the true
    distance 95 times in 100 or more often. A bootstrap's does not: a resample lies further from another sample than
    the sample does (docs/results/drift.md).

    >>> found, p = kolmogorov_smirnov(np.arange(100.0), np.ones(100), np.arange(100.0) + 40)
    >>> print(found, f"{p:.0e}")
    0.4 [0.212, 0.588] 1e-07
    """
    from scipy.stats import kstwo

    order, ordered = np.argsort(first), np.sort(second)
    below = np.concatenate([[0.0], np.cumsum(weights[order])]) / weights.sum()
    first = first[order]
    places = np.concatenate([first, ordered])
    shares = np.searchsorted(ordered, places, side="right") / len(ordered)
    distance = float(np.abs(below[np.searchsorted(first, places, side="right")] - shares).max())
    effective = weights.sum() ** 2 / (weights**2).sum()
    both = max(1, round(effective * len(second) / (effective + len(second))))
    reach = float(kstwo.isf(0.05, both))
    interval = Interval(value=distance, low=max(0.0, distance - reach), high=min(1.0, distance + reach))
    return interval, float(kstwo.sf(distance, both))
