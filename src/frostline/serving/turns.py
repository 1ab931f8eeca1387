"""Work of many requests on a few threads, in fair order: each request gets the same share of it."""

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

__all__ = ["Line", "Turns"]

T = TypeVar("T")


class Line(Generic[T]):
    """What waits, in the order in which it would be done if all were done side by side.

    Fair queueing (Demers, Keshav and Shenker 1989): `_shared` is the work that each request would have got of what was
    done, and a piece is tagged with that, as it comes, plus its own cost; the lowest tag is next. So the pieces of one
    request hold up another's by no more work than the other asks for, plus the pieces that are being done.
    """

    def __init__(self) -> None:
        self._shared = 0.0
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, T]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, cost: float, piece: T) -> None:
        """Let `piece` wait. `cost` is in any unit that all share."""
        heapq.heappush(self._waiting, (self._shared + cost, next(self._numbers), piece))

    @property
    def first(self) -> T:
        """The piece that is next."""
        return self._waiting[0][2]

    def pop(self) -> T:
        """Take the piece that is next out of the line."""
        return heapq.heappop(self._waiting)[2]

    def done(self, cost: float) -> None:
        """Count work that is done: what waits, and who did it, had a share each."""
        self._shared += cost / (1 + len(self._waiting))


class Turns:
    """As many pieces of work at a time as there are `threads`, of which the costs come to no more than `room`.

    A piece that costs more than `room` is done alone. None goes before one that waits for room, so that a large one is
    not waited out by small ones.
    """

    def __init__(self, threads: int = 1, room: float = math.inf) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads)
        self._threads = threads
        self._room = room
        self._begun: list[float] = []
        self._line: Line[tuple[float, asyncio.Future[None]]] = Line()

    @property
    def waiting(self) -> int:
        """How many pieces wait for their turn."""
        return len(self._line)

    async def take(self, cost: float, function: Callable[..., T], *arguments: Any) -> T:
        """What `function` returns, called on a thread when its turn has come. `cost` is in any unit that all share.

        Whoever is cancelled while waiting loses the turn; a function that has begun is run to its end.
        """
        turn = asyncio.get_running_loop().create_future()
        self._line.add(cost, (cost, turn))
        self._begin()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it came just as the request was given up
                self._end(cost)
            raise
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        finally:
            self._line.done(cost)
            self._end(cost)

    def _begin(self) -> None:
        while self._line:
            cost, turn = self._line.first
            fits = len(self._begun) < self._threads and sum(self._begun) + cost <= self._room
            if not turn.done():
                if self._begun and not fits:
                    return
                self._begun.append(cost)
                turn.set_result(None)
            self._line.pop()

    def _end(self, cost: float) -> None:
        self._begun.remove(cost)
        self._begin()
