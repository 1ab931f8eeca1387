"""What the driver sends to each node once: the cell with its images, and the backbone's weights."""

import platform
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from filelock import FileLock

from frostline.config.schema import BackboneConfig, TrainConfig
from frostline.files.atomic import atomic_file
from frostline.training.cell import Cell

if TYPE_CHECKING:  # it imports Keras
    from frostline.training.setup import Setup

__all__ = ["Material"]


@dataclass(frozen=True, eq=False)
class Material:
    """What a worker trains with; `cell`, and `weights` (the bytes of a weights file), are in Ray's object store.

    `cache` is the folder of the driver's prefix cache, `host` the driver's name.
    """

    cell: Any
    weights: Any
    weights_sha256: str
    name: str
    backbone: BackboneConfig
    train: TrainConfig
    cache: Path
    limit_bytes: int
    seed: int
    host: str

    @classmethod
    def sent(cls, setup: "Setup") -> Self:
        """What `setup` is made of. Cell and weights go into Ray's object store, of which each node has one copy."""
        import ray

        packed = replace(setup.cell.packed, images=np.asarray(setup.cell.packed.images))  # no file's map
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "backbone.weights.h5"
            setup.backbone.network.save_weights(file)
            weights = file.read_bytes()
        return cls(
            cell=ray.put(replace(setup.cell, packed=packed)),
            weights=ray.put(weights),
            weights_sha256=setup.backbone.weights.sha256,
            name=setup.name,
            backbone=setup.config,
            train=setup.train,
            cache=setup.cache.folder.path.resolve(),
            limit_bytes=setup.cache.limit_bytes,
            seed=setup.seed,
            host=platform.node(),
        )

    @property
    def cache_here(self) -> Path:
        """The folder of this machine's prefix cache: two hosts never share one, as locks do not hold between them."""
        here = platform.node()
        return self.cache if here == self.host else self.cache / "hosts" / here

    def received_cell(self) -> Cell:
        """The cell, its arrays in memory that the node's workers share."""
        import ray

        cell: Cell = ray.get(self.cell)
        return cell

    def received_backbone(self) -> BackboneConfig:
        """The backbone with a file of this machine for its weights, written by the first worker that needs it."""
        import ray

        file = self.cache_here / "weights" / f"{self.weights_sha256[:24]}.weights.h5"
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock")):
            if not file.exists():
                with atomic_file(file) as path:
                    path.write_bytes(ray.get(self.weights))
        return self.backbone.model_copy(update={"weights": str(file)})
