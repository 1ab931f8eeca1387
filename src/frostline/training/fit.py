"""The training loop: epochs over cached activations, one network shared by all folds of a cell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.errors import SearchError
from frostline.training.prefix import padded

__all__ = ["Inputs", "State", "TrainingDiverged", "even_batches", "predict", "steps_per_epoch", "train_epoch"]

Rows = NDArray[np.int64]


class TrainingDiverged(SearchError):
    """The loss is no longer a finite number."""


@dataclass(frozen=True)
class Inputs:
    """What a network trains on: arrays [N, ...] under each view, integer labels [N], and a weight per class [K]."""

    views: Mapping[str, NDArray[Any]]
    labels: NDArray[np.int64]
    class_weights: NDArray[np.float32]


class State:
    """A copy of everything that training changes: weights, optimiser slots, random seeds.

    Folds share one compiled network; each fold's state is put back before its next epoch.
    """

    def __init__(self, model: Any) -> None:
        self._variables = [*model.variables, *model.optimizer.variables]
        self.save()

    def save(self) -> None:
        """Remember the present values."""
        import keras

        self._values = [np.array(keras.ops.convert_to_numpy(variable)) for variable in self._variables]

    def restore(self) -> None:
        """Put the remembered values back."""
        for variable, value in zip(self._variables, self._values, strict=True):
            variable.assign(value)


def train_epoch(model: Any, inputs: Inputs, rows: Rows, batch_size: int, rng: np.random.Generator) -> float:
    """Train a compiled `model` on `rows` once, in random order, each image under a random view; give the mean loss.

    Raises TrainingDiverged if the loss is not finite.
    """
    order = rng.permutation(rows)
    views = list(inputs.views)
    chosen = rng.integers(len(views), size=len(order))
    total = 0.0
    batches = list(even_batches(len(order), batch_size))
    for batch in batches:
        rows_here, views_here = order[batch], chosen[batch]
        x = inputs.views[views[0]][rows_here]
        for position, view in enumerate(views[1:], start=1):
            x[views_here == position] = inputs.views[view][rows_here[views_here == position]]
        y = inputs.labels[rows_here]
        total += float(model.train_on_batch(x, y, sample_weight=inputs.class_weights[y]))
    loss = total / len(batches)
    if not np.isfinite(loss):
        raise TrainingDiverged(f"the training loss became {loss}; the learning rate is too high for these blocks")
    return loss


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Batches of at most `batch_size` that an epoch over `images` takes."""
    return -(-images // batch_size)


def even_batches(count: int, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Positions 0..count-1 in batches of one length, at most `batch_size`; the last wraps around to be full.

    One length means one traced graph, and no image is left out.
    """
    batches = steps_per_epoch(count, batch_size)
    length = -(-count // batches)
    yield from padded(np.arange(count), batches * length).reshape(batches, length)


def predict(model: Any, values: NDArray[Any], rows: Rows, batch_size: int) -> NDArray[np.float32]:
    """Class probabilities [len(rows), K] of `model` for `values[rows]`. Raises TrainingDiverged if one is no number."""
    batches = np.array_split(rows, range(batch_size, len(rows), batch_size))
    length = min(batch_size, len(rows))
    outputs = [
        np.asarray(model.predict_on_batch(values[padded(batch, length)]), dtype=np.float32)[: len(batch)]
        for batch in batches
    ]
    probabilities = np.concatenate(outputs)
    if not np.isfinite(probabilities).all():
        raise TrainingDiverged("the network's outputs are no longer numbers; the learning rate is too high")
    return probabilities
