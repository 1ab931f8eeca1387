"""The test split as files: what a served model is asked about, as its users ask; and some of the other images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.data.manifest import read_manifest
from frostline.data.sources import Source
from frostline.errors import DataError

__all__ = ["TestSet", "read_test_set", "training_files"]


@dataclass(frozen=True, eq=False)
class TestSet:
    """N test images: files, label numbers [N] into `classes`, groups [N] of near duplicates, SHA-256 of the files.

    `elsewhere` gives the group of every image of the other splits, by its SHA-256.
    """

    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    sha256: tuple[str, ...]
    classes: tuple[str, ...]
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def without(self, sha256: frozenset[str]) -> "TestSet":
        """All but the images with these digests, and those that share a group with one."""
        group_of = dict(self.elsewhere) | dict(zip(self.sha256, self.groups.tolist(), strict=True))
        seen = {group_of[digest] for digest in sha256 & group_of.keys()}
        return self.only(np.array([group not in seen for group in self.groups.tolist()], dtype=np.bool_))

    def of_classes(self, known: Sequence[str]) -> "TestSet":
        """The images of the classes `known`, with labels that are numbers into these."""
        numbers = np.array([known.index(name) if name in known else -1 for name in self.classes], dtype=np.int64)
        found = replace(self, labels=numbers[self.labels], classes=tuple(known))
        return found.only(found.labels >= 0)

    def only(self, chosen: NDArray[np.bool_]) -> "TestSet":
        """The images where `chosen` [N] is true."""
        rows = np.flatnonzero(chosen)
        return replace(
            self,
            paths=tuple(self.paths[row] for row in rows),
            labels=self.labels[rows],
            groups=self.groups[rows],
            sha256=tuple(self.sha256[row] for row in rows),
        )


def read_test_set(prepared: Path, source: Source) -> TestSet:
    """The test split of the manifest in `prepared`, whose images `source` holds. Raises DataError if it is empty."""
    manifest = read_manifest(prepared / "manifest.csv")
    tested = manifest["split"] == "test"
    test, others = manifest[tested], manifest[~tested]
    if test.empty:
        raise DataError(f"{prepared / 'manifest.csv'} has no test images: raise prepare.test_fraction.")
    classes = tuple(sorted(manifest["label"].unique()))
    return TestSet(
        paths=tuple(source.root / image for image in test["image"]),
        labels=np.asarray(pd.Categorical(test["label"], classes).codes, dtype=np.int64),
        groups=test["group"].to_numpy(dtype=str),
        sha256=tuple(test["sha256"]),
        classes=classes,
        elsewhere=dict(zip(others["sha256"], others["group"], strict=True)),
    )


def training_files(prepared: Path, source: Source, count: int, seed: int) -> list[Path]:
    """At most `count` images, drawn by `seed`, that the manifest in `prepared` has in other splits than the test's."""
    manifest = read_manifest(prepared / "manifest.csv")
    others = manifest[manifest["split"] != "test"]
    drawn = others.sample(min(count, len(others)), random_state=seed)
    return [source.root / image for image in drawn["image"]]
