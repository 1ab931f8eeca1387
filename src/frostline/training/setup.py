"""What training starts from: a compiled suffix with its weights in place, and a feed of cached activations."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.surgery import Backbone, build_backbone
from frostline.cache.cuts import deepest_cut
from frostline.cache.group import Rowwise
from frostline.cache.prefix import PrefixCache, padded
from frostline.config.schema import BackboneConfig, TrainConfig
from frostline.data.arrays import Rows
from frostline.data.views import VIEW_SETS
from frostline.runtime.devices import divisible
from frostline.runtime.precision import resolve_precision
from frostline.training.cell import Cell
from frostline.training.feed import make_feed
from frostline.training.fit import Inputs, steps_per_epoch, train_epoch
from frostline.training.settings import TrialSettings
from frostline.training.suffix import Shape, Suffix, Suffixes

__all__ = ["Setup"]

_STATISTICS_ROWS = 4096
_STATISTICS_IMAGES = 256


class Setup:
    """Networks and activations for training on one cell with one backbone."""

    def __init__(
        self,
        cell: Cell,
        name: str,
        config: BackboneConfig,
        train: TrainConfig,
        cache: PrefixCache,
        seed: int,
    ) -> None:
        self.cell = cell
        self._name = name
        self._config = config
        self.train = train
        self._cache = cache
        self._seed = seed
        self.precision = resolve_precision(train.precision)
        self.backbone = self.build()
        self._suffixes = Suffixes(self.build(), len(cell.packed.classes), train_batchnorm=train.train_batchnorm)
        self._cuts: Collection[int] | None = None

    def fill(self, view_sets: Collection[str], cuts: Collection[int]) -> None:
        """Cache, in one pass over each view, all that trials will read: pooled vectors, and maps after `cuts` alone.

        A trial that freezes deeper than one of them goes on from there in each epoch. Without this call, every trial's
        own cut is cached when it is first needed.
        """
        views = dict.fromkeys(view for name in view_sets for view in VIEW_SETS[name])
        self._cache.fill(self.backbone, self.cell.packed, self.cell.all_rows, list(views), cuts)
        self._cuts = cuts

    def begin(
        self, settings: TrialSettings, rows: Rows, epochs: int, seed: int, rng: np.random.Generator
    ) -> tuple[Suffix, Inputs]:
        """A suffix ready to train on `rows`; where blocks are thawed, with a head that was trained on them frozen.

        A new head's first gradients would wreck pretrained blocks, so the head comes first (Kumar et al. 2022, arXiv
        2202.10054): `train.head_epochs` epochs on pooled vectors, which cost next to nothing.
        """
        random = settings.init == "random"
        weights = self.build(seed) if random else self.backbone
        steps = epochs * steps_per_epoch(len(rows), self.train.batch_size)
        features = self._features(settings, weights, rows)
        shape = Shape(self._source(settings), settings.keep, settings.freeze_depth, settings.pooling)
        warmup = round(self.train.warmup * steps) if settings.thaw else 0
        suffix = self._suffixes.get(shape)
        suffix.start(settings, weights, features, seed=seed, steps=steps, warmup=warmup)
        if settings.thaw and not random and self.train.head_epochs:
            suffix.take_head(self._trained_head(settings, rows, features, seed, rng))
        views = VIEW_SETS[settings.views]
        return suffix, self._maps(views, shape.source) if settings.thaw else self._vectors(views, settings.keep)

    def _trained_head(
        self,
        settings: TrialSettings,
        rows: Rows,
        features: NDArray[np.float32],
        seed: int,
        rng: np.random.Generator,
    ) -> Suffix:
        epochs = self.train.head_epochs
        head = self._suffixes.get(Shape(settings.keep, settings.keep, settings.keep, settings.pooling))
        steps = epochs * steps_per_epoch(len(rows), self.train.batch_size)
        head.start(settings, self.backbone, features, seed=seed, steps=steps)
        inputs = self._vectors(VIEW_SETS[settings.views], settings.keep)
        for _ in range(epochs):
            train_epoch(head.model, inputs, rows, self.train.batch_size, rng)
        return head

    def _source(self, settings: TrialSettings) -> int:
        """The block whose cached activations a trial starts from."""
        if settings.thaw == 0 or self._cuts is None:
            return settings.freeze_depth
        return deepest_cut(self._cuts, settings.freeze_depth)

    def _maps(self, views: Sequence[str], source: int) -> Inputs:
        """Feature maps after block `source`; the images, where that is 0."""
        rows = self.cell.all_rows
        return self._fed(self._cache.maps(self.backbone, self.cell.packed, rows, views, source))

    def _vectors(self, views: Sequence[str], keep: int) -> Inputs:
        """Pooled vectors after block `keep`."""
        rows = self.cell.all_rows
        return self._fed(self._cache.pooled(self.backbone, self.cell.packed, rows, views, keep))

    def _fed(self, sources: Sequence[Rowwise]) -> Inputs:
        feed = make_feed(sources, self.cell.all_rows, int(self.train.resident_gigabytes * 1e9))
        return Inputs(feed, self.cell.packed.labels, self.class_weights())

    def _features(self, settings: TrialSettings, weights: Backbone, rows: Rows) -> NDArray[np.float32]:
        """Pooled features [., 2C] of `rows`, or of some of them, as the network gives them before training."""
        if settings.init == "random":
            some = _spread(rows, _STATISTICS_IMAGES)
            return weights.pooled(settings.keep, self.cell.packed.images[padded(some, divisible(len(some)))])
        (pooled,) = self._cache.pooled(self.backbone, self.cell.packed, self.cell.all_rows, ["identity"], settings.keep)
        return pooled[_spread(rows, _STATISTICS_ROWS)]

    def build(self, random_seed: int | None = None, *, precision: str | None = None) -> Backbone:
        """The backbone with its weights, or with random ones. Without `random_seed`, always the same numbers."""
        return build_backbone(
            self._name,
            self._config,
            precision=precision or self.precision,
            random=random_seed is not None,
            seed=self._seed if random_seed is None else random_seed,
        )

    def class_weights(self) -> NDArray[np.float32]:
        """A weight per class [K], inverse to its share of the cell's images and 1 on average over them."""
        classes = len(self.cell.packed.classes)
        if not self.train.class_weights:
            return np.ones(classes, dtype=np.float32)
        counts = np.bincount(self.cell.packed.labels[self.cell.all_rows], minlength=classes)
        return np.asarray(counts.sum() / (classes * np.maximum(counts, 1)), dtype=np.float32)


def _spread(rows: Rows, count: int) -> Rows:
    """At most `count` of `rows`, evenly spaced, so that no class is left out because rows are in order."""
    return np.asarray(rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)])
