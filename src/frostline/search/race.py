"""How long a trial that thaws blocks goes on: epochs and folds are given to it as it earns them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from frostline.training.metrics import Metrics
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer

__all__ = ["Race", "Rival"]

_LEVEL = 0.3
_FEWEST_IMAGES = 8
_LEAST = 1e-7


@dataclass(frozen=True, eq=False)
class Rival:
    """The best trial so far, by number, and the `certainty` [m] that it has of the first m validation images' class."""

    number: int
    certainty: NDArray[np.float32]

    def is_behind(self, certainty: NDArray[np.float32]) -> bool:
        """Whether another's `certainty` [n] is the more likely one, on the images that judged both."""
        own, other = (np.log(np.maximum(each, _LEAST)).mean() for each in self._both(certainty))
        return bool(other > own)

    def beats(self, certainty: NDArray[np.float32]) -> bool:
        """Whether another's `certainty` [n] is clearly the lower one, on the images that judged both."""
        own, other = self._both(certainty)
        if len(own) < _FEWEST_IMAGES or not np.any(other - own):
            return False
        return bool(wilcoxon(other - own, alternative="less").pvalue < _LEVEL)

    def _both(self, certainty: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        images = min(len(self.certainty), len(certainty))
        return self.certainty[:images], certainty[:images]


class Race:
    """Watches one trial: see training.reports.Watcher.

    It may train on all images that are `left` when it is asked, counted as if through every block; one epoch is trained
    in any case.
    When the budget ends it, a trial that is ahead of the rival on the images so far, by likelihood, is judged by them;
    another is dropped. A trial is dropped too that is worse than the rival on the images of all folds so far, by
    Wilcoxon's signed-rank test.
    """

    def __init__(
        self, trainer: Trainer, settings: TrialSettings, rival: Rival | None, left: Callable[[], float]
    ) -> None:
        self._costs = [trainer.cost(settings, fold) for fold in range(len(trainer.cell.folds))]
        self._images = len(trainer.cell.validation_rows)
        self._rival = rival
        self._left = left
        self.begin()

    def begin(self) -> None:
        """Forget what was reported: the trial begins, or begins anew."""
        self.history: list[Metrics] = []
        self.spent = 0.0
        self.settled = False
        self._folds = 1

    def epoch(self, history: Sequence[Metrics], certainty: NDArray[np.float32], *, settled: bool) -> bool:
        """See training.reports.Watcher."""
        self.history[:] = history
        self.spent += self._costs[0]
        self.settled = settled
        if settled or self.spent + self._costs[0] <= self._left():
            return True
        if self._is_ahead(certainty):
            return False
        raise optuna.TrialPruned(f"the budget ended it after epoch {len(history)}, before it had settled")

    def fold(self, history: Sequence[Metrics], certainty: NDArray[np.float32]) -> bool:
        """See training.reports.Watcher."""
        self.history[:] = history
        if self._rival and self._rival.beats(certainty):
            raise optuna.TrialPruned(
                f"worse than trial {self._rival.number} on {len(certainty)} of {self._images} images (Wilcoxon)"
            )
        wanted = self.spent + len(history) * self._costs[self._folds]
        if wanted <= self._left():
            self.spent = wanted
            self._folds += 1
            return True
        if self._is_ahead(certainty):
            return False
        raise optuna.TrialPruned(f"the budget ended it after {self._folds} of {len(self._costs)} folds")

    def _is_ahead(self, certainty: NDArray[np.float32]) -> bool:
        return self._rival is None or self._rival.is_behind(certainty)
