"""A file that is written piece by piece, and goes on where a killed process left it.

Until it is complete it grows in a folder beside its place, `NAME.part`, with a line per piece that says how far it is.
A piece without a whole line is cut off and made again.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from frostline.errors import WriteError
from frostline.files.atomic import atomic_file
from frostline.files.writing import writing

__all__ = ["GrowingFile", "growing_file", "part_of"]


@dataclass
class GrowingFile:
    """How many `rows` it has, and how many of them are `faults`."""

    rows: int
    faults: int
    _path: Path
    _text: BinaryIO
    _pieces: BinaryIO

    def append(self, text: str, rows: int, faults: int) -> None:
        """Write a piece that holds so many rows. When this returns, the piece outlives the process.

        Raises WriteError where the system refuses.
        """
        with writing(self._path):
            self._text.write(text.encode())
            self._text.flush()
            self._pieces.write(b"%d %d %d\n" % (self._text.tell(), self.rows + rows, self.faults + faults))
            self._pieces.flush()
        self.rows += rows
        self.faults += faults


def part_of(path: Path) -> Path:
    """The folder in which `path` grows."""
    return path.with_name(f"{path.name}.part")


@contextmanager
def growing_file(path: Path, job: Mapping[str, str]) -> Iterator[GrowingFile]:
    """What there is of `path`, to be gone on with; it replaces `path` if the block ends without an error.

    `job` says in words what decides its rows. Raises WriteError where the system refuses, where another process is
    writing it, or where what is there was begun for another job.
    """
    if path.is_dir():
        raise WriteError(f"{path} is a folder. Name a file.")
    folder = part_of(path)
    with _locked(path), ExitStack() as files:
        with writing(folder / "text"):
            _check_job(folder, job)
            text = files.enter_context((folder / "text").open("ab"))
            pieces = files.enter_context((folder / "pieces").open("a+b"))
            size, rows, faults = _whole(text, pieces)
            text.truncate(size)
            text.seek(size)
        yield GrowingFile(rows, faults, path, text, pieces)
        files.close()
        with writing(path):
            (folder / "text").replace(path)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of what `path` grows in."""
    folder = part_of(path)
    lock = FileLock(folder / "lock")
    with writing(folder / "lock"):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise WriteError(f"{path} is being written by another process: wait, or name another file.") from None
    try:
        yield
    finally:
        lock.release()


def _check_job(folder: Path, job: Mapping[str, str]) -> None:
    file = folder / "job.json"
    if not file.exists():
        with atomic_file(file) as new:
            new.write_text(json.dumps(job, indent=2))
        return
    try:
        begun = dict(json.loads(file.read_bytes()))
    except (TypeError, ValueError):  # it is damaged
        begun = {}
    other = [f"{name} {begun.get(name)} there, {job[name]} now" for name in job if begun.get(name) != job[name]]
    if other:
        raise WriteError(
            f"What {folder} holds was begun otherwise: {'; '.join(other)}. Delete that folder to begin anew, or name "
            "another file."
        )


def _whole(text: BinaryIO, pieces: BinaryIO) -> tuple[int, int, int]:
    """Bytes, rows and faults of all pieces that are whole; lines of others are removed from `pieces`."""
    pieces.seek(0)
    size, rows, faults, end = 0, 0, 0, 0
    for line in pieces:
        numbers = line.split() if line.endswith(b"\n") else []
        there = [int(number) for number in numbers if number.isdigit()]
        if len(there) != 3 or there[0] > os.fstat(text.fileno()).st_size:
            break
        (size, rows, faults), end = there, end + len(line)
    pieces.truncate(end)
    return size, rows, faults
