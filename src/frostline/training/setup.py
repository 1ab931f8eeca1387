"""What training starts from: a compiled suffix with its weights in place, and feeds of cached activations."""

from collections.abc import Collection, Mapping, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from frostline.backbones.readout import compress, select_pooling
from frostline.backbones.surgery import Backbone, build_backbone
from frostline.cache.cuts import deepest_cut
from frostline.cache.group import Rowwise
from frostline.cache.prefix import PrefixCache, padded
from frostline.config.schema import BackboneConfig, TrainConfig
from frostline.data.arrays import Rows
from frostline.data.views import views_of
from frostline.runtime.devices import divisible
from frostline.runtime.precision import resolve_precision
from frostline.training.cell import Cell
from frostline.training.features import ReadOut, Vectors
from frostline.training.feed import Feed, make_feed
from frostline.training.fit import Inputs, steps_per_epoch
from frostline.training.ridge import LinearHead
from frostline.training.settings import TrialSettings
from frostline.training.suffix import Shape, Suffix, Suffixes

__all__ = ["Setup"]

_STATISTICS_IMAGES = 256


class Setup:
    """Networks and activations for training on one cell with one backbone.

    `vectors` are the pooled ones of the cell's images.
    """

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
        self.name = name
        self.config = config
        self.train = train
        self.cache = cache
        self.seed = seed
        self.precision = resolve_precision(train.precision)
        self.backbone = self.build()
        self._suffixes = Suffixes(self.build(), len(cell.packed.classes), train_batchnorm=train.train_batchnorm)
        self._cuts: Collection[int] | None = None
        self._resident_bytes = int(train.resident_gigabytes * 1e9)
        self.vectors = Vectors.cached(cache, self.backbone, cell.packed, cell.all_rows, self._resident_bytes)

    def fill(self, view_sets: Collection[str], cuts: Collection[int]) -> None:
        """Cache, in one pass over each view, all that trials will read: pooled vectors, and maps after `cuts` alone.

        A trial that freezes deeper than one of them goes on from there in each epoch. Without this call, every trial's
        own cut is cached when it is first needed.
        """
        self.cache.fill(self.backbone, self.cell.packed, self.cell.all_rows, views_of(*view_sets), cuts)
        self.start_from(cuts)

    def start_from(self, cuts: Collection[int]) -> None:
        """Let trials read maps after `cuts` alone, which are cached when they are first needed."""
        self._cuts = cuts

    def vectors_of(self, rows: Rows, view: str) -> Mapping[str, NDArray[np.float32]]:
        """Pooled vectors [len(rows), 2C] after every block, by their names in the cache, which is not asked."""
        return self.cache.computed(self.backbone, self.cell.packed, rows, view)

    def keep_vectors(self, rows: Rows, view: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Put into the cache what another machine has computed."""
        self.cache.keep(self.backbone, self.cell.packed, rows, view, vectors)

    def lacking(self, view: str) -> Rows:
        """The cell's rows of which the cache has not all pooled vectors under `view`."""
        return self.cache.lacking(self.backbone, self.cell.packed, self.cell.all_rows, view)

    def begin(self, settings: TrialSettings, rows: Rows, head: LinearHead | None, seed: int) -> tuple[Suffix, Inputs]:
        """A suffix ready to train on `rows`, and what it trains on.

        It starts from `head`, fitted to the same rows while all blocks were frozen, because a new head's first
        gradients would wreck pretrained blocks (Kumar et al. 2022, arXiv 2202.10054). Random blocks have nothing to
        wreck, and get a head of random weights.
        """
        weights = self.backbone if head else self.build(seed)
        head = head or self._random_head(settings, weights, rows, seed)
        warmup = round(self.train.warmup * steps_per_epoch(len(rows), self.train.batch_size))
        shape = Shape(self._source(settings), settings.blocks, settings.freeze_depth, settings.pooling)
        suffix = self._suffixes.get(shape)
        suffix.start(settings, weights, head, seed=seed, warmup=warmup)
        return suffix, Inputs(self._feeds(settings, shape), self.cell.packed.labels, self.class_weights())

    def _source(self, settings: TrialSettings) -> int:
        """The block whose cached activations a trial starts from."""
        return settings.freeze_depth if self._cuts is None else deepest_cut(self._cuts, settings.freeze_depth)

    def _feeds(self, settings: TrialSettings, shape: Shape) -> list[Feed]:
        """Feature maps after the source (the images, where that is 0), and vectors of the frozen blocks read."""
        views, rows = views_of(settings.views), self.cell.all_rows
        sources: list[Sequence[Rowwise]] = [self.cache.maps(self.backbone, self.cell.packed, rows, views, shape.source)]
        if shape.frozen:
            sources.append([ReadOut(self.vectors, shape.frozen, shape.pooling, (view,)) for view in views])
        return [make_feed(each, rows, self._resident_bytes) for each in sources]

    def _random_head(self, settings: TrialSettings, weights: Backbone, rows: Rows, seed: int) -> LinearHead:
        """On features that random `weights` give of some of `rows`."""
        some = rows[np.linspace(0, len(rows) - 1, min(_STATISTICS_IMAGES, len(rows))).astype(int)]
        images = self.cell.packed.images[padded(some, divisible(len(some)))]
        parts = [select_pooling(weights.pooled(block, images), settings.pooling) for block in settings.blocks]
        features, classes = compress(np.concatenate(parts, axis=1)), len(self.cell.packed.classes)
        kernel = keras.initializers.GlorotUniform(seed=seed)((features.shape[1], classes))
        bias = np.zeros(classes, dtype=np.float32)
        return LinearHead(features.mean(axis=0), features.var(axis=0), keras.ops.convert_to_numpy(kernel), bias)

    def build(self, random_seed: int | None = None, *, precision: str | None = None) -> Backbone:
        """The backbone with its weights, or with random ones. Without `random_seed`, always the same numbers."""
        return build_backbone(
            self.name,
            self.config,
            precision=precision or self.precision,
            random=random_seed is not None,
            seed=self.seed if random_seed is None else random_seed,
        )

    def class_weights(self) -> NDArray[np.float32]:
        """A weight per class [K], inverse to its share of the cell's images and 1 on average over them."""
        classes = len(self.cell.packed.classes)
        if not self.train.class_weights:
            return np.ones(classes, dtype=np.float32)
        counts = np.bincount(self.cell.packed.labels[self.cell.all_rows], minlength=classes)
        return np.asarray(counts.sum() / (classes * np.maximum(counts, 1)), dtype=np.float32)
