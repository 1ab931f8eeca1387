"""The prefix cache: activations of frozen blocks, computed once for every image and shared by all trials.

Entries hold one row per image of a packed data set, for one view: the feature map after a block, or its pooled vector.
They are found by a fingerprint of everything they were computed from, so that a changed image, weight, size or
precision is never mistaken for another. Rows are filled when they are first asked for.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from frostline.atomic import atomic_file
from frostline.backbones.surgery import Backbone, pool
from frostline.data.packed import PackedImages
from frostline.fingerprint import fingerprint
from frostline.progress import say, track
from frostline.training.rowstore import RowStore
from frostline.training.views import VIEWS

__all__ = ["PrefixCache", "padded"]

_BATCH = 32
_BATCHES_PER_COMMIT = 16
Rows = NDArray[np.int64]


class PrefixCache:
    """A folder of row stores, held to `limit_bytes`: the least recently used go first."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes

    def maps(self, backbone: Backbone, packed: PackedImages, rows: Rows, view: str, cut: int) -> NDArray[Any]:
        """Feature maps [N, h, w, C] after block `cut`, in the backbone's compute dtype, filled for `rows`.

        Cut 0 is the images themselves under `view` (uint8 [N, S, S, 3]): nothing is computed or stored.
        """
        if cut == 0:
            return VIEWS[view](packed.images)
        return _Group(self._folder, backbone, packed, view).filled(rows, {f"map-{cut}"}, self._evict)[f"map-{cut}"]

    def pooled(self, backbone: Backbone, packed: PackedImages, rows: Rows, view: str, cut: int) -> NDArray[np.float32]:
        """Pooled vectors [N, 2C] float32 (average, then maximum) after block `cut`, filled for `rows`.

        The pass that fills one block's fills every block's, because a search will ask for the others.
        """
        every = {f"pooled-{block}" for block in range(1, backbone.depth + 1)}
        return _Group(self._folder, backbone, packed, view).filled(rows, every, self._evict)[f"pooled-{cut}"]

    def _evict(self, in_use: Path) -> None:
        """Delete the least recently used stores outside the folder `in_use` until the limit is met."""
        stores = sorted(self._folder.glob("*/*.values"), key=lambda path: path.stat().st_mtime)
        total = sum(map(_bytes_on_disk, stores))
        for path in stores:
            if total > self._limit and path.parent != in_use:
                total -= _bytes_on_disk(path)
                path.with_suffix(".checks").unlink(missing_ok=True)
                path.unlink()
        if total > self._limit:
            say(
                f"The prefix cache holds {total / 1e9:.1f} GB, above stores.cache_gigabytes ({self._limit / 1e9:.1f}): "
                "this study alone needs that much. Raise the limit, or search fewer cuts."
            )


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
        self._backbone = backbone
        self._packed = packed
        self._view = view
        self._folder = cache / fingerprint(identity)[:24]
        if not (self._folder / "identity.json").exists():
            with atomic_file(self._folder / "identity.json") as path:
                path.write_text(json.dumps(identity, indent=2))

    def filled(self, rows: Rows, names: set[str], evict: Callable[[Path], None]) -> dict[str, NDArray[Any]]:
        """The arrays called `names` (`map-3`, `pooled-5`), after one pass over whatever rows any of them lacks."""
        with FileLock(self._folder / "lock"):
            stores = {name: self._store(name) for name in names}
            lacking = np.unique(np.concatenate([store.missing(rows) for store in stores.values()]))
            if len(lacking):
                self._fill(lacking, stores)
                evict(self._folder)
            for store in stores.values():
                os.utime(store.path)
            return {name: store.values for name, store in stores.items()}

    def _store(self, name: str) -> RowStore:
        kind, cut = name.split("-")
        shape = self._backbone.output_shape(int(cut))
        row, dtype = (shape, self._backbone.compute_dtype) if kind == "map" else ((2 * shape[-1],), "float32")
        return RowStore(self._folder / f"{name}.values", (len(self._packed.labels), *row), dtype)

    def _fill(self, rows: Rows, stores: dict[str, RowStore]) -> None:
        """Run the backbone over `rows` from the deepest block whose maps can be read, and write every store."""
        stop = max(int(name.split("-")[1]) for name in stores)
        start, source = self._deepest_start(rows, min(int(name.split("-")[1]) for name in stores))
        network = _pass(self._backbone, start, stop, set(stores))
        batches = np.array_split(rows, range(_BATCH, len(rows), _BATCH))
        origin = f"block {start}" if start else "images"
        what = f"{self._backbone.spec.name}, {self._view} view, {origin} to block {stop}: batches"
        pending: list[Rows] = []
        for number, batch in enumerate(track(batches, what, len(batches)), start=1):
            values = network.predict_on_batch(source[padded(batch, _BATCH)])
            for name, store in stores.items():
                store.write(batch, np.asarray(values[name])[: len(batch)])
            pending.append(batch)
            if len(pending) == _BATCHES_PER_COMMIT or number == len(batches):
                for store in stores.values():
                    store.commit(np.concatenate(pending))
                pending = []

    def _deepest_start(self, rows: Rows, below: int) -> tuple[int, NDArray[Any]]:
        for cut in range(below - 1, 0, -1):
            if (self._folder / f"map-{cut}.values").exists():
                store = self._store(f"map-{cut}")
                if not len(store.missing(rows)):
                    return cut, store.values
        return 0, VIEWS[self._view](self._packed.images)


def _pass(backbone: Backbone, start: int, stop: int, names: set[str]) -> Any:
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


def padded(rows: Rows, length: int) -> Rows:
    """`rows` repeated up to `length`, so that every batch has one shape and the network is traced once."""
    return np.resize(rows, length)


def _bytes_on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512
