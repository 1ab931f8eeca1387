"""The files that a user names: themselves, by their folders or archives, by patterns, or by a table."""

from collections.abc import Iterator, Sequence
from glob import escape, glob, has_magic
from pathlib import Path

from frostline.data.sources.ignored import is_ignored
from frostline.data.sources.kept import is_archive, unpacked
from frostline.data.sources.table import images_in
from frostline.data.sources.walk import Walk
from frostline.errors import DataError
from frostline.files.reading import reading

__all__ = ["files_at"]

_TABLES = (".csv", ".tsv", ".jsonl")


def files_at(places: Sequence[Path]) -> list[Path]:
    """The files of all `places`: of a folder as training takes them, of a table by its column image, in its order.

    An archive is unpacked. Raises DataError for a place that holds or matches no file.
    """
    files: list[Path] = []
    for place in places:
        before = len(files)
        with reading(place, DataError):
            files += _files(place)
        if len(files) == before:
            raise DataError(f"{place} holds or matches no file. Name image files, folders, patterns or tables.")
    return files


def _files(place: Path) -> Iterator[Path]:
    if place.suffix.lower() in _TABLES and place.is_file():
        yield from images_in(place)
    elif is_archive(place):
        yield from _below(unpacked(place))
    elif has_magic(str(place)) and not place.exists():
        there = next(folder for folder in place.parents if folder.is_dir())  # its brackets are part of its name
        pattern = Path(escape(str(there)), *place.parts[len(there.parts) :])
        for match in sorted(glob(str(pattern), recursive=True)):  # noqa: PTH207  # a pattern may be absolute
            if not any(is_ignored(part) for part in Path(match).parts if part not in place.parts):
                yield from _below(Path(match))
    else:
        yield from _below(place)


def _below(place: Path) -> Iterator[Path]:
    return Walk().files_below(place) if place.is_dir() else iter([place])
