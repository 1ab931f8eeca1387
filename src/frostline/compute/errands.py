"""Calls that any actor of a pool can answer, one as well as another."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from frostline.compute.pool import Call, Pool
from frostline.compute.workers import ATTEMPTS, Lost
from frostline.errors import ComputeError
from frostline.runtime.progress import say

__all__ = ["Errands"]

Key = TypeVar("Key", bound=Hashable)


@dataclass
class _Errand:
    call: Call
    what: str
    losses: int = 0


@dataclass(frozen=True)
class Errands(Generic[Key]):
    """What the actors of `pool` are sent to do. One that loses its actor is done anew, by another."""

    pool: Pool
    _sent: dict[Key, _Errand] = field(default_factory=dict)

    def send(self, key: Key, call: Call, what: str) -> None:
        """Have some actor called, as soon as one is free; `what` it is for is said where it is lost."""
        self._sent[key] = _Errand(call, what)
        self.pool.submit(key, call)

    def answer(self) -> tuple[Key, Any]:
        """Wait until a call returns, and give its key with what it returned.

        Raises as Pool.wait does, and ComputeError for a call that three actors were lost with.
        """
        while True:
            answered, answer = self.pool.wait()
            key = cast(Key, answered)
            errand = self._sent[key]
            if not isinstance(answer, Lost):
                self.pool.release(key)
                del self._sent[key]
                return key, answer
            errand.losses += 1
            if errand.losses == ATTEMPTS:
                raise ComputeError(
                    f"{ATTEMPTS} workers were lost with {errand.what}, the last because {answer.reason}."
                )
            say(f"A worker was lost with {errand.what}: {answer.reason}")
            self.pool.submit(key, errand.call)
