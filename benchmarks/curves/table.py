"""How the table is kept: a compressed file per cell, with a curve for each variant and setting."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.typing import NDArray

from frostline.files.atomic import atomic_file
from frostline.training.settings import DepthGroup, TrialSettings, group_of

from .cells import CellKey

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Curve:
    """What one setting gave in one cell, under one variant of how it is trained.

    `arrays` has `margins`, log odds of an image's own class: of validation images [E, N] after each of E epochs, fold
    after fold of those that were trained (of a head [R, N] in R draws of all folds); and packed bits `right` [E, T] of
    what is named rightly of the test images, by a network trained on the first fold's training images. `raw_...` are of
    weights as they are after an epoch, others of weights averaged over steps; variants have the latter alone.
    `test_margins` [2, T] are of a head that was fitted to the first fold's training images, and of one fitted to all
    images of the cell. `labels` [N] and `test_labels` [T] are those of the images. Costs are in `facts`.
    """

    cell: CellKey
    variant: str
    name: str
    facts: Mapping[str, Any]
    arrays: Arrays

    @property
    def settings(self) -> TrialSettings:
        return TrialSettings.model_validate(self.facts["settings"])

    @property
    def group(self) -> DepthGroup:
        return group_of(self.settings)

    def test_scores(self, kind: str = "") -> NDArray[np.float64]:
        """Balanced accuracy [E] on test images after each epoch; of weights as they are if `kind` is `raw_`."""
        return balanced(self.right(kind), self.arrays["test_labels"])

    def right(self, kind: str = "") -> NDArray[np.uint8]:
        """Whether each test image was named rightly [E, T], after each epoch."""
        return np.unpackbits(self.arrays[f"{kind}right"], axis=1, count=len(self.arrays["test_labels"]))


def balanced(right: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.float64]:
    """The mean over the classes of the mean of `right` [..., N] over the images of classes `labels` [N]: [...]."""
    return np.mean([right[..., labels == name].mean(axis=-1) for name in np.unique(labels)], axis=0)


class Table:
    """Curves in the files `<cell>.zip` of a folder, which are added to as they are made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, cell: CellKey, variant: str, name: str) -> bool:
        path = self._path(cell)
        if not path.exists():
            return False
        with ZipFile(path) as file:
            return f"{variant}/{name}.json" in file.namelist()

    def add(self, curve: Curve) -> None:
        """The file is written anew, so that an interrupted benchmark never leaves a broken one."""
        path = self._path(curve.cell)
        before = path.read_bytes() if path.exists() else b""
        content = BytesIO(before)
        with ZipFile(content, "a", ZIP_DEFLATED, compresslevel=9) as file:
            place = f"{curve.variant}/{curve.name}"
            packed = BytesIO()
            np.savez(packed, **curve.arrays)
            file.writestr(f"{place}.npz", packed.getvalue())
            file.writestr(f"{place}.json", json.dumps(curve.facts))
        with atomic_file(path) as temporary:
            temporary.write_bytes(content.getvalue())

    def curves(self) -> Iterator[Curve]:
        """All of them, cell after cell."""
        for path in sorted(self._folder.glob("*.zip")):
            dataset, per_class, seed = path.stem.rsplit("-", 2)
            with ZipFile(path) as file:
                for entry in file.namelist():
                    if entry.endswith(".json"):
                        variant, name = entry.removesuffix(".json").split("/")
                        with np.load(BytesIO(file.read(f"{variant}/{name}.npz"))) as arrays:
                            kept = dict(arrays)
                        facts = json.loads(file.read(entry))
                        yield Curve(CellKey(dataset, int(per_class), int(seed)), variant, name, facts, kept)

    def _path(self, cell: CellKey) -> Path:
        return self._folder / f"{cell}.zip"
