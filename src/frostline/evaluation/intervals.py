"""How sure a comparison on test images is."""

import numpy as np
from numpy.typing import NDArray

from frostline.interval import Interval

__all__ = ["paired_difference"]

_RESAMPLES = 10_000
Labels = NDArray[np.int64]


def paired_difference(actual: Labels, first: Labels, second: Labels, seed: int) -> Interval:
    """Balanced accuracy of the labels `first` [N] less that of `second` [N], against `actual` [N].

    The interval is that of a bootstrap over the images of each class (Efron 1979), each image with both its labels:
    what both get right or wrong adds no uncertainty.
    """
    rng = np.random.default_rng(seed)
    value, resampled = 0.0, np.zeros(_RESAMPLES)
    classes = np.unique(actual)
    for label in classes:
        of_class = actual == label
        count = int(of_class.sum())
        gains = int(((first == label) & (second != label) & of_class).sum())
        losses = int(((first != label) & (second == label) & of_class).sum())
        value += (gains - losses) / count
        # Images drawn with replacement fall into three kinds: gained, lost, and alike.
        drawn = rng.multinomial(count, np.array([gains, losses, count - gains - losses]) / count, size=_RESAMPLES)
        resampled += (drawn[:, 0] - drawn[:, 1]) / count
    low, high = np.percentile(resampled / len(classes), [2.5, 97.5])
    return Interval(value=value / len(classes), low=float(low), high=float(high))
