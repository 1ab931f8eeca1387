"""The training loop: epochs of even batches over feeds, and features averaged over views."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.cache.prefix import padded
from frostline.data.arrays import Rows
from frostline.errors import SearchError
from frostline.runtime.devices import divisible
from frostline.training.feed import Feed

__all__ = ["Inputs", "TrainingDiverged", "average_features", "even_batches", "steps_per_epoch", "train_epoch"]

_PREDICTED_AT_ONCE = 32


class TrainingDiverged(SearchError):
    """The loss is no longer a finite number."""


@dataclass(frozen=True)
class Inputs:
    """What a network trains on: a feed for each of its inputs, integer labels [N], and a weight per class [K]."""

    feeds: Sequence[Feed]
    labels: NDArray[np.int64]
    class_weights: NDArray[np.float32]

    def batch(self, rows: Rows, views: Rows) -> list[Any]:
        """For each input of the network the values of `rows`, each under the view of that number."""
        return [feed.batch(rows, views) for feed in self.feeds]


def train_epoch(model: Any, inputs: Inputs, rows: Rows, batch_size: int, rng: np.random.Generator) -> float:
    """Train a compiled `model` on `rows` once, in random order, each image under a random view; give the mean loss.

    Raises TrainingDiverged if the loss is not finite.
    """
    order = rng.permutation(rows)
    chosen = rng.integers(inputs.feeds[0].views, size=len(order))
    total = 0.0
    batches = list(even_batches(len(order), batch_size))
    for batch in batches:
        y = inputs.labels[order[batch]]
        x = inputs.batch(order[batch], chosen[batch])
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


def average_features(model: Any, inputs: Inputs, rows: Rows, views: int) -> NDArray[np.float32]:
    """What `model` gives of `rows`, [len(rows), D], averaged over the first so many views."""
    batches = np.array_split(rows, range(_PREDICTED_AT_ONCE, len(rows), _PREDICTED_AT_ONCE))
    length = divisible(min(_PREDICTED_AT_ONCE, len(rows)))
    averages = []
    for batch in batches:
        x = [inputs.batch(padded(batch, length), np.full(length, view, dtype=np.int64)) for view in range(views)]
        seen = [np.asarray(model.predict_on_batch(each), dtype=np.float32)[: len(batch)] for each in x]
        averages.append(np.mean(seen, axis=0, dtype=np.float32))
    features: NDArray[np.float32] = np.concatenate(averages)
    return features
