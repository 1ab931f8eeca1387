"""Work on many files at once. Threads suffice: Pillow and hashlib let go of Python's lock while they work."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from frostline.data.budget import decoding
from frostline.data.images import quiet_decoders
from frostline.runtime.progress import track

__all__ = ["cores", "map_files"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_files(
    function: Callable[[Item], Result], items: Sequence[Item], what: str, cost: Callable[[Item], int] = lambda _: 0
) -> Iterator[Result]:
    """Yield `function(item)` for each of `items`, in order, on all cores that this process may use.

    A call waits until the bytes of memory that it takes, `cost(item)`, fit into what decoding may use in all.
    """

    def call(item: Item) -> Result:
        with decoding.take(cost(item)):
            return function(item)

    with quiet_decoders(), ThreadPoolExecutor(cores()) as pool:
        yield from track(pool.map(call, items), what, len(items))


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
