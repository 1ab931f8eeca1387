"""The protocol between a study, which decides, and the workers that train its trials, wherever they are."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from frostline.training.reports import Report
from frostline.training.settings import TrialSettings
from frostline.training.trial import Validation

__all__ = ["ATTEMPTS", "Failure", "Job", "Lost", "Reply", "Workers"]

ATTEMPTS = 3
"""So many workers may be lost with one piece of work before that has failed: it may be what ends them."""


@dataclass(frozen=True)
class Job:
    """What is to be validated. The same job gives the same numbers on every worker, to rounding."""

    settings: TrialSettings
    seed: int


@dataclass(frozen=True)
class Failure:
    """The trial cannot be finished by any worker: it diverged, or memory ran out."""

    reason: str


@dataclass(frozen=True)
class Lost:
    """The worker that had the trial is gone. Another can begin the job anew."""

    reason: str


Reply = Report | Validation | Failure | Lost


class Workers(Protocol):
    """Train trials, each under the number that the study gives it, `slots` at once at most."""

    @property
    def slots(self) -> int:
        """How many trials they train at once."""

    def fill(self, view_sets: Collection[str], cuts: Collection[int]) -> None:
        """Compute what all trials will read, before any begins: see training.setup.Setup.fill."""

    def start(self, number: int, job: Job) -> None:
        """Begin trial `number`. It must not be one that is being trained, and a slot must be free."""

    def answer(self, number: int, *, goes_on: bool) -> None:
        """Tell trial `number`, which has reported, whether to go on."""

    def stop(self, number: int) -> None:
        """Give up trial `number`, if it is being trained."""

    def wait(self) -> tuple[int, Reply]:
        """Wait until a trial replies, and give its number with the reply.

        After a report the trial waits for an answer. After any other reply its slot is free.
        """
