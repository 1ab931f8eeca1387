"""The prefix cache: activations of frozen blocks, computed once for every image and shared by all trials.

Entries hold one row per image of a packed data set, for one view: the feature map after a block, or its pooled vector.
They are found by a fingerprint of everything they were computed from, so that a changed image, weight, size or
precision is never mistaken for another. Rows are filled when they are first asked for, in one pass for all that is
asked for together, a batch at a time: memory does not grow with the data set.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.readout import pool
from frostline.backbones.surgery import Backbone
from frostline.cache.folder import CacheFolder
from frostline.cache.group import Group, Rows, Rowwise, ViewedImages, block_of, every_pooled
from frostline.cache.rowstore import RowStore
from frostline.config.schema import StoresConfig
from frostline.data.packed import PackedImages
from frostline.errors import CacheError
from frostline.runtime.devices import divisible
from frostline.runtime.progress import track
from frostline.stores.addresses import cache_folder

__all__ = ["PrefixCache", "padded"]

_BATCH = 32


class PrefixCache:
    """Activations below `folder`, held to `limit_bytes` on disk: the least recently used go first."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.folder = CacheFolder(folder)
        self._open: dict[Path, RowStore] = {}
        self._pass: tuple[object, Any] = (None, None)

    @classmethod
    def of(cls, stores: StoresConfig) -> Self:
        """The one that `stores` in params.yaml names."""
        return cls(cache_folder(stores), int(stores.cache_gigabytes * 1e9))

    def fill(
        self, backbone: Backbone, packed: PackedImages, rows: Rows, views: Sequence[str], cuts: Collection[int]
    ) -> None:
        """Compute, in one pass over each view, pooled vectors after every block and maps after `cuts` for `rows`."""
        names = every_pooled(backbone) | {f"map-{cut}" for cut in cuts}
        needed = {group.path(name) for group in self._groups(backbone, packed, views) for name in names}
        for group in self._groups(backbone, packed, views):
            self._fill(group, rows, names, needed)

    def maps(
        self, backbone: Backbone, packed: PackedImages, rows: Rows, views: Sequence[str], cut: int
    ) -> list[Rowwise]:
        """Feature maps [., h, w, C] after block `cut`, in the backbone's compute dtype, filled for `rows`, per view.

        Cut 0 is the images themselves under each view (uint8 [., S, S, 3]): nothing is computed or stored.
        """
        if cut == 0:
            return [ViewedImages(packed, view) for view in views]
        return self._stored(self._groups(backbone, packed, views), rows, f"map-{cut}", {f"map-{cut}"})

    def pooled(
        self, backbone: Backbone, packed: PackedImages, rows: Rows, views: Sequence[str], block: int
    ) -> list[Rowwise]:
        """Pooled vectors [., 2C] float32 (average, then maximum) after `block`, filled for `rows`, per view.

        The pass that fills one block's fills every block's, because a search will ask for the others.
        """
        groups = self._groups(backbone, packed, views)
        return self._stored(groups, rows, f"pooled-{block}", every_pooled(backbone))

    def lacking(self, backbone: Backbone, packed: PackedImages, rows: Rows, view: str) -> Rows:
        """Those of `rows` of which a pooled vector is not filled, after whichever block."""
        (group,) = self._groups(backbone, packed, [view])
        missing = [group.store(name).missing(rows) for name in every_pooled(backbone)]
        return np.unique(np.concatenate(missing))

    def computed(
        self, backbone: Backbone, packed: PackedImages, rows: Rows, view: str
    ) -> dict[str, NDArray[np.float32]]:
        """Pooled vectors [len(rows), 2C] after every block by name, such as `pooled-5`; nothing is stored."""
        names = every_pooled(backbone)
        network, source = self._network(backbone, 0, backbone.depth, frozenset(names)), ViewedImages(packed, view)
        parts = [values for _, values in _batch_by_batch(network, source, rows)]
        return {name: np.concatenate([part[name] for part in parts]).astype(np.float32) for name in names}

    def keep(
        self,
        backbone: Backbone,
        packed: PackedImages,
        rows: Rows,
        view: str,
        vectors: Mapping[str, NDArray[np.float32]],
    ) -> None:
        """Fill `rows` with pooled `vectors` that were computed elsewhere, by the same code of the same weights."""
        (group,) = self._groups(backbone, packed, [view])
        with group.locked():
            stores = {name: group.store(name) for name in vectors}
            more = sum(len(rows) * store.row_bytes for store in stores.values())
            self._make_room(more, {store.path for store in stores.values()})
            for name, store in stores.items():
                store.write(rows, vectors[name])

    def _groups(self, backbone: Backbone, packed: PackedImages, views: Sequence[str]) -> list[Group]:
        return [Group(self.folder.path, backbone, packed, view) for view in views]

    def _stored(self, groups: Sequence[Group], rows: Rows, wanted: str, together: set[str]) -> list[Rowwise]:
        """The array `wanted` of each group; where it lacks rows, all the arrays `together` are filled in one pass."""
        needed = {group.path(name) for group in groups for name in together}
        found: list[Rowwise] = []
        for group in groups:
            path = group.path(wanted)
            if path not in self._open or len(self._open[path].missing(rows)):
                self._open[path] = self._fill(group, rows, together, needed)[wanted]
            with suppress(FileNotFoundError):  # pruned meanwhile: an open array can still be read
                os.utime(path)
            found.append(self._open[path])
        return found

    def _fill(self, group: Group, rows: Rows, names: set[str], needed: set[Path]) -> dict[str, RowStore]:
        with group.locked():
            stores = {name: group.store(name) for name in sorted(names)}
            lacking = {name: missing for name, store in stores.items() if len(missing := store.missing(rows))}
            if lacking:
                more = sum(len(missing) * stores[name].row_bytes for name, missing in lacking.items())
                self._make_room(more, needed)
                union = np.unique(np.concatenate(list(lacking.values())))
                self._run(group, {name: stores[name] for name in lacking}, union)
        return stores

    def _make_room(self, more: int, needed: set[Path]) -> None:
        at_once = more + sum(entry.bytes for entry in self.folder.entries() if entry.path in needed)
        if at_once > self.limit_bytes:
            raise CacheError(
                f"The activations that are needed at once take {at_once / 1e9:.3g} GB, but "
                f"stores.cache_gigabytes in params.yaml allows {self.limit_bytes / 1e9:.3g}. Raise it, or make "
                "views, sizes or the image size smaller."
            )
        self.folder.prune(self.limit_bytes - more, needed)

    def _run(self, group: Group, stores: Mapping[str, RowStore], rows: Rows) -> None:
        """Run the backbone over `rows` from the deepest block whose maps can be read, and write every store."""
        blocks = [block_of(name) for name in stores]
        start, source = group.deepest_source(rows, min(blocks))
        network = self._network(group.backbone, start, max(blocks), frozenset(stores))
        origin = f"block {start}" if start else "images"
        what = f"{group.backbone.spec.name}, {group.view} view, {origin} to block {max(blocks)}: batches"
        for batch, values in track(_batch_by_batch(network, source, rows), what, -(-len(rows) // _BATCH)):
            for name, store in stores.items():
                store.write(batch, values[name])

    def _network(self, backbone: Backbone, start: int, stop: int, names: frozenset[str]) -> Any:
        """The one that ran last is kept, because views follow one another through the same network."""
        key = (backbone, start, stop, names)
        if self._pass[0] != key:
            self._pass = (key, _pass(backbone, start, stop, names))
        return self._pass[1]


def _batch_by_batch(network: Any, source: Rowwise, rows: Rows) -> Iterator[tuple[Rows, dict[str, NDArray[Any]]]]:
    """Some of `rows` after others, each time with the outputs of `network` by name."""
    length = divisible(_BATCH)
    for batch in np.array_split(rows, range(_BATCH, len(rows), _BATCH)):
        outputs = network.predict_on_batch(source[padded(batch, length)])
        yield batch, {name: np.asarray(values)[: len(batch)] for name, values in outputs.items()}


def padded(rows: Rows, length: int) -> Rows:
    """`rows` repeated up to `length`, so that every batch has one shape and the network is traced once."""
    return np.resize(rows, length)


def _pass(backbone: Backbone, start: int, stop: int, names: Collection[str]) -> Any:
    """The network from block `start` to block `stop` with the outputs that `names` asks for on the way."""
    import keras

    x = inputs = keras.Input(backbone.output_shape(start))
    outputs = {}
    for cut in range(start + 1, stop + 1):
        x = backbone.slice(cut - 1, cut)(x, training=False)
        if f"map-{cut}" in names:
            outputs[f"map-{cut}"] = x
        if f"pooled-{cut}" in names:
            outputs[f"pooled-{cut}"] = pool(x)
    return keras.Model(inputs, outputs)
