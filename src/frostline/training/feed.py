"""What a network trains on: rows of a packed data set under one of several views, held in memory or streamed."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from frostline.cache.group import Rowwise
from frostline.data.arrays import Rows
from frostline.runtime.devices import accelerators

__all__ = ["Feed", "make_feed"]

_ROWS_AT_ONCE = 256


class Feed(Protocol):
    """Gives batches of values, each row under the view whose number is beside it."""

    @property
    def views(self) -> int:
        """How many views there are; number 0 is the identity."""

    def batch(self, rows: Rows, views: Rows) -> Any:
        """Values [len(rows), ...] of `rows`, each under its view."""


def make_feed(sources: Sequence[Rowwise], rows: Rows, limit_bytes: int) -> Feed:
    """A feed of `rows` from a source per view: in memory if that takes at most `limit_bytes`, else streamed.

    In memory means on the accelerator, where there is one: a batch is then gathered there, and only row numbers travel.
    """
    rows = np.unique(rows)
    first = sources[0][rows[:1]]
    if first.nbytes * len(rows) * len(sources) > limit_bytes:
        return _Streamed(sources)
    return _Resident(sources, rows, first)


class _Streamed:
    def __init__(self, sources: Sequence[Rowwise]) -> None:
        self._sources = sources

    @property
    def views(self) -> int:
        return len(self._sources)

    def batch(self, rows: Rows, views: Rows) -> Any:
        used = np.unique(views)
        if len(used) == 1:
            return self._sources[used[0]][rows]
        parts = {view: self._sources[view][rows[views == view]] for view in used}
        values = np.empty((len(rows), *parts[used[0]].shape[1:]), dtype=parts[used[0]].dtype)
        for view, part in parts.items():
            values[views == view] = part
        return values


class _Resident:
    def __init__(self, sources: Sequence[Rowwise], rows: Rows, first: NDArray[Any]) -> None:
        self.views = len(sources)
        self._rows = rows
        table = np.empty((len(sources) * len(rows), *first.shape[1:]), dtype=first.dtype)
        for number, source in enumerate(sources):
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                chunk = rows[start : start + _ROWS_AT_ONCE]
                place = number * len(rows) + start
                table[place : place + len(chunk)] = source[chunk]
        self._on_device = bool(accelerators())
        self._table = _to_device(table) if self._on_device else table

    def batch(self, rows: Rows, views: Rows) -> Any:
        positions = views * len(self._rows) + np.searchsorted(self._rows, rows)
        if not self._on_device:
            return self._table[positions]
        from keras import ops

        return ops.take(self._table, positions, axis=0)


def _to_device(table: NDArray[Any]) -> Any:
    from keras import ops

    return ops.convert_to_tensor(table)
