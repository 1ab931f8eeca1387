"""A linear classifier of features in closed form: what a head on frozen blocks is, for every penalty at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from frostline.backbones.readout import EPSILON, compress
from frostline.cache.group import Rowwise
from frostline.data.arrays import Rows
from frostline.training.fit import TrainingDiverged

__all__ = ["PENALTIES", "LinearHead", "Moments", "fit_ridge", "moments", "targets_of"]

PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(-10, 3))
"""Of the squared weights, per image, where features of a block are worth 1 together: from 1e-5 to 10."""

_LOGIT = 2.0
_ROWS_AT_ONCE = 4096
Moments = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class LinearHead:
    """Compressed features [N, D] less `mean` [D], over the root of `variance` [D] and EPSILON, times `kernel` [D, K].

    With `bias` [K] they are logits [N, K]. To compress features see `backbones.readout`.
    """

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def blank(cls, width: int, classes: int) -> Self:
        """The head on `width` features that makes all `classes` alike."""
        mean, kernel, bias = (np.zeros(shape, dtype=np.float32) for shape in (width, (width, classes), classes))
        return cls(mean, np.ones_like(mean), kernel, bias)

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of `features` [N, D], [N, K]."""
        logits: NDArray[np.float32] = (
            _standardised(compress(features), self.mean, self.variance) @ self.kernel + self.bias
        )
        return logits

    def softened(self, temperature: float) -> Self:
        """The head whose logits are divided by `temperature`."""
        return type(self)(self.mean, self.variance, self.kernel / temperature, self.bias / temperature)


def fit_ridge(
    features: Rowwise,
    rows: Rows,
    labels: NDArray[np.int64],
    class_weights: NDArray[np.float32],
    widths: Sequence[int],
    penalties: Sequence[float] = PENALTIES,
) -> list[LinearHead]:
    """A head for each of `penalties`, fitted to `rows` of `features`, whose integer `labels` [N] are of all rows.

    Ridge regression (Hoerl and Kennard 1970, Technometrics 12) on logits of 2 for an image's class and -2 for the
    others, images weighed by `class_weights` [K]. Features are compressed, standardised, and those of each block, whose
    numbers are `widths`, divided by the root of their number, so that the penalty sees blocks of any width alike. One
    eigenvalue decomposition, of the smaller of images and features, serves all penalties.
    """
    width = sum(widths)
    mean, variance = moments(features, rows)
    scale = np.concatenate([np.full(each, 1 / np.sqrt(each), dtype=np.float32) for each in widths])
    weights = class_weights[labels[rows]].astype(np.float64)
    targets = targets_of(labels[rows], len(class_weights))
    level = weights @ targets / weights.sum()
    root_weights = np.sqrt(weights)

    def parts() -> Iterator[tuple[slice, NDArray[np.float32]]]:
        for part, values in _parts(features, rows):
            yield part, _standardised(values, mean, variance) * scale

    middle = sum((weights[part] @ values for part, values in parts()), np.zeros(width)) / weights.sum()
    wanted = root_weights[:, None] * (targets - level)
    # Linear algebra's threads wait far longer than they work where the backend's threads hold the cores.
    with threadpool_limits(1):
        if len(rows) <= width:
            x = np.empty((len(rows), width))
            for part, values in parts():
                x[part] = root_weights[part, None] * (values - middle)
            eigenvalues, vectors = np.linalg.eigh(x @ x.T)
            back, turned = x.T @ vectors, vectors.T @ wanted
        else:
            square, product = np.zeros((width, width)), np.zeros((width, wanted.shape[1]))
            for part, values in parts():
                x = root_weights[part, None] * (values - middle)
                square += x.T @ x
                product += x.T @ wanted[part]
            eigenvalues, back = np.linalg.eigh(square)
            turned = back.T @ product
    heads = []
    for penalty in penalties:
        weight = back @ (turned / (np.maximum(eigenvalues, 0) + penalty * weights.sum())[:, None])
        bias = level - middle @ weight
        kernel = weight * scale[:, None]
        heads.append(LinearHead(mean, variance, kernel.astype(np.float32), bias.astype(np.float32)))
    return heads


def targets_of(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """The logits [N, K] that a head is fitted to: 2 for the class in `labels` [N], -2 for the others."""
    return np.where(np.eye(classes, dtype=bool)[labels], _LOGIT, -_LOGIT)


def _parts(features: Rowwise, rows: Rows) -> Iterator[tuple[slice, NDArray[Any]]]:
    """The compressed `features`."""
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        yield part, compress(features[rows[part]])


def moments(features: Rowwise, rows: Rows) -> Moments:
    """The mean and the variance of each of `features`, compressed, over `rows`.

    Raises TrainingDiverged if one is no number, as blocks that overflow in half precision give.
    """
    width = features[rows[:1]].shape[1]
    total, square = np.zeros(width), np.zeros(width)
    for _, values in _parts(features, rows):
        total += values.sum(axis=0, dtype=np.float64)
    mean = total / len(rows)
    if not np.isfinite(mean).all():
        raise TrainingDiverged("frozen blocks give features that are no numbers: try train.precision: float32")
    for _, values in _parts(features, rows):
        square += ((values - mean) ** 2).sum(axis=0, dtype=np.float64)
    return mean.astype(np.float32), (square / len(rows)).astype(np.float32)


def _standardised(
    features: NDArray[np.float32], mean: NDArray[np.float32], variance: NDArray[np.float32]
) -> NDArray[np.float32]:
    standardised: NDArray[np.float32] = (features - mean) / np.sqrt(variance + np.float32(EPSILON))
    return standardised
