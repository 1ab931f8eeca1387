"""A folder with a sub-folder per class, with or without `train/`, `val/` and `test/` above the classes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from frostline.data.sources.record import SPLIT_NAMES, Record, files_state
from frostline.errors import DataError

__all__ = ["FolderSource"]

# What desktops leave behind in any folder. All other files are records, so that odd ones are reported.
_DESKTOP_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx"}

Identity = tuple[int, int]  # device and inode: the same folder, whatever path leads to it


@dataclass(frozen=True)
class FolderSource:
    """Every file below a class folder is a picture of that class, however deep; hidden files are ignored."""

    root: Path

    def records(self) -> list[Record]:
        """One record per file, or per link that leads nowhere. Raises DataError if there is no class folder."""
        records = [
            Record(image=file.relative_to(self.root).as_posix(), label=folder.name, split=split)
            for folder, split in self._class_folders()
            for file in _files(folder, set(), _above(folder))
        ]
        if not records:
            raise DataError(
                f"{self.root} holds no files in its class folders. Put pictures into a sub-folder per class."
            )
        return records

    def loose_files(self) -> list[str]:
        """Names of the files that lie in no class folder, which `records` leaves out."""
        return [entry.name for entry in _entries(self.root) if not _is_folder(entry)]

    def state(self) -> str:
        """Fingerprint of the files' names, sizes and modification times."""
        return files_state(self.root, (record.image for record in self.records()))

    def _class_folders(self) -> Iterator[tuple[Path, str | None]]:
        if not self.root.is_dir():
            raise DataError(
                f"The folder {self.root} does not exist (seen from {Path.cwd()}). "
                "Mend `path` under datasets in params.yaml."
            )
        top = _folders(self.root)
        splits = [folder for folder in top if folder.name.lower() in SPLIT_NAMES]
        train = [folder for folder in splits if folder.name.lower() == "train" and _folders(folder)]
        if not train:  # without train/CLASS/ a folder called "test" is a class like any other
            yield from ((folder, None) for folder in top)
            return
        others = [folder.name for folder in top if folder not in splits]
        if others:
            raise DataError(
                f"{self.root} holds train/ with classes below it, and beside it folders that are no split: "
                f"{', '.join(others)}. Expected either train/, val/ and test/ alone, or a sub-folder per class."
            )
        for split in splits:
            yield from ((folder, SPLIT_NAMES[split.name.lower()]) for folder in _folders(split))


def _folders(folder: Path) -> list[Path]:
    """The folders in `folder`, but for links to itself or to a folder above it."""
    above = _above(folder) | {_identity(folder)}
    return [entry for entry in _entries(folder) if _is_folder(entry) and _identity(entry) not in above]


def _files(folder: Path, seen: set[Identity], above: frozenset[Identity]) -> Iterator[Path]:
    """Files below `folder`. A folder is entered once, whatever links lead to it; a link to one above it is yielded."""
    identity = _identity(folder)
    if identity in above or not os.access(folder, os.R_OK | os.X_OK):
        yield folder  # no picture, but a record: it is reported as unusable, with its reason
        return
    if identity in seen:
        return
    seen.add(identity)
    for entry in _entries(folder):
        if _is_folder(entry):
            yield from _files(entry, seen, above | {identity})
        elif entry.is_symlink() or entry.is_file():
            yield entry


def _entries(folder: Path) -> list[Path]:
    """What `folder` holds, links last, so that a folder is met by its own name before any link to it."""
    try:
        entries = [Path(entry) for entry in os.scandir(folder)]
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}.") from None
    shown = [entry for entry in entries if not entry.name.startswith(".") and entry.name.lower() not in _DESKTOP_FILES]
    return sorted(shown, key=lambda entry: (entry.is_symlink(), entry.name))


def _is_folder(entry: Path) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into a folder that may not be entered: reading it will tell
        return False


def _above(folder: Path) -> frozenset[Identity]:
    return frozenset(_identity(parent) for path in (folder.absolute(), folder.resolve()) for parent in path.parents)


def _identity(folder: Path) -> Identity:
    status = folder.stat()
    return (status.st_dev, status.st_ino)
