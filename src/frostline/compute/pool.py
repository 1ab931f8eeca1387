"""Ray actors that come and go: work is given to whichever is free, and who is lost is replaced."""

import time
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from frostline.compute.contact import Contact
from frostline.compute.workers import Lost
from frostline.errors import ComputeError
from frostline.runtime.progress import say

__all__ = ["Call", "Member", "Pool"]

_SECONDS_BETWEEN_LOOKS = 1.0  # a signal is heeded between two
_ATTEMPTS = 3

Call = Callable[[Any], Any]
"""Calls a method of an actor, and gives Ray's reference to what that will return."""


@dataclass(frozen=True, eq=False)
class Member:
    """An actor that has joined, and the name of the machine that it is on."""

    actor: Any
    host: str


class Pool:
    """`size` actors that `make` makes, as far as there is room for them.

    `join` calls each first, and `admit` is given what that returns: the name of its host, if the actor may stay. An
    actor that answers nothing for so many `minutes` is given up.
    """

    def __init__(
        self, make: Callable[[], Any], join: Call, admit: Callable[[Any], str], *, size: int, minutes: float
    ) -> None:
        self._make = make
        self._join = join
        self._admit = admit
        self._seconds = 60 * minutes
        self._joining: dict[Any, Any] = {}
        self._idle: list[Member] = []
        self._busy: dict[Hashable, Member] = {}
        self._queue: deque[tuple[Hashable, Call]] = deque()
        self._awaited: dict[Any, tuple[Hashable, float]] = {}
        self._failures = 0
        self._alive = time.monotonic()
        self._contact = Contact()
        for _ in range(size):
            self._add()

    @property
    def members(self) -> list[Member]:
        """Those that have joined."""
        return [*self._idle, *self._busy.values()]

    def submit(self, key: Hashable, call: Call) -> None:
        """Have some actor called, as soon as one is free; it is then kept for `key` until that is released."""
        self._queue.append((key, call))

    def proceed(self, key: Hashable, call: Call) -> None:
        """Have the actor that is kept for `key` called again."""
        self._await(key, call)

    def tell(self, key: Hashable, call: Call) -> None:
        """Have the actor that is kept for `key` called, if there is one, without waiting for what that returns."""
        if key in self._busy:
            call(self._busy[key].actor)

    def release(self, key: Hashable) -> None:
        """Let the actor of `key`, if there is one, be free for others; one at work is ended, and another made."""
        self._queue = deque(item for item in self._queue if item[0] != key)
        working = [ref for ref, (other, _) in self._awaited.items() if other == key]
        if working:
            self._drop(key, working[0])
        elif key in self._busy:
            self._idle.append(self._busy.pop(key))

    def wait(self) -> tuple[Hashable, Any]:
        """Wait until a call returns, and give its key with what it returned; or Lost, when its actor is.

        Raises what the call raised, ComputeError if for `minutes` there has been no actor or the cluster is gone, and
        RuntimeError if nothing was asked for.
        """
        if not self._awaited and not self._queue:
            raise RuntimeError("nothing was asked for that could be waited for")
        while True:
            while self._idle and self._queue:
                key, call = self._queue.popleft()
                self._busy[key] = self._idle.pop()
                self._await(key, call)
            for ref in self._ready([*self._awaited, *self._joining]):
                if ref in self._joining:
                    self._welcome(ref)
                else:
                    return self._returned(ref)
            if overdue := self._overdue():
                return overdue

    def until_joined(self) -> None:
        """Wait until one actor at least has joined. Raises ComputeError if none does."""
        while not self.members:
            for ref in self._ready(list(self._joining)):
                self._welcome(ref)
            self._overdue()

    def _ready(self, refs: list[Any]) -> list[Any]:
        """Those of `refs` that have been answered, if there are any before a second has passed."""
        try:
            ready, _ = ray.wait(refs, timeout=_SECONDS_BETWEEN_LOOKS)
        except SystemError as error:  # what Ray makes of an interrupt
            raise (error.__cause__ or error) from None
        self._contact.check_now_and_then()
        return list(ready)

    def close(self) -> None:
        """End all actors."""
        for actor in [*self._joining.values(), *(member.actor for member in self.members)]:
            _kill(actor)

    def _add(self) -> None:
        if self._contact.lost:
            return
        actor = self._make()
        self._joining[self._join(actor)] = actor

    def _await(self, key: Hashable, call: Call) -> None:
        self._awaited[call(self._busy[key].actor)] = key, time.monotonic() + self._seconds

    def _welcome(self, ref: Any) -> None:
        actor = self._joining.pop(ref)
        try:
            answer = ray.get(ref)
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:
            _kill(actor)
            self._not_begun(_reason(error))
        else:
            self._idle.append(Member(actor, self._admit(answer)))
            self._failures = 0

    def _not_begun(self, reason: str) -> None:
        """An actor has ended before it joined. Raises ComputeError if that goes on, and there is no other."""
        self._failures += 1
        if self._failures < _ATTEMPTS:
            self._add()
        elif self.members:
            say(f"A worker cannot begin, and no other is asked for in its place: {reason}")
        else:
            raise ComputeError(
                f"No worker can begin on the Ray cluster: {reason}. Every machine of it needs the same frostline and "
                "packages as this one: pip install -r requirements.txt."
            )

    def _returned(self, ref: Any) -> tuple[Hashable, Any]:
        key, _ = self._awaited[ref]
        try:
            value = ray.get(ref)
        except RayTaskError as error:  # the code of the call has raised it: another actor would, too
            raise error.cause from error
        except RayError as error:
            time.sleep(_SECONDS_BETWEEN_LOOKS)  # where all of Ray ends, actors may be the first
            self._contact.check()
            self._drop(key, ref)
            return key, Lost(_reason(error))
        del self._awaited[ref]
        return key, value

    def _drop(self, key: Hashable, ref: Any) -> None:
        del self._awaited[ref]
        _kill(self._busy.pop(key).actor)
        self._add()

    def _overdue(self) -> tuple[Hashable, Lost] | None:
        """The first key whose actor has been silent for too long. Raises ComputeError if there is no actor."""
        now = time.monotonic()
        if self.members:
            self._alive = now
        elif now > self._alive + self._seconds:
            raise ComputeError(
                f"For {self._seconds / 60:g} minutes the cluster has had no room for a worker, or none has begun: see "
                "ray status, or lower compute.cpus and compute.gpus in params.yaml. What is finished is kept, and the "
                "same command resumes."
            )
        for ref, (key, deadline) in self._awaited.items():
            if now > deadline:
                host = self._busy[key].host
                self._drop(key, ref)
                return key, Lost(f"it had reported nothing for {self._seconds / 60:g} minutes on {host}")
        return None


def _kill(actor: Any) -> None:
    with suppress(Exception):  # it may be gone, with its node or the cluster
        ray.kill(actor)


def _reason(error: RayError) -> str:
    """What Ray says in its first line; of an error in what makes an actor the last one, which names it."""
    first, *_, last = [line.strip() for line in str(error).splitlines() if line.strip()] * 2
    return (last if "creation task" in first else first)[:200].rstrip(".")
