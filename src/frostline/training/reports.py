"""What a trial that thaws blocks says of itself on the way, and who listens."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from frostline.training.metrics import Metrics

__all__ = ["EpochReport", "FoldReport", "Report", "Watcher", "watched"]

T = TypeVar("T")


class Watcher(Protocol):
    """Is told how a trial that thaws blocks is doing, says whether it goes on, or drops it by raising."""

    def epoch(self, history: Sequence[Metrics], certainty: NDArray[np.float32], *, settled: bool) -> bool:
        """After an epoch on the first fold: see EpochReport."""

    def fold(self, history: Sequence[Metrics], certainty: NDArray[np.float32]) -> bool:
        """After each fold but the last: see FoldReport. Unless it goes on, the trial is judged by these folds alone."""


@dataclass(frozen=True, eq=False)
class EpochReport:
    """After an epoch on the first fold: its metrics so far, and how its n validation images fare.

    `certainty` [n] is the calibrated probability of each one's class after the best epoch. `settled` says that no more
    epochs are trained, as they no longer help.
    """

    history: Sequence[Metrics]
    certainty: NDArray[np.float32]
    settled: bool

    def tell(self, watcher: Watcher) -> bool:
        """Whether the trial goes on, as `watcher` says."""
        return watcher.epoch(self.history, self.certainty, settled=self.settled)


@dataclass(frozen=True, eq=False)
class FoldReport:
    """After a fold that is not the last: metrics of every epoch over all folds so far, and their `certainty` [n]."""

    history: Sequence[Metrics]
    certainty: NDArray[np.float32]

    def tell(self, watcher: Watcher) -> bool:
        """Whether the trial goes on, as `watcher` says."""
        return watcher.fold(self.history, self.certainty)


Report = EpochReport | FoldReport


def watched(steps: Generator[Report, bool, T], watcher: Watcher) -> T:
    """Run `steps`, asking `watcher` after each whether to go on, and give what they end with."""
    with closing(steps):
        try:
            report = next(steps)
            while True:
                report = steps.send(report.tell(watcher))
        except StopIteration as end:
            result: T = end.value
            return result
