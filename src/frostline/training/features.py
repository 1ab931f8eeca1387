"""What a head reads: pooled vectors of several blocks, under one view or averaged over several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.readout import select_pooling
from frostline.backbones.surgery import Backbone
from frostline.cache.group import Rowwise
from frostline.cache.prefix import PrefixCache
from frostline.data.arrays import Rows
from frostline.data.packed import PackedImages

__all__ = ["ReadOut", "Vectors"]

Source = Callable[[str, int], Rowwise]
"""Gives the pooled vectors [., 2C] under a view after a block."""


@dataclass(frozen=True)
class ReadOut:
    """Vectors [., D] of `rows`: of each of `blocks` what `pooling` asks for, in one, averaged over `views`."""

    vectors: "Vectors"
    blocks: Sequence[int]
    pooling: str
    views: Sequence[str]

    def __getitem__(self, rows: Rows) -> NDArray[np.float32]:
        parts = [select_pooling(self.vectors.average(self.views, block, rows), self.pooling) for block in self.blocks]
        return np.concatenate(parts, axis=1)


class Vectors:
    """Pooled vectors of `rows`, which ascend; averages over views are held up to `limit_bytes`, others read anew."""

    def __init__(self, source: Source, rows: Rows, limit_bytes: int) -> None:
        self._source = source
        self._rows = rows
        self._limit_bytes = limit_bytes
        self._held: dict[tuple[tuple[str, ...], int], NDArray[np.float32]] = {}

    @classmethod
    def cached(
        cls, cache: PrefixCache, backbone: Backbone, packed: PackedImages, rows: Rows, limit_bytes: int
    ) -> "Vectors":
        """Those that `cache` holds, or computes, of `packed` after the blocks of `backbone`."""

        def pooled(view: str, block: int) -> Rowwise:
            (found,) = cache.pooled(backbone, packed, rows, [view], block)
            return found

        return cls(pooled, rows, limit_bytes)

    def average(self, views: Sequence[str], block: int, rows: Rows) -> NDArray[np.float32]:
        """The average [len(rows), 2C] over `views` of the pooled vectors after `block`."""
        key = (tuple(views), block)
        if key not in self._held:
            first = self._read(views, block, self._rows[:1])
            held = sum(values.nbytes for values in self._held.values())
            if held + first.nbytes * len(self._rows) > self._limit_bytes:
                return self._read(views, block, rows)
            self._held[key] = self._read(views, block, self._rows)
        values: NDArray[np.float32] = self._held[key][np.searchsorted(self._rows, rows)]
        return values

    def _read(self, views: Sequence[str], block: int, rows: Rows) -> NDArray[Any]:
        total = self._source(views[0], block)[rows].astype(np.float32)
        for view in views[1:]:
            total += self._source(view, block)[rows]
        return total / np.float32(len(views))
