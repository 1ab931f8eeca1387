"""Whole files or none: outputs are written beside their place and moved there when complete.

A killed process loses nothing: what was to be replaced is there, or its whole successor is. What is not promised is to
outlive a power failure: nothing is forced to the disk, because every output can be made again.

What is being written lies in a folder `.frostline-*`, which its writer holds locked. A killed writer's lock is free:
who writes beside it next, and every command before it begins, tidies up.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from frostline.files.writing import writing

__all__ = ["atomic_file", "atomic_folder", "tidy"]

_PREFIX = ".frostline-"
_LOCK, _NEW, _OLD = "lock", "new", "old"


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path of the same name; it replaces `path` if the block ends without an error.

    Raises WriteError where the system refuses.
    """
    with _beside(path) as place:
        yield place / _NEW / path.name
        (place / _NEW / path.name).replace(path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder of the same name; it replaces `path` if the block ends without an error.

    Raises WriteError where the system refuses.
    """
    with _beside(path) as place:
        new = place / _NEW / path.name
        new.mkdir()
        yield new
        if path.is_dir():
            path.rename(place / _OLD / path.name)
        new.rename(path)


def tidy(folder: Path) -> None:
    """Put back what killed writers had set aside in `folder`, and remove the rest of what they left.

    What a living writer holds, or the system refuses to remove, stays.
    """
    for place in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError), FileLock(place / _LOCK, timeout=0):
            _clear(place)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A folder of ours in that of `path`, with an empty folder for what is new and one for what is old."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        tidy(path.parent)
        place, lock = _locked_place(path.parent)
        try:
            yield place
        finally:
            _clear(place)
            lock.release()


def _locked_place(folder: Path) -> tuple[Path, FileLock]:
    while True:
        place = Path(tempfile.mkdtemp(dir=folder, prefix=_PREFIX))
        lock = FileLock(place / _LOCK)
        with suppress(Timeout, FileNotFoundError):  # somebody who tidies up was faster, and removes it
            lock.acquire(timeout=0)
            (place / _NEW).mkdir()
            (place / _OLD).mkdir()
            return place, lock


def _clear(place: Path) -> None:
    """Remove `place`. An old folder whose successor did not leave `place` goes back first."""
    for old in (place / _OLD).glob("*"):
        target = place.parent / old.name
        if (place / _NEW / old.name).exists() and not target.exists():
            old.rename(target)
    shutil.rmtree(place, ignore_errors=True)
