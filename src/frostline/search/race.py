"""How long a trial that thaws blocks goes on: epochs and folds are given to it as it earns them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from frostline.training.settings import TrialSettings
from frostline.training.trial import Metrics, Trainer

__all__ = ["Race", "Rival"]

_LEVEL = 0.3
_FEWEST_IMAGES = 8
_LEAST = 1e-7


@dataclass(frozen=True, eq=False)
class Rival:
    """The best trial so far, by number, and the `certainty` [N] that it has of each validation image's class."""

    number: int
    certainty: NDArray[np.float32]

    def is_behind(self, certainty: NDArray[np.float32]) -> bool:
        """Whether another's `certainty` [n] of the first n images is the more likely one."""
        own, other = (np.log(np.maximum(each, _LEAST)).mean() for each in (self.certainty[: len(certainty)], certainty))
        return bool(other > own)

    def beats(self, certainty: NDArray[np.float32]) -> bool:
        """Whether another's `certainty` [n] of the first n images is clearly the lower one."""
        differences = certainty - self.certainty[: len(certainty)]
        if len(certainty) < _FEWEST_IMAGES or not np.any(differences):
            return False
        return bool(wilcoxon(differences, alternative="less").pvalue < _LEVEL)


class Race:
    """Watches one trial: see training.trial.Watcher.

    On the first fold it may train on `allowance` images, counted as if through every block, and whoever is then ahead
    of the rival on the fold's images, by likelihood, on all that are `left`. One epoch is trained in any case. After
    every fold, a trial that is worse than the rival on the images so far, by Wilcoxon's signed-rank test, ends, and so
    does one that is not ahead where not enough are `left` for another fold.
    """

    def __init__(
        self, trainer: Trainer, settings: TrialSettings, rival: Rival | None, allowance: float, left: float
    ) -> None:
        self.history: list[Metrics] = []
        self.spent = 0.0
        self.settled = False
        self._costs = [trainer.cost(settings, fold) for fold in range(len(trainer.cell.folds))]
        self._images = len(trainer.cell.validation_rows)
        self._rival = rival
        self._allowance = allowance
        self._left = left
        self._folds = 1

    def epoch(self, history: Sequence[Metrics], certainty: NDArray[np.float32], *, settled: bool) -> None:
        """See training.trial.Watcher."""
        self.history[:] = history
        self.spent += self._costs[0]
        self.settled = settled
        wanted = self.spent + self._costs[0]
        if settled or wanted <= self._allowance or (wanted <= self._left and self._is_ahead(certainty)):
            return
        raise optuna.TrialPruned(f"the budget ended it after epoch {len(history)}, before it had settled")

    def fold(self, history: Sequence[Metrics], certainty: NDArray[np.float32]) -> None:
        """See training.trial.Watcher."""
        self.history[:] = history
        if self._rival and self._rival.beats(certainty):
            raise optuna.TrialPruned(
                f"worse than trial {self._rival.number} on {len(certainty)} of {self._images} images (Wilcoxon)"
            )
        wanted = self.spent + len(history) * self._costs[self._folds]
        if wanted > self._left and not self._is_ahead(certainty):
            raise optuna.TrialPruned(f"the budget ended it after {self._folds} of {len(self._costs)} folds")
        self.spent = wanted
        self._folds += 1

    def _is_ahead(self, certainty: NDArray[np.float32]) -> bool:
        return self._rival is None or self._rival.is_behind(certainty)
