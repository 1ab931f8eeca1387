"""One cell of the table as a search sees it: what each setting would give, and what finding that out would cost.

Costs are in images through every block, forward and backward.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from frostline.data.views import views_of
from frostline.training.settings import DepthGroup, TrialSettings

from ..curves.cells import CellKey
from ..curves.measure import loss_of
from ..curves.table import Curve, balanced

_HEADS_ARE_SLOWER = 50
"""An operation of a head's decomposition takes as long as so many of a convolution: see search.estimate."""

_FAR = 100.0
_HALVES = 200


@dataclass(frozen=True, eq=False)
class Known:
    """A curve, and what is asked of it again and again: validation losses and scores on the first fold, test scores.

    Each has one value per epoch, of a head one. `weights` is `raw_` for weights as they are, not averaged over steps.
    """

    curve: Curve
    weights: str = ""

    @property
    def name(self) -> str:
        return self.curve.name

    @cached_property
    def settings(self) -> TrialSettings:
        return self.curve.settings

    @cached_property
    def group(self) -> DepthGroup:
        return self.curve.group

    @property
    def is_head(self) -> bool:
        return self.settings.thaw == 0

    @cached_property
    def margins(self) -> NDArray[np.float64]:
        """Of validation images [E, N] of the folds that were trained; of a head the mean over draws [1, N] of all."""
        found = self.curve.arrays["margins" if self.is_head else f"{self.weights}margins"].astype(np.float64)
        return found.mean(axis=0, keepdims=True) if self.is_head else found

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        return np.array([loss_of(each[: self._first]) for each in self.margins])

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        return np.array([balanced(each[: self._first] > 0, self.labels[: self._first]) for each in self.margins])

    @cached_property
    def score_of_all(self) -> float:
        """Of a head, over all folds and draws."""
        correct = (self.curve.arrays["margins"] > 0).mean(axis=0)
        return float(balanced(correct, self.labels))

    @property
    def right(self) -> NDArray[np.uint8]:
        """Of test images, whether each was named rightly [E, T]."""
        return self.curve.right("" if self.is_head else self.weights)

    @cached_property
    def tests(self) -> NDArray[np.float64]:
        return self.curve.test_scores("" if self.is_head else self.weights)

    @property
    def test_margins(self) -> NDArray[np.float64]:
        """Of test images [T], of a head that was fitted to the first fold's training images."""
        return self.curve.arrays["test_margins"][0].astype(np.float64)

    @property
    def labels(self) -> NDArray[np.uint8]:
        return self.curve.arrays["labels"]

    @property
    def _first(self) -> int:
        return int(self.curve.facts["fold_sizes"][0])

    def best_epoch(self, epochs: int) -> int:
        """Of the first so many, from 1."""
        return 1 + int(np.argmin(self.losses[:epochs]))

    def settled_after(self, patience: int) -> int:
        """How many epochs are trained where so many in a row, that do not lower the loss, end training."""
        for epoch in range(1, len(self.losses) + 1):
            if epoch - self.best_epoch(epoch) >= patience:
                return epoch
        return len(self.losses)


class World:
    """Everything that is known of one cell; `heads` and `thawed` by name, those that diverged at once left out.

    `best` is the highest test score of any setting and epoch, which of so many is a lucky one; `best_told` is what
    whoever had half of the test images to choose by would have on the other half.
    """

    def __init__(self, cell: CellKey, curves: Iterable[Curve], weights: str = "") -> None:
        self.cell = cell
        known = [Known(curve, weights) for curve in curves if len(curve.arrays["right"])]
        self.heads: Mapping[str, Known] = {each.name: each for each in known if each.is_head}
        self.thawed: Mapping[str, Known] = {each.name: each for each in known if not each.is_head}
        self.all = {**self.heads, **self.thawed}
        self.best = max(each.tests.max() for each in known)
        self.best_told = _best_told(known)
        self.facts = known[0].curve.facts
        self.images = int(self.facts["images"])

    def nearest(self, settings: TrialSettings) -> Known:
        """What stands for `settings`, which a search may draw from more than was measured."""
        among = self.thawed if settings.thaw else self.heads
        return min(among.values(), key=lambda known: _distance(settings, known.settings))

    def epoch_cost(self, known: Known, fold: int = 0) -> float:
        return float(known.curve.facts["epoch_costs"][fold])


class Ledger:
    """What a search has spent, and the test score of what it would use if it were ended there: `steps`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.spent = 0.0
        self.steps: list[tuple[float, float]] = []
        self._views: set[str] = set()
        self._best = -math.inf

    def see(self, known: Known) -> None:
        """Pay for the pass over the images under those views that were not seen before: a forward pass is a third."""
        new = set(views_of(known.settings.views, known.settings.test_views)) - self._views
        self._views |= new
        self.spent += len(new) * self.world.images / 3

    def fit(self, known: Known, draws: int = 1) -> None:
        """Pay for a head in so many draws of all folds."""
        self.see(known)
        flops = known.curve.facts["head_flops"] * draws * _HEADS_ARE_SLOWER
        self.spent += flops / known.curve.facts["image_flops"]

    def train(self, known: Known, epochs: int = 1, fold: int = 0) -> None:
        self.spent += epochs * self.world.epoch_cost(known, fold)

    def offer(self, score: float, test: float) -> None:
        """What has this validation score and test score is used from now on if no other had a higher one."""
        if score > self._best:
            self._best = score
            self.steps.append((self.spent, test))

    def use(self, test: float) -> None:
        """What has this test score is used from now on."""
        self.steps.append((self.spent, test))


def _best_told(known: Sequence[Known]) -> float:
    """What the setting and epoch that do best on half of the test images score on the other half, over many halves."""
    labels = known[0].curve.arrays["test_labels"]
    right = np.concatenate([each.right for each in known]).astype(np.float64)
    rng, found = np.random.default_rng(0), []
    for _ in range(_HALVES):
        drawn = np.zeros(len(labels), dtype=bool)
        for name in np.unique(labels):
            of = rng.permutation(np.flatnonzero(labels == name))
            drawn[of[: len(of) // 2]] = True
        best = int(np.argmax(balanced(right[:, drawn], labels[drawn])))
        found.append(balanced(right[best, ~drawn], labels[~drawn]))
    return float(np.mean(found))


def _distance(one: TrialSettings, other: TrialSettings) -> float:
    distance = _FAR * (one.init != other.init) + 3 * abs(one.freeze_depth - other.freeze_depth)
    distance += len(set(one.blocks) ^ set(other.blocks)) + 2 * abs(one.keep - other.keep)
    distance += 1.0 * (one.views != other.views) + 0.5 * (one.test_views != other.test_views)
    if one.backbone_learning_rate and other.backbone_learning_rate:
        distance += 2 * abs(math.log10(one.backbone_learning_rate / other.backbone_learning_rate))
    return distance
