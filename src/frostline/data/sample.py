"""Some images of a folder, looked at without preparing it: for a first opinion on a data set."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.config import PrepareConfig
from frostline.data.images import load_square
from frostline.data.inspection import Inspection, inspect_records, manifest_row
from frostline.data.parallel import map_files
from frostline.data.selection import select
from frostline.data.sources import Record
from frostline.data.sources.folder import FolderSource
from frostline.errors import DataError

__all__ = ["Sample", "sample_folder"]


@dataclass(frozen=True, eq=False)
class Sample:
    """Images of a folder at one size.

    `images` is uint8 [N, S, S, 3]; `labels` int64 [N] are numbers into `classes`, which is empty where the folder has
    no class folders (then all are 0); `groups` [N] name near duplicates. `counts` estimates the usable images of each
    class (of all, without classes) in the whole folder, from the `files` found and what became of those `opened`.
    `left_out` counts opened files by the reason why they are not used, `loose` the files beside class folders, which
    have no label. `side` is the median shorter side in pixels.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    counts: tuple[int, ...]
    files: int
    opened: int
    left_out: dict[str, int]
    loose: int
    side: float


def sample_folder(folder: Path, limit: int, image_size: int, prepare: PrepareConfig) -> Sample:
    """At most `limit` images of `folder`, drawn by a hash of their names, equally many of each class where there are.

    A folder with pictures but without class folders is taken as unlabelled. Of train/, val/ and test/ the last is
    left alone, as a cell leaves it. Raises DataError if there is no folder, no file, or no usable image.
    """
    records, classes, loose = _records(folder)
    numbers = {label: number for number, label in enumerate(classes or [""])}
    chosen = _draw(records, limit)
    found = inspect_records(chosen, folder, prepare)
    usable = [manifest_row(record, result) for record, result in found if isinstance(result, Inspection)]
    reasons = Counter(result.reason for _, result in found if not isinstance(result, Inspection))
    if usable:
        table, aside = select(pd.DataFrame(usable), prepare.near_duplicate_bits)
        reasons.update(aside["reason"])
    if not usable or table.empty:
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        raise DataError(f"{folder} holds no usable image: of {len(records)} files, {len(chosen)} were opened ({why}).")

    def load(image: str) -> NDArray[np.uint8]:
        limits = {"min_side": prepare.min_side, "max_pixels": prepare.max_pixels}
        return load_square(folder / image, image_size, "stretch", **limits)

    images = np.stack(list(map_files(load, table["image"].tolist(), "Reading images")))
    files = Counter(record.label for record in records)
    opened = Counter(record.label for record in chosen)
    kept = Counter(table["label"])
    return Sample(
        images=images,
        labels=np.array([numbers[label] for label in table["label"]], dtype=np.int64),
        classes=classes,
        groups=tuple(table["group"]),
        counts=tuple(round(files[label] * kept[label] / opened[label]) for label in numbers),
        files=len(records),
        opened=len(chosen),
        left_out=dict(reasons.most_common()),
        loose=loose,
        side=float(table[["width", "height"]].min(axis=1).median()),
    )


def _records(folder: Path) -> tuple[list[Record], tuple[str, ...], int]:
    """What there is to look at, the sorted classes (none without class folders), and how many files lie beside them."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder (seen from {Path.cwd()}). Give a folder of pictures.")
    loose = [Record(image=file, label="") for file in FolderSource(folder).loose_files()]
    try:
        records = [record for record in FolderSource(folder).records() if record.split != "test"]
    except DataError:
        if loose:
            return loose, (), 0
        raise DataError(f"{folder} is empty. Put pictures into it, best in a sub-folder per class.") from None
    return records, tuple(sorted({record.label for record in records})), len(loose)


def _draw(records: list[Record], limit: int) -> list[Record]:
    """Class by class in turn, each in the order of a hash."""
    ranked: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: hashlib.sha256(record.image.encode(errors="replace")).digest()):
        ranked.setdefault(record.label, []).append(record)
    turns = chain.from_iterable(zip_longest(*(ranked[label] for label in sorted(ranked))))
    return [record for record in turns if record is not None][:limit]
