"""Whether a copy of a network answers as the network does, and what that costs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.config.frozen import Frozen
from frostline.data.arrays import Labels, Told
from frostline.evaluation.intervals import paired_difference
from frostline.evaluation.metrics import measure
from frostline.statistics.interval import Interval

__all__ = ["Agreement", "compare"]


class Agreement(Frozen):
    """What a copy answers to `images` pictures, against what the original answers.

    `equal_labels` is the share of pictures that both give the same label; differences are of probabilities, over all
    classes; `loss` is by how much the original's balanced accuracy is higher, with its 95% interval. `equal_known` is
    the share that both call known or both unknown, `strangeness_difference` the largest one; None where neither tells.
    """

    images: int
    equal_labels: float
    largest_difference: float
    mean_difference: float
    balanced_accuracy: float
    original_balanced_accuracy: float
    loss: Interval
    equal_known: float | None = None
    strangeness_difference: float | None = None

    @property
    def other_labels(self) -> int:
        """To how many pictures the copy gives another label."""
        return round(self.images * (1 - self.equal_labels))


def compare(labels: Labels, originals: Told, copies: Told, groups: NDArray[Any], seed: int) -> Agreement:
    """Compare the answers of a network and its copy to the same pictures of `labels` [N] in `groups` [N].

    A label of -1 is a class that the network does not know: such pictures do not count in balanced accuracy.
    """
    (original, strangeness), (copy, copied) = originals, copies
    differences = np.abs(copy - original)
    metric, tells = "balanced_accuracy", not np.isnan(strangeness).any()
    return Agreement(
        images=len(labels),
        equal_labels=float((copy.argmax(axis=1) == original.argmax(axis=1)).mean()),
        largest_difference=float(differences.max()),
        mean_difference=float(differences.mean()),
        balanced_accuracy=measure(metric, labels, copy),
        original_balanced_accuracy=measure(metric, labels, original),
        loss=paired_difference(labels, original, copy, groups, metric, seed),
        equal_known=float(((strangeness > 1) == (copied > 1)).mean()) if tells else None,
        strangeness_difference=float(np.abs(copied - strangeness).max()) if tells else None,
    )
