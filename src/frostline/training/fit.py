"""The training loop: epochs of even batches over a feed, and predictions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.cache.prefix import padded
from frostline.data.arrays import Rows
from frostline.errors import SearchError
from frostline.runtime.devices import divisible
from frostline.training.feed import Feed

__all__ = ["Inputs", "TrainingDiverged", "even_batches", "predict", "steps_per_epoch", "train_epoch"]

_PREDICTED_AT_ONCE = 32


class TrainingDiverged(SearchError):
    """The loss is no longer a finite number."""


@dataclass(frozen=True)
class Inputs:
    """What a network trains on: values by row and view, integer labels [N], and a weight per class [K]."""

    feed: Feed
    labels: NDArray[np.int64]
    class_weights: NDArray[np.float32]


def train_epoch(model: Any, inputs: Inputs, rows: Rows, batch_size: int, rng: np.random.Generator) -> float:
    """Train a compiled `model` on `rows` once, in random order, each image under a random view; give the mean loss.

    Raises TrainingDiverged if the loss is not finite.
    """
    order = rng.permutation(rows)
    chosen = rng.integers(inputs.feed.views, size=len(order))
    total = 0.0
    batches = list(even_batches(len(order), batch_size))
    for batch in batches:
        y = inputs.labels[order[batch]]
        x = inputs.feed.batch(order[batch], chosen[batch])
        total += float(model.train_on_batch(x, y, sample_weight=inputs.class_weights[y]))
    loss = total / len(batches)
    if not np.isfinite(loss):
        raise TrainingDiverged(f"the training loss became {loss}; the learning rate is too high for these blocks")
    return loss


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Batches of at most `batch_size` that an epoch over `images` takes."""
    return -(-images // batch_size)


def even_batches(count: int, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Positions 0..count-1 in batches of one length, about `batch_size` at most; the last wraps around to be full.

    One length means one traced graph, and no image is left out. Several devices share each batch evenly.
    """
    batches = steps_per_epoch(count, batch_size)
    length = divisible(-(-count // batches))
    yield from padded(np.arange(count), batches * length).reshape(batches, length)


def predict(model: Any, feed: Feed, rows: Rows) -> NDArray[np.float32]:
    """Class probabilities [len(rows), K] of `model` for `rows` under the identity view.

    Raises TrainingDiverged if one is no number.
    """
    batches = np.array_split(rows, range(_PREDICTED_AT_ONCE, len(rows), _PREDICTED_AT_ONCE))
    length = divisible(min(_PREDICTED_AT_ONCE, len(rows)))
    identity = np.zeros(length, dtype=np.int64)
    outputs = [
        np.asarray(model.predict_on_batch(feed.batch(padded(batch, length), identity)), dtype=np.float32)[: len(batch)]
        for batch in batches
    ]
    probabilities = np.concatenate(outputs)
    if not np.isfinite(probabilities).all():
        raise TrainingDiverged("the network's outputs are no longer numbers; the learning rate is too high")
    return probabilities
