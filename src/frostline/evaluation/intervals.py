"""How sure a metric, or a comparison, on test images is."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.evaluation.metrics import HIGHER_IS_BETTER, METRICS, Floats, Labels, measure, normalised
from frostline.interval import Interval

__all__ = ["exact_accuracy", "intervals", "mcnemar", "paired_difference", "paired_gains"]

_RESAMPLES = 2000
_NUMBERS_AT_ONCE = 4_000_000


def intervals(labels: Labels, probabilities: Floats, groups: NDArray[Any], seed: int) -> dict[str, Interval]:
    """The METRICS of `probabilities` [N, K] against `labels` [N] with their 95% intervals.

    That of accuracy is the exact binomial one (Clopper and Pearson 1934), the others are percentiles of a bootstrap
    (Efron 1979) that draws whole groups of images: `groups` [N] names them, and near duplicates share one. A metric
    that is not defined is left out, and so is the calibration error: a resample is worse calibrated than its sample, so
    that percentiles lie above the truth (docs/results/gate.md).
    """
    exact = normalised(probabilities)
    wanted = [metric for metric in METRICS if metric != "calibration_error"]
    defined = [metric for metric in wanted if np.isfinite(measure(metric, labels, probabilities))]

    def every(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([METRICS[metric](labels, exact, weights) for metric in defined], axis=1)

    low, high = np.nanpercentile(_bootstrap(groups, every, seed), [2.5, 97.5], axis=0)
    found = {
        metric: Interval(value=measure(metric, labels, probabilities), low=float(low[column]), high=float(high[column]))
        for column, metric in enumerate(defined)
    }
    return found | {"accuracy": exact_accuracy(probabilities.argmax(axis=1) == labels)}


def exact_accuracy(correct: NDArray[np.bool_]) -> Interval:
    """The share of `correct` [N] with its exact 95% binomial interval (Clopper and Pearson 1934)."""
    from scipy.stats import binomtest

    interval = binomtest(int(correct.sum()), len(correct)).proportion_ci(0.95, method="exact")
    return Interval(value=float(correct.mean()), low=float(interval.low), high=float(interval.high))


def paired_difference(
    labels: Labels, first: Floats, second: Floats, groups: NDArray[Any], metric: str, seed: int
) -> Interval:
    """By how much `first` [N, K] is better than `second` [N, K] in `metric`, with its 95% interval.

    Both are scored on the same resamples, so that what both get right or wrong adds no uncertainty. Positive is better,
    for losses too.
    """
    gains = paired_gains(labels, first, second, groups, metric, seed)
    low, high = np.nanpercentile(gains, [2.5, 97.5])
    value = _sign(metric) * (measure(metric, labels, first) - measure(metric, labels, second))
    return Interval(value=value, low=float(low), high=float(high))


def paired_gains(
    labels: Labels, first: Floats, second: Floats, groups: NDArray[Any], metric: str, seed: int
) -> NDArray[np.float64]:
    """The difference of `paired_difference` in each of 2,000 resamples of whole groups."""
    values, first, second = METRICS[metric], normalised(first), normalised(second)

    def gain(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return _sign(metric) * (values(labels, first, weights) - values(labels, second, weights))

    return _bootstrap(groups, gain, seed)


def mcnemar(gained: int, lost: int) -> float:
    """The exact one-sided p-value of McNemar's test (1947): that the first is no more often right than the second.

    `gained` images are right only in the first, `lost` only in the second; if neither is better, each of them is a fair
    coin's throw.
    """
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5, alternative="greater").pvalue) if gained + lost else 1.0


def _bootstrap(
    groups: NDArray[Any], statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]], seed: int
) -> NDArray[np.float64]:
    """`statistic` of 2,000 resamples, which it gets as weights [R, N], so many at once as memory bears."""
    rng = np.random.default_rng(seed)
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    at_once = max(1, _NUMBERS_AT_ONCE // len(group))
    parts = []
    for size in np.diff([*range(0, _RESAMPLES, at_once), _RESAMPLES]):
        drawn = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        parts.append(statistic(times[:, group].astype(np.float64)))
    return np.concatenate(parts)


def _sign(metric: str) -> float:
    return 1.0 if metric in HIGHER_IS_BETTER else -1.0
