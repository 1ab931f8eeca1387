"""How often each of K classes is named, here and there."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.statistics.interval import Interval

__all__ = ["distance_of_shares", "likeliest_ratios", "p_of_equal_shares"]

_TABLES = 9999
_RESAMPLES = 2000
_AT_ONCE = 500
_ROUNDS = 200


def distance_of_shares(first: NDArray[np.int64], second: NDArray[np.int64], seed: int) -> Interval:
    """The share, in [0, 1], of what `second` [K] counts that would have to be of other classes to be shared out as what
    `first` [K] counts: the total variation distance, with its 95% interval.

    The interval is as wide as chance makes such a distance, by what the shares may be after they were counted
    (Jeffreys' prior: Brown, Cai and DasGupta 2001, Statistical Science 16).

    >>> print(distance_of_shares(np.array([50, 50]), np.array([80, 20]), seed=1))
    0.3 [0.174, 0.426]
    """
    rng = np.random.default_rng(seed)
    distance = float(np.abs(first / first.sum() - second / second.sum()).sum() / 2)
    drawn = [rng.dirichlet(counts + 0.5, _RESAMPLES) for counts in (first, second)]
    errors = [shares - shares.mean(axis=0) for shares in drawn]
    reach = float(np.percentile(np.abs(errors[0] - errors[1]).sum(axis=1) / 2, 95))
    return Interval(value=distance, low=max(0.0, distance - reach), high=min(1.0, distance + reach))


def p_of_equal_shares(first: NDArray[np.int64], second: NDArray[np.int64], seed: int) -> float:
    """The p-value of a chi-squared test that `first` [K] and `second` [K] count the same shares.

    Counts may be few: it comes from 9,999 tables with the same sums.

    >>> p_of_equal_shares(np.array([50, 50]), np.array([80, 20]), seed=1)
    0.0001
    """
    from scipy.stats import MonteCarloMethod, chi2_contingency

    table = np.stack([first, second])[:, first + second > 0]
    if table.shape[1] == 1:
        return 1.0
    method = MonteCarloMethod(_TABLES, batch=_AT_ONCE, rng=np.random.default_rng(seed))
    return float(chi2_contingency(table, correction=False, method=method).pvalue)


def likeliest_ratios(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """By what to multiply the share of each class of `first` to get that of `second`, if nothing else differs: [K].

    Both, [N, K] and [M, K], are probabilities that one network gave. Expectation maximisation finds the ratios under
    which those of `second` are likeliest (Saerens, Latinne and Decaestecker 2002, Neural Computation 14), against the
    mean of `first` (Alexandari, Kundaje and Shrikumar 2020, arXiv 1901.06852).

    >>> certain = np.eye(2)
    >>> likeliest_ratios(certain[[0, 0, 1, 1]], certain[[0, 1, 1, 1]]).tolist()
    [0.5, 1.5]
    """
    before = first.mean(axis=0, dtype=np.float64)
    seen = before > 0
    ratios: NDArray[np.float64] = seen.astype(np.float64)
    for _ in range(_ROUNDS):
        joint = second * ratios
        sums = joint.sum(axis=1, keepdims=True)
        share = np.divide(joint, sums, out=np.zeros_like(joint), where=sums > 0).mean(axis=0)
        ratios = np.divide(share, before, out=np.zeros_like(before), where=seen)
    return ratios
