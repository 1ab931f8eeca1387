"""The test split as files: what a served model is asked about, as its users ask."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.data.manifest import read_manifest
from frostline.data.sources import Source
from frostline.errors import DataError

__all__ = ["HeldOut", "read_held_out"]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """N test images: files, label numbers [N] into `classes`, groups [N] of near duplicates, SHA-256 of the files."""

    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    sha256: tuple[str, ...]
    classes: tuple[str, ...]

    def without(self, sha256: frozenset[str]) -> "HeldOut":
        """All but the images with these digests."""
        kept = np.flatnonzero([digest not in sha256 for digest in self.sha256])
        return HeldOut(
            tuple(self.paths[row] for row in kept),
            self.labels[kept],
            self.groups[kept],
            tuple(self.sha256[row] for row in kept),
            self.classes,
        )


def read_held_out(prepared: Path, source: Source) -> HeldOut:
    """The test split of the manifest in `prepared`, whose images `source` holds. Raises DataError if it is empty."""
    manifest = read_manifest(prepared / "manifest.csv")
    test = manifest[manifest["split"] == "test"]
    if test.empty:
        raise DataError(f"{prepared / 'manifest.csv'} has no test images: raise prepare.test_fraction.")
    classes = tuple(sorted(manifest["label"].unique()))
    return HeldOut(
        paths=tuple(source.root / image for image in test["image"]),
        labels=np.asarray(pd.Categorical(test["label"], classes).codes, dtype=np.int64),
        groups=test["group"].to_numpy(dtype=str),
        sha256=tuple(test["sha256"]),
        classes=classes,
    )
