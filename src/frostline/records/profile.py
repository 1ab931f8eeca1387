"""A profile: what was measured about a data set with a backbone, and what the guide makes of it, per cell.

`results/profile/<data set>-<backbone>.json` is one; `frostline advise` prints one.
"""

from pathlib import Path

from frostline.config.frozen import Frozen
from frostline.config.schema import ProfileConfig
from frostline.config.types import Similarity, SizeClass, StrategyName
from frostline.errors import ArtifactError
from frostline.files.atomic import atomic_file
from frostline.files.outputs import output_of
from frostline.statistics.interval import Interval

__all__ = ["BlockProbe", "CellProfile", "LayerShift", "Profile"]


class LayerShift(Frozen):
    """A layer's name, the block it is in (from 1), and its shift."""

    name: str
    block: int
    shift: Interval


class BlockProbe(Frozen):
    """A block (from 1), its name, the probe's balanced accuracy on it, and LogME's evidence for it."""

    name: str
    block: int
    balanced_accuracy: Interval
    log_evidence: float


class CellProfile(Frozen):
    """One cell: its size, its data set's shift, its own depth profile, and the guide's recommendation.

    The shift is measured on `measured` images of the data set, the same for all its cells, and None where the backbone
    has no reference. The probe reads `probed` images of the cell; `blocks` is empty where its classes are too few or
    too small for that. `peak` is the block that the probe reads best; `cut` is how many blocks `start_of_convnet`
    should keep, `gain` by how much the probe's balanced accuracy is higher there than after the last block.
    """

    images: int
    per_class: float
    measured: int
    probed: int
    size: SizeClass
    similarity: Similarity
    shift: Interval | None
    regime: str
    strategies: tuple[StrategyName, ...]
    reason: str
    order: tuple[StrategyName, ...]
    peak: int | None
    cut: int | None
    gain: Interval | None
    layers: tuple[LayerShift, ...]
    blocks: tuple[BlockProbe, ...]


class Profile(Frozen):
    """The cells of one data set by size, as one backbone sees them at `image_size` pixels.

    `reference` says in words what they were compared with, `similar_up_to` up to which shift they count as similar to
    it; both are None where there is nothing to compare with.
    """

    dataset: str
    backbone: str
    application: str
    image_size: int
    reference: str | None
    similar_up_to: float | None
    thresholds: ProfileConfig
    block_names: tuple[str, ...]
    cells: dict[str, CellProfile]

    @classmethod
    def read(cls, path: Path) -> "Profile":
        """The profile at `path`. Raises ArtifactError if there is none, or one from another version."""
        with output_of("profile", path):
            return cls.model_validate_json(path.read_text(encoding="utf-8"))

    def cell(self, size: str) -> CellProfile:
        """The cell of `size`. Raises ArtifactError if the profile was made before params.yaml named it."""
        if size not in self.cells:
            raise ArtifactError(f"The profile of {self.dataset} has no size '{size}': run the stage profile again.")
        return self.cells[size]

    def write(self, path: Path) -> None:
        """Write the profile to `path`."""
        with atomic_file(path) as temporary:
            temporary.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
