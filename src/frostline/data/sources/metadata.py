"""Tables that lie among pictures and say their labels: `metadata.csv` and `metadata.jsonl` of Hugging Face."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from frostline.config.datasets import Columns
from frostline.data.sources.columns import places_of
from frostline.data.sources.folder_names import is_picture_name
from frostline.data.sources.record import Reading, Record
from frostline.data.sources.split_names import UNLABELLED, parse, settle
from frostline.data.sources.table import CsvSource
from frostline.data.sources.table_text import read_rows
from frostline.data.sources.walk import Walk
from frostline.text.phrases import counted
from frostline.text.words import encodable

__all__ = ["read_metadata"]

_TABLES = ("metadata.csv", "metadata.jsonl")
_COLUMNS = Columns(image="file_name")


def read_metadata(root: Path) -> Reading | None:
    """What the tables below `root` say, or None if none of them has the columns file_name and label.

    The split of a picture is that of the folders above it. Raises DataError as `CsvSource` does.
    """
    tables = [folder / name for folder in _folders(root, Walk()) for name in _TABLES if (folder / name).is_file()]
    labelled = [table for table in tables if _has_labels(table)]
    if not labelled:
        return None
    records = [_moved(record, table.parent.relative_to(root)) for table in labelled for record in _read(table)]
    given = {record.split for record in records}
    records = [replace(record, split=settle(record.split, given)) if record.split else record for record in records]
    left_out = {
        encodable(table.relative_to(root).as_posix()): "without the columns file_name and label"
        for table in tables
        if table not in labelled
    }
    named = {root / record.image for record in records}
    if count := sum(is_picture_name(file.name) and file not in named for file in Walk().files_below(root)):
        left_out[counted(count, "file")] = "in no table that says its label"
    return Reading(records, left_out=left_out)


def _folders(folder: Path, walk: Walk) -> Iterator[Path]:
    """Where a table may be: `folder`, its folders, and below a single folder, which only wraps, again."""
    yield folder
    folders = walk.folders(folder)
    if len(folders) == 1:
        yield from _folders(folders[0], walk)
    else:
        yield from folders


def _has_labels(table: Path) -> bool:
    header = next(iter(read_rows(table, _COLUMNS.asked_for)), None)
    return header is not None and all(places_of(header.cells, name) for name in _COLUMNS.asked_for)


def _read(table: Path) -> list[Record]:
    return CsvSource(table, columns=_COLUMNS).records()


def _moved(record: Record, folder: Path) -> Record:
    """`record` of a table in `folder`, as seen from above, with its split."""
    image = PurePosixPath(folder.as_posix()) / record.image
    names = (parse(part) for part in image.parent.parts)
    split = next((name.split for name in names if name.split not in (None, UNLABELLED) and not name.rest), None)
    return replace(record, image=image.as_posix(), split=record.split or split)
