"""What a folder holds, without what is ignored, and without going round in circles."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from frostline.data.sources.ignored import is_ignored
from frostline.errors import DataError

__all__ = ["Walk"]

Identity = tuple[int, int]  # device and inode: the same folder, whatever path leads to it


@dataclass
class Walk:
    """Lists folders, and notes in `ignored` the folders that it leaves out."""

    ignored: set[Path] = field(default_factory=set)

    def folders(self, folder: Path) -> list[Path]:
        """The folders in `folder`, but for links to itself or to a folder above it."""
        above = _above(folder) | {_identity(folder)}
        return [entry for entry in self._entries(folder) if _is_folder(entry) and _identity(entry) not in above]

    def files(self, folder: Path) -> list[Path]:
        """What `folder` itself holds besides folders."""
        return [entry for entry in self._entries(folder) if not _is_folder(entry)]

    def files_below(self, folder: Path) -> Iterator[Path]:
        """Files at any depth. A folder is entered once, whatever links lead to it.

        A link to a folder above it, or a folder that may not be listed, is yielded as if it were a file.
        """
        yield from self._below(folder, set(), _above(folder))

    def _below(self, folder: Path, seen: set[Identity], above: frozenset[Identity]) -> Iterator[Path]:
        identity = _identity(folder)
        if identity in above or not os.access(folder, os.R_OK | os.X_OK):
            yield folder
            return
        if identity in seen:
            return
        seen.add(identity)
        for entry in self._entries(folder):
            if _is_folder(entry):
                yield from self._below(entry, seen, above | {identity})
            elif entry.is_symlink() or entry.is_file():
                yield entry

    def _entries(self, folder: Path) -> list[Path]:
        """What `folder` holds, links last, so that a folder is met by its own name before any link to it."""
        try:
            entries = [Path(entry) for entry in os.scandir(folder)]
        except OSError as error:
            raise DataError(f"{folder} cannot be listed: {error.strerror}.") from None
        ignored = {entry for entry in entries if is_ignored(entry.name)}
        self.ignored.update(entry for entry in ignored if _is_folder(entry))
        return sorted(set(entries) - ignored, key=lambda entry: (entry.is_symlink(), entry.name))


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
