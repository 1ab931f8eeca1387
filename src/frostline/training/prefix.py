"""The prefix cache: activations of frozen blocks, computed once for every image and shared by all trials.

Entries hold one row per image of a packed data set, for one view: the feature map after a block, or its pooled vector.
They are found by a fingerprint of everything they were computed from, so that a changed image, weight, size or
precision is never mistaken for another. Rows are filled when they are first asked for, in one pass for all that is
asked for together, a batch at a time: memory does not grow with the data set.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from frostline.atomic import atomic_file
from frostline.backbones.surgery import Backbone, pool
from frostline.data.packed import PackedImages
from frostline.errors import CacheError
from frostline.fingerprint import fingerprint
from frostline.progress import say, track
from frostline.training.cachefolder import CacheFolder
from frostline.training.devices import divisible
from frostline.training.rowstore import RowStore, row_bytes
from frostline.training.views import VIEWS

__all__ = ["PrefixCache", "Rowwise", "map_bytes", "padded", "pooled_bytes"]

_BATCH = 32
Rows = NDArray[np.int64]


class Rowwise(Protocol):
    """Whatever gives values [len(rows), ...] for rows of a packed data set: a store, or images under a view."""

    def __getitem__(self, rows: Rows) -> NDArray[Any]: ...


class PrefixCache:
    """Activations below `folder`, held to `limit_bytes` on disk: the least recently used go first."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.folder = CacheFolder(folder)
        self._open: dict[Path, RowStore] = {}
        self._pass: tuple[object, Any] = (None, None)

    def fill(
        self, backbone: Backbone, packed: PackedImages, rows: Rows, views: Sequence[str], cuts: Collection[int]
    ) -> None:
        """Compute, in one pass over each view, pooled vectors after every block and maps after `cuts` for `rows`."""
        names = _every_pooled(backbone) | {f"map-{cut}" for cut in cuts}
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
            return [_ViewedImages(packed, view) for view in views]
        return self._stored(backbone, packed, rows, views, f"map-{cut}", {f"map-{cut}"})

    def pooled(
        self, backbone: Backbone, packed: PackedImages, rows: Rows, views: Sequence[str], block: int
    ) -> list[Rowwise]:
        """Pooled vectors [., 2C] float32 (average, then maximum) after `block`, filled for `rows`, per view.

        The pass that fills one block's fills every block's, because a search will ask for the others.
        """
        return self._stored(backbone, packed, rows, views, f"pooled-{block}", _every_pooled(backbone))

    def _groups(self, backbone: Backbone, packed: PackedImages, views: Sequence[str]) -> list["_Group"]:
        return [_Group(self.folder.path, backbone, packed, view) for view in views]

    def _stored(
        self,
        backbone: Backbone,
        packed: PackedImages,
        rows: Rows,
        views: Sequence[str],
        wanted: str,
        together: set[str],
    ) -> list[Rowwise]:
        """The array `wanted` under each view; where it lacks rows, all the arrays `together` are filled in one pass."""
        groups = self._groups(backbone, packed, views)
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

    def _fill(self, group: "_Group", rows: Rows, names: set[str], needed: set[Path]) -> dict[str, RowStore]:
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
                "search.views, sizes or the image size smaller."
            )
        self.folder.prune(self.limit_bytes - more, needed)

    def _run(self, group: "_Group", stores: Mapping[str, RowStore], rows: Rows) -> None:
        """Run the backbone over `rows` from the deepest block whose maps can be read, and write every store."""
        blocks = [_block(name) for name in stores]
        start, source = group.deepest_source(rows, min(blocks))
        network = self._network(group.backbone, start, max(blocks), frozenset(stores))
        batches = np.array_split(rows, range(_BATCH, len(rows), _BATCH))
        origin = f"block {start}" if start else "images"
        what = f"{group.backbone.spec.name}, {group.view} view, {origin} to block {max(blocks)}: batches"
        length = divisible(_BATCH)
        for batch in track(batches, what, len(batches)):
            values = network.predict_on_batch(source[padded(batch, length)])
            for name, store in stores.items():
                store.write(batch, np.asarray(values[name])[: len(batch)])

    def _network(self, backbone: Backbone, start: int, stop: int, names: frozenset[str]) -> Any:
        """The one that ran last is kept, because views follow one another through the same network."""
        key = (backbone, start, stop, names)
        if self._pass[0] != key:
            self._pass = (key, _pass(backbone, start, stop, names))
        return self._pass[1]


class _Group:
    """The entries of one backbone with one set of weights, one packed data set and one view."""

    def __init__(self, cache: Path, backbone: Backbone, packed: PackedImages, view: str) -> None:
        import keras

        identity = {
            "application": backbone.spec.application,
            "weights": backbone.weights.sha256,
            "image_size": backbone.image_size,
            "precision": backbone.precision,
            "images": packed.fingerprint,
            "view": view,
            "backend": keras.backend.backend(),
        }
        self.backbone = backbone
        self.view = view
        self._packed = packed
        self._folder = cache / fingerprint(identity)[:24]
        if not (self._folder / "identity.json").exists():
            with atomic_file(self._folder / "identity.json") as path:
                path.write_text(json.dumps(identity, indent=2))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time fills a group, so that two never compute the same rows; who waits is told."""
        lock = FileLock(self._folder / "lock")
        try:
            lock.acquire(timeout=1)
        except Timeout:
            say(f"Another process is filling the {self.view} view of the prefix cache; waiting for it.")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def path(self, name: str) -> Path:
        """The file of the array called `name`: `map-3` (feature maps after block 3) or `pooled-5`."""
        return self._folder / f"{name}.values"

    def store(self, name: str) -> RowStore:
        """The array called `name`, filled or not."""
        shape, dtype = _row(self.backbone, name)
        return RowStore(self.path(name), (len(self._packed.labels), *shape), dtype)

    def deepest_source(self, rows: Rows, below: int) -> tuple[int, Rowwise]:
        """The deepest block before `below` whose maps of all `rows` can be read, and those; else the images."""
        for cut in range(below - 1, 0, -1):
            if self.path(f"map-{cut}").exists() and not len((store := self.store(f"map-{cut}")).missing(rows)):
                return cut, store
        return 0, _ViewedImages(self._packed, self.view)


class _ViewedImages:
    def __init__(self, packed: PackedImages, view: str) -> None:
        self._images = packed.images
        self._view = VIEWS[view]

    def __getitem__(self, rows: Rows) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self._view(self._images[rows]))


def map_bytes(backbone: Backbone, cut: int) -> int:
    """Bytes of one image's feature map after block `cut`."""
    return row_bytes(*_row(backbone, f"map-{cut}"))


def pooled_bytes(backbone: Backbone) -> int:
    """Bytes of one image's pooled vectors after all blocks."""
    return sum(row_bytes(*_row(backbone, name)) for name in _every_pooled(backbone))


def padded(rows: Rows, length: int) -> Rows:
    """`rows` repeated up to `length`, so that every batch has one shape and the network is traced once."""
    return np.resize(rows, length)


def _block(name: str) -> int:
    return int(name.partition("-")[2])


def _row(backbone: Backbone, name: str) -> tuple[tuple[int, ...], str]:
    shape = backbone.output_shape(_block(name))
    return (shape, backbone.compute_dtype) if name.startswith("map") else ((2 * shape[-1],), "float32")


def _every_pooled(backbone: Backbone) -> set[str]:
    return {f"pooled-{block}" for block in range(1, backbone.depth + 1)}


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
