"""An array on disk that is filled row by row, and never gives back a row that is not what was written.

`<name>.values` is the raw array [N, ...]; `<name>.checks` holds for each row the CRC-32 of its bytes, or `_MISSING`.
Every read compares the two, so a killed writer, a truncated file or a flipped bit is found out, whoever wrote last and
in whatever order the system put it on disk. Files are read and written by position, not mapped: a full or failing disk
is then an error that can be told, where a map would end the process, and memory holds only the rows asked for.
"""

import math
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from frostline.data.arrays import Rows
from frostline.errors import CacheError, WriteError

__all__ = ["RowStore", "row_bytes"]

_MISSING = -1
_CHECK_BYTES = 8
_ROWS_AT_ONCE = 256


class RowStore:
    """Rows of one shape and dtype (a NumPy or ml_dtypes name), of which some are filled."""

    def __init__(self, path: Path, shape: Sequence[int], dtype: str) -> None:
        self._files: tuple[int, int] | None = None
        self.path = path
        self._checks_path = path.with_suffix(".checks")
        self._count, *row = shape
        self._row = tuple(row)
        self._dtype = _dtype(dtype)
        self.row_bytes = row_bytes(row, dtype)
        self._checks = self._read_checks()
        self._verified = np.zeros(self._count, dtype=bool)

    def __del__(self) -> None:
        for file in self._files or ():
            os.close(file)

    def __getitem__(self, rows: Rows) -> NDArray[Any]:
        """The values [len(rows), ...] of filled rows. Raises CacheError if one cannot be read as it was written."""
        values, right = self._read(rows)
        if not right.all():
            raise CacheError(
                f"{self.path} was changed by another program or is damaged: {int((~right).sum())} of {len(rows)} rows "
                "are not what was written there. Run the same command again: they are then computed anew."
            )
        return values

    def missing(self, rows: Rows) -> Rows:
        """Those of `rows` that are not filled, or whose bytes are no longer what was written."""
        candidates = rows[(self._checks[rows] != _MISSING) & ~self._verified[rows]]
        for chunk in np.array_split(candidates, range(_ROWS_AT_ONCE, len(candidates), _ROWS_AT_ONCE)):
            self._verified[chunk] = self._read(chunk)[1]
        return rows[~self._verified[rows]]

    def write(self, rows: Rows, values: NDArray[Any]) -> None:
        """Fill `rows` with `values` [len(rows), ...]. Raises WriteError where the system refuses, as on a full disk."""
        values = np.ascontiguousarray(values, dtype=self._dtype)
        try:
            file, checks_file = self._open(create=True)
            for row, value in zip(rows.tolist(), values, strict=True):
                data = value.tobytes()
                self._checks[row] = zlib.crc32(data)
                _write_whole(file, data, row * self.row_bytes)
                _write_whole(checks_file, self._checks[row].tobytes(), row * _CHECK_BYTES)
            self._verified[rows] = True
        except OSError as error:
            raise WriteError(
                f"The prefix cache cannot write {self.path}: {error.strerror or error}. Make room there, lower "
                "stores.cache_gigabytes, or name another place as stores.cache in params.yaml, and run again: the "
                "rows that were written are kept."
            ) from error

    def _read(self, rows: Rows) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        values = np.empty((len(rows), *self._row), dtype=self._dtype)
        right = np.zeros(len(rows), dtype=bool)
        if len(rows):
            with _readable(self.path):
                file, _ = self._open(create=False)
                target = values.reshape(len(rows), -1).view(np.uint8)
                for number, row in enumerate(rows.tolist()):
                    read = os.preadv(file, [target[number]], row * self.row_bytes)
                    right[number] = read == self.row_bytes and zlib.crc32(target[number]) == self._checks[row]
        return values, right

    def _open(self, *, create: bool) -> tuple[int, int]:
        """File descriptors of values and checks; created, if asked for, with no row filled."""
        if self._files is None:
            if create and not self._is_whole():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._checks.tofile(self._checks_path)
                with self.path.open("wb") as file:
                    file.truncate(self._count * self.row_bytes)
            self._files = (os.open(self.path, os.O_RDWR), os.open(self._checks_path, os.O_RDWR))
        return self._files

    def _is_whole(self) -> bool:
        expected = {self.path: self._count * self.row_bytes, self._checks_path: self._count * _CHECK_BYTES}
        return all(path.exists() and path.stat().st_size == size for path, size in expected.items())

    def _read_checks(self) -> Rows:
        with _readable(self._checks_path):
            if self._is_whole():
                return np.fromfile(self._checks_path, dtype=np.int64)
        return np.full(self._count, _MISSING, dtype=np.int64)


def row_bytes(row: Sequence[int], dtype: str) -> int:
    """Bytes of one row of the shape `row`."""
    return math.prod(row) * _dtype(dtype).itemsize


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name, name))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"{path} cannot be read: {error.strerror or error}. Run the same command again: what is not there is then "
            "computed anew."
        ) from error


def _write_whole(file: int, data: bytes, position: int) -> None:
    """Write all of `data`; a disk that is nearly full takes a part first."""
    done = 0
    while done < len(data):
        done += os.pwrite(file, data[done:], position + done)
