"""One group of the prefix cache: the arrays of one backbone, one packed data set and one view, and what they hold.

`map-3` is the feature map after block 3, `pooled-5` the pooled vector after block 5; each has a row per image.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from frostline.backbones.surgery import Backbone
from frostline.cache.rowstore import RowStore, row_bytes
from frostline.data.arrays import Rows
from frostline.data.packed import PackedImages
from frostline.data.views import under
from frostline.files.atomic import atomic_file
from frostline.files.writing import writing
from frostline.provenance import Activations
from frostline.runtime.devices import accelerators
from frostline.runtime.progress import say

__all__ = ["Group", "Rows", "Rowwise", "ViewedImages", "block_of", "every_pooled", "map_bytes", "pooled_bytes"]


class Rowwise(Protocol):
    """Whatever gives values [len(rows), ...] for rows of a packed data set: a store, or images under a view."""

    def __getitem__(self, rows: Rows) -> NDArray[Any]: ...


class Group:
    """The entries of one backbone with one set of weights, one packed data set and one view."""

    def __init__(self, cache: Path, backbone: Backbone, packed: PackedImages, view: str) -> None:
        identity = Activations(
            images=packed.fingerprint,
            view=view,
            backbone=backbone.spec.architecture,
            image_size=backbone.image_size,
            weights=backbone.weights.sha256,
            precision=backbone.precision,
            devices=accelerators(),
        )
        self.backbone = backbone
        self.view = view
        self._packed = packed
        self._folder = cache / identity.fingerprint[:24]
        if not (self._folder / "identity.json").exists():
            with atomic_file(self._folder / "identity.json") as path:
                path.write_text(json.dumps(identity.facts, indent=2))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time fills a group, so that two never compute the same rows; who waits is told."""
        file = self._folder / "lock"
        lock = FileLock(file)
        with writing(file):
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
        return 0, ViewedImages(self._packed, self.view)


class ViewedImages:
    """The images [N, S, S, 3] of a packed data set under a view, uint8."""

    def __init__(self, packed: PackedImages, view: str) -> None:
        self._images = packed.images
        self._view = view

    def __getitem__(self, rows: Rows) -> NDArray[np.uint8]:
        from keras import ops

        viewed: NDArray[np.uint8] = ops.convert_to_numpy(under(self._view, self._images[rows]))
        return viewed


def map_bytes(backbone: Backbone, cut: int) -> int:
    """Bytes of one image's feature map after block `cut`."""
    return row_bytes(*_row(backbone, f"map-{cut}"))


def pooled_bytes(backbone: Backbone) -> int:
    """Bytes of one image's pooled vectors after all blocks."""
    return sum(row_bytes(*_row(backbone, name)) for name in every_pooled(backbone))


def block_of(name: str) -> int:
    """The block that the array called `name` is of."""
    return int(name.partition("-")[2])


def _row(backbone: Backbone, name: str) -> tuple[tuple[int, ...], str]:
    shape = backbone.output_shape(block_of(name))
    return (shape, backbone.compute_dtype) if name.startswith("map") else ((2 * shape[-1],), "float32")


def every_pooled(backbone: Backbone) -> set[str]:
    """The names of the pooled vectors after every block."""
    return {f"pooled-{block}" for block in range(1, backbone.depth + 1)}
