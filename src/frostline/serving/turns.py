"""Work of many requests on one thread, in fair order: each request gets the same share of it."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["Turns"]

T = TypeVar("T")


class Turns:
    """One piece of work at a time: of those that wait, the one that would be done first if all were done side by side.

    Fair queueing (Demers, Keshav and Shenker 1989): `_shared` is the work that each request would have got of what was
    done, and a piece is tagged with that, as it comes, plus its own cost; the lowest tag is next. So the pieces of one
    request hold up another's by no more work than the other asks for, plus the one piece that is being done.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._busy = False
        self._shared = 0.0
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    async def take(self, cost: float, function: Callable[..., T], *arguments: Any) -> T:
        """What `function` returns, called on the thread when its turn has come. `cost` is in any unit that all share.

        Whoever is cancelled while waiting loses the turn; a function that has begun is run to its end.
        """
        await self._turn(cost)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        finally:
            self._shared += cost / (1 + len(self._waiting))
            self._pass_on()

    async def _turn(self, cost: float) -> None:
        if not self._busy:
            self._busy = True
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self._shared + cost, next(self._numbers), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it came just as the request was given up
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._busy = False
