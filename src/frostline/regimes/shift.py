"""Shift: how far the target's channels lie from the original data's, layer by layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.regimes.activations import Activations
from frostline.regimes.reference import Reference
from frostline.statistics.interval import Interval

__all__ = ["Shift", "measure_shift", "symmetric_divergence"]

_RESAMPLES = 400
_VARIANCE_FLOOR = 1e-3
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """Symmetric divergences, at least 0 and without an upper bound: each layer's, and the median over layers."""

    score: Interval
    layers: tuple[Interval, ...]


def measure_shift(
    activations: Activations, reference: Reference, seed: int, groups: Sequence[str] | None = None
) -> Shift:
    """Compare channels as Gaussians; a layer's shift is the median over its channels, the score that over layers.

    Medians, because a few channels are nearly dead and a few layers (the first and the last) unreliable. The intervals
    are percentiles over bootstrap resamples of the images (Efron 1979), or of `groups` [N] of like ones. Few images
    overstate a divergence, and resamples of them do so once more: that bias is taken off both.
    """
    count = len(activations.means[0])
    group = np.arange(count) if groups is None else pd.factorize(np.array(groups))[0]
    number = int(group.max()) + 1
    times = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), size=_RESAMPLES)[:, group]
    weights = times / times.sum(axis=1, keepdims=True)
    weights = np.vstack([np.full(count, 1 / count), weights])  # the first row is the sample itself
    layers = np.array(
        [
            np.median(symmetric_divergence(*_moments(weights, mean, square), reference_mean, variance), axis=1)
            for mean, square, reference_mean, variance in zip(
                activations.means, activations.squares, reference.means, reference.variances, strict=True
            )
        ]
    )
    return Shift(_interval(np.median(layers, axis=0)), tuple(_interval(layer) for layer in layers))


def symmetric_divergence(mean: Values, variance: Values, reference_mean: Values, reference_variance: Values) -> Values:
    """KL(p, q) + KL(q, p) of the Gaussians p (mean, variance) and q (the reference), elementwise (Jeffreys 1946).

    Variances are raised by a thousandth of the reference's median over channels, so that a channel which is constant
    on either side gives a number.
    """
    floor = _VARIANCE_FLOOR * np.median(reference_variance)
    p, q = variance + floor, reference_variance + floor
    square = (mean - reference_mean) ** 2
    return np.asarray(((p + square) / q + (q + square) / p) / 2 - 1)


def _moments(weights: Values, mean: NDArray[np.float32], square: NDArray[np.float32]) -> tuple[Values, Values]:
    means = weights @ mean.astype(np.float64)
    return means, np.maximum(weights @ square.astype(np.float64) - means**2, 0)


def _interval(resampled: Values) -> Interval:
    """Of the sample's own value, which comes first, and its resamples'."""
    bias = resampled[1:].mean() - resampled[0]
    low, high = np.percentile(resampled[1:], [2.5, 97.5]) - 2 * bias
    value, low, high = np.maximum([resampled[0] - bias, low, high], 0)
    return Interval(value=float(value), low=float(low), high=float(high))
