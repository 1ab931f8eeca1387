"""Some images of a folder, looked at without preparing it: for a first opinion on a data set."""

import hashlib
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from frostline.config.schema import PrepareConfig
from frostline.data.images import decode_cost, load_square, quiet_decoders
from frostline.data.inspection import Inspection, inspect_records, levels_of, manifest_row
from frostline.data.levels import Levels
from frostline.data.parallel import map_files
from frostline.data.readers import open_reader
from frostline.data.selection import select
from frostline.data.sources import Record
from frostline.data.sources.folder import FolderSource
from frostline.data.sources.walk import Walk
from frostline.errors import DataError, ImageError
from frostline.files.reading import reading
from frostline.text.phrases import counted

__all__ = ["Sample", "sample_folder"]


@dataclass(frozen=True, eq=False)
class Sample:
    """Images of a folder at one size.

    `images` is uint8 [N, S, S, 3]; `labels` int64 [N] are numbers into `classes`, which is empty where the folder has
    no class folders (then all are 0); `groups` [N] name near duplicates. `counts` estimates the usable images of each
    class (of all, without classes) in the whole folder, from the `files` found and what became of those `opened`, some
    only far enough to see that they are no pictures. `left_out` counts opened files by the reason why they are not
    used, `loose` the files beside class folders, which have no label. `side` is the median shorter side in pixels.
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

    Files are drawn until there are so many usable images, or none is left, or three times as many were decoded: nearly
    all of those are then copies of one another. Files that are no pictures cost a look at their first bytes. A folder
    with pictures but without class folders is taken as unlabelled. Of train/, val/ and test/ the last is left alone, as
    a cell leaves it. Raises DataError if there is no folder, no file, or no usable image, or if the folders do not say
    what the classes are.
    """
    with reading(folder, DataError):
        records, classes, loose = _records(folder)
    numbers = {label: number for number, label in enumerate(classes or [""])}
    draw = _Draw(folder, records)
    table, levels, reasons = _usable(draw, limit, prepare)
    looked_at = draw.looked_at.total()
    if table.empty:
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        raise DataError(
            f"{folder} holds no usable image: of {counted(len(records), 'file')}, {looked_at} "
            f"{'was' if looked_at == 1 else 'were'} opened ({why})."
        )

    def load(image: str) -> NDArray[np.uint8]:
        min_side, max_pixels = prepare.min_side, prepare.max_pixels
        file = folder / image
        return load_square(file, image_size, "stretch", min_side=min_side, max_pixels=max_pixels, levels=levels)

    names = table["image"].tolist()
    return Sample(
        images=np.stack(list(map_files(load, names, "Reading images", lambda name: decode_cost(folder / name)))),
        labels=np.array([numbers[label] for label in table["label"]], dtype=np.int64),
        classes=classes,
        groups=tuple(table["group"]),
        counts=tuple(draw.estimate(label, Counter(table["label"])) for label in numbers),
        files=len(records),
        opened=looked_at,
        left_out=dict(reasons.most_common()),
        loose=loose,
        side=float(table[["width", "height"]].min(axis=1).median()),
    )


def _records(folder: Path) -> tuple[list[Record], tuple[str, ...], int]:
    """What there is to look at, the sorted classes (none without class folders), and how many files lie beside them."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder (seen from {Path.cwd()}). Give a folder of pictures.")
    loose = [Record(image=file, label="") for file in FolderSource(folder).loose_files()]
    walk = Walk()
    if not any(any(walk.files_below(each)) for each in walk.folders(folder)):
        if loose:
            return loose, (), 0
        raise DataError(f"{folder} is empty. Put pictures into it, best in a sub-folder per class.")
    records = [record for record in FolderSource(folder).records() if record.split != "test"]
    return records, tuple(sorted({record.label for record in records})), len(loose)


class _Draw(Iterator[Record]):
    """The files of a folder that may be pictures: class by class in turn, each in the order of a hash.

    `looked_at` counts, by class, the files that were passed on the way; `no_pictures` those whose first bytes are those
    of something else.
    """

    def __init__(self, folder: Path, records: list[Record]) -> None:
        self.folder = folder
        self.looked_at: Counter[str] = Counter()
        self.no_pictures = 0
        self._files = Counter(record.label for record in records)
        ranked: dict[str, list[Record]] = {}
        for record in sorted(
            records, key=lambda record: hashlib.sha256(record.image.encode(errors="replace")).digest()
        ):
            ranked.setdefault(record.label, []).append(record)
        self._turns = chain.from_iterable(zip_longest(*(ranked[label] for label in sorted(ranked))))

    def __next__(self) -> Record:
        for record in self._turns:
            if record is None:  # its class has no more
                continue
            self.looked_at[record.label] += 1
            if not _is_no_picture(self.folder / record.image):
                return record
            self.no_pictures += 1
        raise StopIteration

    def estimate(self, label: str, usable: Counter[str]) -> int:
        """Images of the class in the folder: as many of its files as of those looked at, in all classes if none was."""
        kept, seen = usable[label], self.looked_at[label]
        if not seen:
            kept, seen = usable.total(), self.looked_at.total()
        return round(self._files[label] * kept / seen)


def _usable(draw: _Draw, limit: int, prepare: PrepareConfig) -> tuple[pd.DataFrame, Levels, Counter[str]]:
    """Up to `limit` rows for the images to use (none: empty), their levels, and why others are not used, counted."""
    found: list[tuple[Record, Inspection | ImageError]] = []
    table = aside = pd.DataFrame()
    while wanted := min(limit - len(table), 3 * limit - len(found)):
        batch = list(islice(draw, wanted))
        if not batch:
            break
        found += inspect_records(batch, draw.folder, prepare)
        rows = [manifest_row(record, result) for record, result in found if isinstance(result, Inspection)]
        if rows:
            table, aside = select(pd.DataFrame(rows), prepare.near_duplicate_bits)
    reasons = Counter(result.reason for _, result in found if isinstance(result, ImageError))
    reasons += Counter({"unreadable": draw.no_pictures})
    return table, levels_of(found), reasons + Counter(aside.get("reason"))


def _is_no_picture(file: Path) -> bool:
    """Whether the first bytes of `file` are those of something else. What cannot be told is left to `decode`."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return False
        with quiet_decoders(), file.open("rb") as stream:
            open_reader(stream)
            return False
    except UnidentifiedImageError:
        return True
    except Exception:  # of the system, or of a format's reader: `decode` names the reason
        return False
