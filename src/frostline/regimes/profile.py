"""A profile: what was measured about a data set with a backbone, and what the guide makes of it, per cell.

`results/profile/<data set>-<backbone>.json` is one; `frostline advise` prints one.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from threadpoolctl import threadpool_limits

from frostline.atomic import atomic_file
from frostline.backbones.surgery import Backbone
from frostline.config import ProfileConfig
from frostline.errors import DataError
from frostline.interval import Interval
from frostline.regimes.activations import Activations, measured_layers
from frostline.regimes.guide import Similarity, SizeClass, classify_similarity, classify_size, recommend
from frostline.regimes.probe import log_evidence, probe_score, usable_folds
from frostline.regimes.reference import Reference
from frostline.regimes.shift import measure_shift

__all__ = ["MIN_IMAGES", "BlockProbe", "CellProfile", "LayerShift", "Profile", "profile_cell"]

MIN_IMAGES = 20
"""Fewer say nothing certain about similarity: at 10, grey photographs reach the threshold by chance."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LayerShift(_Record):
    """A layer's name, the block it is in (from 1), and its shift."""

    name: str
    block: int
    shift: Interval


class BlockProbe(_Record):
    """A block (from 1), its name, the probe's balanced accuracy on it, and LogME's evidence for it."""

    name: str
    block: int
    balanced_accuracy: Interval
    log_evidence: float


class CellProfile(_Record):
    """One cell: its size, its shift and depth profile over `measured` of its images, and the guide's recommendation.

    `shift` is None where the backbone has no reference; `blocks` is empty where the classes are too few or too small
    to probe. `cut` is how many blocks `start_of_convnet` should keep: those up to the best one but the last.
    """

    images: int
    per_class: float
    measured: int
    size: SizeClass
    similarity: Similarity
    shift: Interval | None
    regime: str
    strategies: tuple[str, ...]
    reason: str
    order: tuple[str, ...]
    peak: int | None
    cut: int | None
    layers: tuple[LayerShift, ...]
    blocks: tuple[BlockProbe, ...]


class Profile(_Record):
    """The cells of one data set by size, as one backbone sees them at `image_size` pixels."""

    dataset: str
    backbone: str
    application: str
    image_size: int
    reference: str | None
    thresholds: ProfileConfig
    block_names: tuple[str, ...]
    cells: dict[str, CellProfile]

    @classmethod
    def read(cls, path: Path) -> "Profile":
        """The profile at `path`. Raises DataError if there is none, or one from another version."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"{path} does not exist: run the stage profile first (`dvc repro` does).") from None
        except ValidationError as error:
            raise DataError(
                f"{path} is not a profile of this version: run the stage profile again ({error.error_count()} faults)."
            ) from None

    def cell(self, size: str) -> CellProfile:
        """The cell of `size`. Raises DataError if the profile was made before params.yaml named it."""
        if size not in self.cells:
            raise DataError(f"The profile of {self.dataset} has no size '{size}': run the stage profile again.")
        return self.cells[size]

    def write(self, path: Path) -> None:
        """Write the profile to `path`."""
        with atomic_file(path) as temporary:
            temporary.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def profile_cell(
    backbone: Backbone,
    reference: Reference | None,
    activations: Activations,
    labels: NDArray[np.int64],
    groups: Sequence[str],
    counts: Sequence[int],
    config: ProfileConfig,
    seed: int,
) -> CellProfile:
    """Profile a cell from the `activations` of some of its images.

    `labels` [N] (all one number where there are no labels) and `groups` [N] belong to those images; `counts` are all
    the cell's images by class.
    """
    measured = len(labels)
    # One thread: these matrices are small, and linear algebra's threads wait a hundred times longer than they work
    # where the backend's threads, or another process, hold the cores.
    with threadpool_limits(1):
        shift = measure_shift(activations, reference, seed) if reference else None
        blocks = _depth_profile(backbone, activations, labels, groups, config.folds, seed)
    layers = tuple(
        LayerShift(name=layer.name, block=layer.block, shift=value)
        for layer, value in zip(measured_layers(backbone), shift.layers if shift else (), strict=False)
    )
    size = classify_size(float(np.median(counts)), sum(counts), config)
    similarity = classify_similarity(shift.score if shift and measured >= MIN_IMAGES else None, config)
    recommendation = recommend(size, similarity)
    return CellProfile(
        images=sum(counts),
        per_class=float(np.median(counts)),
        measured=measured,
        size=size,
        similarity=similarity,
        shift=shift.score if shift else None,
        regime=recommendation.regime,
        strategies=recommendation.strategies,
        reason=recommendation.reason,
        order=recommendation.order,
        peak=_best(blocks),
        cut=_best(blocks[:-1]),
        layers=layers,
        blocks=blocks,
    )


def _depth_profile(
    backbone: Backbone,
    activations: Activations,
    labels: NDArray[np.int64],
    groups: Sequence[str],
    folds: int,
    seed: int,
) -> tuple[BlockProbe, ...]:
    folds = usable_folds(labels, groups, folds)
    if folds < 2:
        return ()
    return tuple(
        BlockProbe(
            name=name,
            block=block,
            balanced_accuracy=probe_score(features, labels, groups, folds, seed),
            log_evidence=log_evidence(features, labels),
        )
        for block, (name, features) in enumerate(zip(backbone.block_names, activations.pooled, strict=True), start=1)
    )


def _best(blocks: Sequence[BlockProbe]) -> int | None:
    return max(blocks, key=lambda block: block.balanced_accuracy.value).block if blocks else None
