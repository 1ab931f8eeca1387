"""Some images of a data set, or of a folder that is not prepared: enough for an opinion on it.

`frostline advise` and the stage `profile` look at the same images of a folder that is small enough to be opened whole.
"""

import hashlib
import stat
from bisect import bisect_right
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
from frostline.data.arrays import Rows
from frostline.data.images import decode_cost, load_square, quiet_decoders
from frostline.data.inspection import Inspection, inspect_records, levels_of, manifest_row
from frostline.data.levels import Levels
from frostline.data.parallel import map_files
from frostline.data.readers import open_reader
from frostline.data.selection import select
from frostline.data.sources import Record
from frostline.data.sources.folder import FolderSource
from frostline.data.sources.metadata import read_metadata
from frostline.data.sources.walk import Walk
from frostline.data.splits import assign_splits, cell_rows
from frostline.errors import DataError, ImageError
from frostline.files.reading import reading
from frostline.text.phrases import counted

__all__ = ["Sample", "sample_folder", "sample_rows"]

_WHOLE = 10
"""Times the images wanted: a folder of so many files is opened whole, and split as `prepare` would."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Images of a folder at one size.

    `images` is uint8 [N, S, S, 3]; `labels` int64 [N] are numbers into `classes`, which is empty where the folder has
    no class folders (then all are 0); `groups` [N] name near duplicates. `counts` estimates the usable images of each
    class (of all, without classes) in the whole folder but for its own test split, from the `files` found and what
    became of those `opened`, some only far enough to see that they are no pictures; `trainable` how many of these are
    left when a test split was drawn. `left_out` counts opened files by the reason why they are not used, `loose` the
    files beside class folders, which have no label. `side` is the median shorter side in pixels.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    counts: tuple[int, ...]
    trainable: tuple[int, ...]
    files: int
    opened: int
    left_out: dict[str, int]
    loose: int
    side: float


def sample_rows(index: pd.DataFrame, limit: int, seed: int) -> Rows:
    """Row numbers, int64, of at most `limit` images of the splits train and val: of each class as many, if it has them.

    They are the largest cell (see `cell_rows`) that is within the limit, so that of any other cell they hold all
    images or, of each class, so many.
    """
    of_class = index.loc[index["split"] != "test", "label"].value_counts()
    per_class = bisect_right(range(1, limit + 1), limit, key=lambda most: of_class.clip(upper=most).sum())
    return cell_rows(index, max(1, per_class), seed)[:limit]


def sample_folder(folder: Path, limit: int, image_size: int, prepare: PrepareConfig, seed: int) -> Sample:
    """At most `limit` images of `folder`, equally many of each class where there are, and none of its test split.

    A folder of up to ten times as many files is opened whole. If it has classes, it is split as the stage `prepare`
    splits it, and the images are those that the stage `profile` looks at, in the same order. Of a larger one, files are
    drawn by a hash of their names until there are so many usable images, or none is left, or three times as many were
    decoded: nearly all of those are then copies of one another. Files that are no pictures cost a look at their first
    bytes. A folder with pictures but without class folders is taken as unlabelled. Raises DataError if there is no
    folder, no file, or no usable image, or if the folders do not say what the classes are.
    """
    with reading(folder, DataError):
        records, classes, loose = _records(folder)
    held_apart = any(record.split == "test" for record in records)
    whole = len(records) <= _WHOLE * limit
    if not whole:
        records = [record for record in records if record.split != "test"]
    draw = _Draw(folder, records)
    table, levels, reasons = _usable(draw, len(records) if whole else limit, prepare)
    if table.empty or (table["split"] == "test").all():
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        looked_at = draw.looked_at.total()
        raise DataError(
            f"{folder} holds no usable image: of {counted(len(records), 'file')}, {looked_at} "
            f"{'was' if looked_at == 1 else 'were'} opened ({why})."
        )
    numbers = {label: number for number, label in enumerate(classes or [""])}
    usable = Counter(table.loc[table["split"] != "test", "label"])
    counts = [draw.estimate(label, usable) for label in numbers]
    trainable = counts
    if not held_apart and len(classes) > 1:
        trainable = [round(count * (1 - prepare.test_fraction)) for count in counts]
        if whole:
            table = _split(table, prepare, seed)
            left = Counter(table.loc[table["split"] != "test", "label"])
            trainable = [left[label] for label in numbers]
    chosen = table.iloc[sample_rows(table, limit, seed)]

    def load(image: str) -> NDArray[np.uint8]:
        min_side, max_pixels = prepare.min_side, prepare.max_pixels
        file = folder / image
        return load_square(file, image_size, "stretch", min_side=min_side, max_pixels=max_pixels, levels=levels)

    names = chosen["image"].tolist()
    return Sample(
        images=np.stack(list(map_files(load, names, "Reading images", lambda name: decode_cost(folder / name)))),
        labels=np.array([numbers[label] for label in chosen["label"]], dtype=np.int64),
        classes=classes,
        groups=tuple(chosen["group"]),
        counts=tuple(counts),
        trainable=tuple(trainable),
        files=len(records),
        opened=draw.looked_at.total(),
        left_out=dict(reasons.most_common()),
        loose=loose,
        side=float(table.loc[table["split"] != "test", ["width", "height"]].min(axis=1).median()),
    )


def _records(folder: Path) -> tuple[list[Record], tuple[str, ...], int]:
    """What there is to look at, the sorted classes (none without class folders), and how many files lie beside them."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder (seen from {Path.cwd()}). Give a folder of pictures.")
    loose = [Record(image=file, label="") for file in FolderSource(folder).loose_files()]
    if labelled := read_metadata(folder):
        named = {record.image for record in labelled.records}
        return labelled.records, _classes(labelled.records), sum(record.image not in named for record in loose)
    walk = Walk()
    if not any(any(walk.files_below(each)) for each in walk.folders(folder)):
        if loose:
            return loose, (), 0
        raise DataError(f"{folder} is empty. Put pictures into it, best in a sub-folder per class.")
    records = FolderSource(folder).records()
    return records, _classes(records), len(loose)


def _classes(records: list[Record]) -> tuple[str, ...]:
    return tuple(sorted({record.label for record in records if record.split != "test"}))


def _split(table: pd.DataFrame, prepare: PrepareConfig, seed: int) -> pd.DataFrame:
    """`table` with a test split drawn."""
    columns = (table[name].tolist() for name in ("label", "group", "split"))
    return table.assign(split=assign_splits(*columns, test_fraction=prepare.test_fraction, seed=seed))


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
