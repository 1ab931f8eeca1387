"""How far a vector lies from those that are known: a Gaussian for each class, all of one covariance.

The distance is that of Lee et al. 2018 (A simple unified framework for detecting out-of-distribution samples, arXiv
1807.03888). There are fewer known vectors than features, so that the covariance within classes is taken for its
leading components and an even rest (Tipping and Bishop 1999, Probabilistic principal component analysis).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

__all__ = ["Familiar", "conformal_bound", "fit_familiar"]

_EPSILON = 1e-2
_MOST_COMPONENTS = 64
_VECTORS_PER_COMPONENT = 4
_LEAST = 1e-6  # where all known vectors are alike

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Familiar:
    """What a vector [D] is held against: with x = (vector - `mean`) * `scale`, its squared distance is

        x.x - |x `components`|^2 + the least of x `kernel` + `bias`

    over classes, with `components` [D, R], `kernel` [D, K] and `bias` [K]: the squared Mahalanobis distances to the
    means of the classes. `held_out` [N], ascending, has the distance of each known vector to the others.
    """

    mean: Floats
    scale: Floats
    components: Floats
    kernel: Floats
    bias: Floats
    held_out: Floats

    @classmethod
    def around(cls, vectors: Floats, labels: NDArray[np.int64]) -> Self:
        """What `vectors` [N, D] with labels [N] are like, without distances of their own."""
        mean, deviation = vectors.mean(axis=0), np.sqrt(vectors.var(axis=0) + _EPSILON)
        x = (vectors - mean) / deviation
        names, numbers = np.unique(labels, return_inverse=True)
        centres = np.stack([x[numbers == number].mean(axis=0) for number in range(len(names))])
        within = x - centres[numbers]
        images, width = x.shape
        count = max(1, min(_MOST_COMPONENTS, (images - len(names)) // _VECTORS_PER_COMPONENT))
        variances, turned = eigh(within @ within.T / images, subset_by_index=(images - count, images - 1))
        spare = (within**2).sum() / images - variances.sum()
        rest = max(spare / max(1, width - count), _EPSILON)
        leading = np.maximum(variances, rest)
        components = within.T @ turned * np.sqrt((1 - rest / leading) / (leading * images))
        centres /= np.sqrt(rest)
        kernel = -2 * (centres - centres @ components @ components.T).T
        bias = -(centres * kernel.T).sum(axis=1) / 2
        return cls(mean, 1 / (deviation * np.sqrt(rest)), components, kernel, bias, np.empty(0))

    def distances(self, vectors: Floats) -> NDArray[np.float64]:
        """Of `vectors` [N, D] to the nearest class, [N]."""
        x = (vectors - self.mean) * self.scale
        common = (x**2).sum(axis=1) - ((x @ self.components) ** 2).sum(axis=1)
        nearest = (x @ self.kernel + self.bias).min(axis=1)
        return np.asarray(np.sqrt(np.maximum(common + nearest, 0)), dtype=np.float64)

    def flagging(self, share: float) -> "Familiar":
        """The same in another unit: a distance of 1 is the `conformal_bound` of a `share` of familiar vectors."""
        unit = max(conformal_bound(self.held_out, share), _LEAST)
        return replace(
            self,
            scale=self.scale / unit,
            kernel=self.kernel / unit,
            bias=self.bias / unit**2,
            held_out=self.held_out / unit,
        )


def conformal_bound(known: Floats, share: float) -> float:
    """Of numbers `known` [N], ascending, the one that a `share` of others like them, in (0, 1), exceed at most.

    With fewer than 1 / `share` it is the largest, which a larger share exceeds (Vovk, Gammerman and Shafer 2005,
    Algorithmic learning in a random world).
    """
    return float(known[min(math.ceil((len(known) + 1) * (1 - share)), len(known)) - 1])


def fit_familiar(
    vectors: Floats, labels: NDArray[np.int64], folds: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> Familiar:
    """What `vectors` [N, D] with integer `labels` [N] are like.

    `folds` are places (of those that are known, of those that are held out): one pair at least. What is held out is
    judged by the others, as strangers will be.
    """
    vectors = vectors.astype(np.float64)
    held = [Familiar.around(vectors[known], labels[known]).distances(vectors[out]) for known, out in folds]
    return replace(Familiar.around(vectors, labels), held_out=np.sort(np.concatenate(held)))
