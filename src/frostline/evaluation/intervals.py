"""How sure a metric, or a comparison, on test images is."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from frostline.data.arrays import Labels, Probabilities
from frostline.evaluation.metrics import HIGHER_IS_BETTER, METRICS, measure, normalised
from frostline.statistics.interval import Interval
from frostline.statistics.standard_error import effective_sample_size, recalls

__all__ = [
    "balanced_accuracy_interval",
    "exact_accuracy",
    "intervals",
    "paired_difference",
    "paired_gains",
    "randomisation_test",
]

_RESAMPLES = 2000
_NUMBERS_AT_ONCE = 4_000_000
_ROUNDING = 1e-12
Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def intervals(labels: Labels, probabilities: Probabilities, groups: NDArray[Any], seed: int) -> dict[str, Interval]:
    """The METRICS of `probabilities` [N, K] against `labels` [N] with their 95% intervals.

    Accuracy has its exact one (`exact_accuracy`), balanced accuracy that of `balanced_accuracy_interval`; the others
    are percentiles of a bootstrap (Efron 1979) that draws whole groups of images: `groups` [N] names them, and near
    duplicates share one. A metric that is not defined is left out, and so is the calibration error: a resample is worse
    calibrated than its sample, so that percentiles lie above the truth (docs/results/gate.md).
    """
    right = probabilities.argmax(axis=1) == labels
    counted = {
        "accuracy": exact_accuracy(right, groups),
        "balanced_accuracy": balanced_accuracy_interval(right, labels, groups, seed),
    }
    exact = normalised(probabilities)
    wanted = [metric for metric in METRICS if metric not in counted and metric != "calibration_error"]
    defined = [metric for metric in wanted if np.isfinite(measure(metric, labels, probabilities))]

    def every(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([METRICS[metric](labels, exact, weights) for metric in defined], axis=1)

    low, high = np.nanpercentile(_bootstrap(groups, every, seed), [2.5, 97.5], axis=0)
    found = {
        metric: Interval(value=measure(metric, labels, probabilities), low=float(low[column]), high=float(high[column]))
        for column, metric in enumerate(defined)
    }
    return counted | found


def exact_accuracy(right: NDArray[np.bool_], groups: NDArray[Any]) -> Interval:
    """The share of `right` [N] with its exact 95% binomial interval (Clopper and Pearson 1934).

    Images in `groups` [N] count as so many as they are worth (Korn and Graubard 1998, Survey Methodology 24).
    """
    from scipy.stats import beta

    share, images = float(right.mean()), effective_sample_size(right, groups)
    hits, misses = share * images, (1 - share) * images
    return Interval(
        value=share,
        low=float(beta.ppf(0.025, hits, misses + 1)) if hits else 0.0,
        high=float(beta.ppf(0.975, hits + 1, misses)) if misses else 1.0,
    )


def balanced_accuracy_interval(right: NDArray[np.bool_], labels: Labels, groups: NDArray[Any], seed: int) -> Interval:
    """The mean recall over classes `labels` [N] of `right` [N] answers, with its 95% interval.

    Percentiles of what each class's recall may be after its images in `groups` [N] were counted, by Jeffreys' prior
    (Brown, Cai and DasGupta 2001, Statistical Science 16), around what was measured: a bootstrap of a class without a
    mistake knows of no mistakes, however few its images are (docs/results/gate.md).
    """
    shares, images = recalls(right, labels, groups)
    drawn = np.random.default_rng(seed).beta(
        shares * images + 0.5, (1 - shares) * images + 0.5, size=(_RESAMPLES, len(shares))
    )
    value, means = float(shares.mean()), drawn.mean(axis=1)
    low, high = np.clip(value + np.percentile(means, [2.5, 97.5]) - means.mean(), 0, 1)
    return Interval(value=value, low=float(low), high=float(high))


def paired_difference(
    labels: Labels, first: Probabilities, second: Probabilities, groups: NDArray[Any], metric: str, seed: int
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
    labels: Labels, first: Probabilities, second: Probabilities, groups: NDArray[Any], metric: str, seed: int
) -> NDArray[np.float64]:
    """The difference of `paired_difference` in each of 2,000 resamples of whole groups."""
    values, first, second = METRICS[metric], normalised(first), normalised(second)

    def gain(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return _sign(metric) * (values(labels, first, weights) - values(labels, second, weights))

    return _bootstrap(groups, gain, seed)


def randomisation_test(
    labels: Labels, first: Probabilities, second: Probabilities, groups: NDArray[Any], metric: str, seed: int
) -> float:
    """The one-sided p-value of a paired randomisation test: that `first` [N, K] is no better in `metric` than `second`.

    If neither is better, which of the two gave which answers is a fair coin's throw for each group of images (Fisher
    1935, The Design of Experiments, section 21; Noreen 1989). Of 2,000 such exchanges and none, the share that differs
    by as much holds the level for any metric and number of images; on accuracy it is McNemar's test (1947). NaN where
    the metric is not defined.
    """
    values, both, twice = METRICS[metric], np.concatenate([normalised(first), normalised(second)]), np.tile(labels, 2)

    def gain(kept: NDArray[np.float64]) -> NDArray[np.float64]:
        one, other = np.hstack([kept, 1 - kept]), np.hstack([1 - kept, kept])
        return _sign(metric) * (values(twice, both, one) - values(twice, both, other))

    def flip(rng: np.random.Generator, size: int, count: int) -> NDArray[np.int64]:
        return rng.integers(2, size=(size, count))

    (found,) = gain(np.ones((1, len(labels))))
    exchanged = _resampled(groups, flip, gain, seed)
    return float((1 + (exchanged >= found - _ROUNDING).sum()) / (1 + _RESAMPLES)) if np.isfinite(found) else np.nan


def _bootstrap(groups: NDArray[Any], statistic: Statistic, seed: int) -> NDArray[np.float64]:
    """`statistic` of 2,000 resamples, which it gets as weights [R, N]: how often each image's group was drawn."""

    def draw(rng: np.random.Generator, size: int, count: int) -> NDArray[np.int64]:
        drawn = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        return np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)

    return _resampled(groups, draw, statistic, seed)


def _resampled(
    groups: NDArray[Any],
    draw: Callable[[np.random.Generator, int, int], NDArray[np.int64]],
    statistic: Statistic,
    seed: int,
) -> NDArray[np.float64]:
    """`statistic` of the weights [R, N] that images get with their group's number in `draw(rng, R, groups)`.

    2,000 times in all, so many at once as memory bears.
    """
    rng = np.random.default_rng(seed)
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max()) + 1
    at_once = max(1, _NUMBERS_AT_ONCE // len(group))
    sizes = np.diff([*range(0, _RESAMPLES, at_once), _RESAMPLES]).tolist()
    with threadpool_limits(1):  # threads of linear algebra wait longer than they work on so few columns
        return np.concatenate([statistic(draw(rng, size, count)[:, group].astype(np.float64)) for size in sizes])


def _sign(metric: str) -> float:
    return 1.0 if metric in HIGHER_IS_BETTER else -1.0
