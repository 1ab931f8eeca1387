"""What every source gives: records of pictures below a root, and a fingerprint of what it holds now."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from frostline.fingerprint import fingerprint

__all__ = ["SPLIT_NAMES", "Record", "Source", "files_state"]

# The names that sources give to the three splits, and ours.
SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Record:
    """One picture as its source names it; whether the file is usable is found out later.

    `image` is a path relative to the source's root, with forward slashes. `split` is train, val, test or None;
    `group` names pictures that must share a split, or is None; `extra` holds the source's other columns.
    """

    image: str
    label: str
    split: str | None = None
    group: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Labelled pictures below `root`."""

    @property
    def root(self) -> Path:
        """The folder that the records' paths start from."""

    def records(self) -> list[Record]:
        """Every picture that the source names. Raises DataError if the source cannot be used as a whole."""

    def state(self) -> str:
        """A cheap fingerprint that changes when the source's pictures or labels change. Raises as `records` does."""


def files_state(root: Path, images: Iterable[str]) -> str:
    """Fingerprint of the names, sizes and modification times of files, without opening any of them."""
    return fingerprint(sorted(_file_state(root, image) for image in images))


def _file_state(root: Path, image: str) -> tuple[str, int, int]:
    name = os.fsencode(image).decode("utf-8", "backslashreplace")
    try:
        status = (root / image).stat()
    except OSError:  # a broken or looping link, or a file that a table names but nobody has
        return (name, -1, -1)
    return (name, status.st_size, status.st_mtime_ns)
