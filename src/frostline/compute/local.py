"""The one worker that is this process."""

from collections.abc import Collection

from frostline.compute.stepping import Stepping
from frostline.compute.workers import Job, Reply
from frostline.training.reports import EpochReport, FoldReport
from frostline.training.trial import Trainer

__all__ = ["InProcess"]


class InProcess:
    """Trains one trial at a time, while it is waited for: see compute.workers.Workers."""

    slots = 1

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._trial: tuple[int, Stepping] | None = None
        self._goes_on = True

    def fill(self, view_sets: Collection[str], cuts: Collection[int]) -> None:
        """See compute.workers.Workers."""
        self._trainer.setup.fill(view_sets, cuts)

    def start(self, number: int, job: Job) -> None:
        """See compute.workers.Workers."""
        self._trial = number, Stepping(self._trainer, job)

    def answer(self, number: int, *, goes_on: bool) -> None:  # noqa: ARG002  # there is but one
        """See compute.workers.Workers."""
        self._goes_on = goes_on

    def stop(self, number: int) -> None:
        """See compute.workers.Workers."""
        if self._trial and self._trial[0] == number:
            self._trial[1].close()
            self._trial = None

    def wait(self) -> tuple[int, Reply]:
        """See compute.workers.Workers. Raises RuntimeError if no trial was begun."""
        if self._trial is None:
            raise RuntimeError("no trial was begun that could be waited for")
        number, trial = self._trial
        reply = trial.step(goes_on=self._goes_on)
        if not isinstance(reply, EpochReport | FoldReport):
            self.stop(number)
        return number, reply
