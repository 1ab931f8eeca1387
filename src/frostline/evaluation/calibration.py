"""Whether probabilities mean what they say: of images called certain to 80%, 80% should be right."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.data.arrays import Labels, Probabilities

__all__ = ["ReliabilityBin", "calibration_error", "reliability"]

_BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """Images of about the same certainty: how many, their mean probability of the likeliest class, the share right."""

    images: int
    confidence: float
    accuracy: float


def calibration_error(
    labels: Labels, probabilities: Probabilities, weights: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Expected calibration error in [0, 1], for each row of `weights` [R, N].

    Images are put into 15 bins of equal width by the probability of the likeliest class; the error is the mean over
    images of how far a bin's mean probability lies from its accuracy (Naeini et al. 2015; Guo et al. 2017, arXiv
    1706.04599, equation 3). `probabilities` is [N, K], `labels` [N].
    """
    surplus = probabilities.max(axis=1) - (probabilities.argmax(axis=1) == labels)
    member = _bins(probabilities)[:, None] == np.arange(_BINS)
    gaps = np.abs(weights @ (member * surplus[:, None]))
    return np.asarray(gaps.sum(axis=1) / weights.sum(axis=1))


def reliability(labels: Labels, probabilities: Probabilities) -> list[ReliabilityBin]:
    """The bins of `calibration_error` that hold images, from the least certain on."""
    confidence, bins = probabilities.max(axis=1), _bins(probabilities)
    correct = probabilities.argmax(axis=1) == labels
    return [
        ReliabilityBin(
            images=int((bins == number).sum()),
            confidence=float(confidence[bins == number].mean()),
            accuracy=float(correct[bins == number].mean()),
        )
        for number in np.unique(bins).tolist()
    ]


def _bins(probabilities: Probabilities) -> NDArray[np.int64]:
    upper = np.ceil(probabilities.max(axis=1) * _BINS).astype(np.int64)
    return np.asarray(np.clip(upper - 1, 0, _BINS - 1))
