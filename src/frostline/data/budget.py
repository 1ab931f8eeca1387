"""What decoding may cost in memory: for one picture, and for all that are decoded at once in this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from frostline.errors import ImageError

__all__ = ["DECODE_LIMIT", "Budget", "check_cost", "decoding"]

DECODE_LIMIT = 1_500_000_000
"""Bytes that one picture may take at the peak, its file included: 8-bit RGB at Pillow's own limit of pixels fits."""


class Budget:
    """Bytes to share among threads: one that asks for more than is left waits, but never while nothing is in use."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, cost: int) -> Iterator[None]:
        """Hold `cost` bytes inside the block. Not for nesting: a thread that waits for itself waits for ever."""
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + cost <= self._size)
            self._used += cost
        try:
            yield
        finally:
            with self._changed:
                self._used -= cost
                self._changed.notify_all()


decoding = Budget(2 * DECODE_LIMIT)
"""What all threads that decode share."""


def check_cost(cost: int) -> None:
    """Raise ImageError (too_large) if decoding a picture would take more than `DECODE_LIMIT` bytes."""
    if cost > DECODE_LIMIT:
        raise ImageError(
            "too_large",
            f"reading and decoding it would take {cost / 1e9:.1f} GB of memory, where {DECODE_LIMIT / 1e9:.1f} GB are "
            "allowed for one picture: save it with fewer pixels or fewer bits",
        )
