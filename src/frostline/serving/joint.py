"""Pictures of several requests in one call of the network, where they wait for it together."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from frostline.serving.portions import Picture
from frostline.serving.turns import Line, Turns

__all__ = ["Joint", "Row"]

Row = dict[str, Any]
"""What a picture is answered with."""


class _Part(NamedTuple):
    pictures: Sequence[Picture]
    rows: asyncio.Future[list[Row]]


class Joint:
    """Labels pictures by `function`, which is called as a piece of work of `turns`, with `at_once` pictures at most.

    What comes while the network is busy waits in fair order, and as much of it as fits is labelled at once: by itself
    a picture takes longer than in company. What a request gets does not depend on its company, but for rounding.
    """

    def __init__(self, turns: Turns, function: Callable[[Sequence[Picture]], list[Row]], at_once: int) -> None:
        self._turns = turns
        self._function = function
        self._at_once = at_once
        self._line: Line[_Part] = Line()
        self._running: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many portions wait."""
        return len(self._line)

    @property
    def busy(self) -> bool:
        """Whether anything waits or is being labelled."""
        return self._running is not None

    async def label(self, pictures: Sequence[Picture]) -> list[Row]:
        """A row per picture. Raises what `function` raises on them alone."""
        part = _Part(pictures, asyncio.get_running_loop().create_future())
        self._line.add(len(pictures), part)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await part.rows

    async def _run(self) -> None:
        try:
            while parts := self._next():
                await self._answer(parts)
        finally:
            self._running = None

    def _next(self) -> list[_Part]:
        """The parts that are next, of which nobody has given up: the first of the line, and others that fit."""
        parts: list[_Part] = []
        room = self._at_once
        while self._line and (not parts or len(self._line.first.pictures) <= room):
            part = self._line.pop()
            if not part.rows.done():
                parts.append(part)
                room -= len(part.pictures)
        return parts

    async def _answer(self, parts: Sequence[_Part]) -> None:
        pictures = [picture for part in parts for picture in part.pictures]
        try:
            rows = await self._turns.take(len(pictures), self._function, pictures)
        except Exception as error:
            if len(parts) > 1:  # whose pictures the network failed on is not known
                for part in parts:
                    await self._answer([part])
            elif not parts[0].rows.done():
                parts[0].rows.set_exception(error)
            return
        finally:
            self._line.done(len(pictures))
        for part in parts:
            own, rows = rows[: len(part.pictures)], rows[len(part.pictures) :]
            if not part.rows.done():
                part.rows.set_result(own)
