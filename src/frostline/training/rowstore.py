"""An array on disk that is filled row by row, and never gives back a row that was not wholly written.

`<name>.values` is the raw array [N, ...]; `<name>.checks` holds for each row the CRC-32 of its bytes, or `_MISSING`.
A row counts as filled only when its checksum is there and right, so a killed writer, a truncated file or a flipped bit
costs a recomputation, never a wrong result.
"""

import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from frostline.atomic import atomic_file

__all__ = ["RowStore"]

_MISSING = -1
Rows = NDArray[np.int64]


class RowStore:
    """Rows of one shape and dtype (a NumPy or ml_dtypes name), of which some are filled."""

    def __init__(self, path: Path, shape: Sequence[int], dtype: str) -> None:
        self.path = path
        self._checks_path = path.with_suffix(".checks")
        self._shape = tuple(shape)
        self._dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
        self._checks = self._read_checks()
        self._verified = np.zeros(self._shape[0], dtype=bool)
        self._values: NDArray[Any] | None = None

    @property
    def values(self) -> NDArray[Any]:
        """The memory-mapped array; rows that were never filled read as zeros."""
        if self._values is None:
            self._values = np.memmap(self.path, dtype=self._dtype, mode="r+", shape=self._shape)
        return self._values

    def missing(self, rows: Rows) -> Rows:
        """Those of `rows` that are not filled, or whose bytes are no longer what was written."""
        for row in rows[(self._checks[rows] != _MISSING) & ~self._verified[rows]]:
            self._verified[row] = _checksum(self.values[row]) == self._checks[row]
        return rows[~self._verified[rows]]

    def write(self, rows: Rows, values: NDArray[Any]) -> None:
        """Put `values` into `rows`; they count only once committed."""
        if self._values is None and not self._is_whole():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("wb") as file:
                file.truncate(self._bytes())
        self.values[rows] = values.astype(self._dtype)

    def commit(self, rows: Rows) -> None:
        """Flush `rows` to disk, then mark them as filled."""
        np.memmap.flush(self.values)  # type: ignore[arg-type]
        self._checks[rows] = [_checksum(self.values[row]) for row in rows]
        self._verified[rows] = True
        with atomic_file(self._checks_path) as path:
            self._checks.tofile(path)

    def delete(self) -> None:
        """Remove the array from disk; processes that still map it keep what they have."""
        self._checks_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def _bytes(self) -> int:
        return math.prod(self._shape) * self._dtype.itemsize

    def _is_whole(self) -> bool:
        return self.path.exists() and self.path.stat().st_size == self._bytes()

    def _read_checks(self) -> Rows:
        count = self._shape[0]
        if self._is_whole() and self._checks_path.exists():
            checks = np.fromfile(self._checks_path, dtype=np.int64)
            if len(checks) == count:
                return checks
        return np.full(count, _MISSING, dtype=np.int64)


def _checksum(row: NDArray[Any]) -> int:
    return zlib.crc32(row.tobytes())
