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


class Race:
    """Watches one trial: see training.trial.Watcher.

    On the first fold it may train on `allowance` images, counted as if through every block. Whoever is then ahead of
    the rival on the fold's images, by likelihood, may train on as many again, up to `left`; others end there. After
    every fold, a trial ends that is worse than the rival on the images so far, by Wilcoxon's signed-rank test; and one
    that is not ahead, where what is left does not pay for the other folds.
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
        if settled or wanted <= self._allowance:
            return
        if wanted <= self._left and self._is_ahead(certainty):
            self._allowance = min(2 * self._allowance, self._left)
            return
        raise optuna.TrialPruned(f"the budget ended it after epoch {len(history)}, before it had settled")

    def fold(self, history: Sequence[Metrics], certainty: NDArray[np.float32]) -> None:
        """See training.trial.Watcher."""
        self.history[:] = history
        if self._is_worse(certainty):
            raise optuna.TrialPruned(
                f"worse than trial {self._rival.number if self._rival else ''} on {len(certainty)} of {self._images} "
                "images (Wilcoxon)"
            )
        rest = len(history) * sum(self._costs[self._folds :])
        if self.spent + rest > self._left and not self._is_ahead(certainty):
            raise optuna.TrialPruned(f"the budget ended it after {len(certainty)} of {self._images} images")
        self.spent += len(history) * self._costs[self._folds]
        self._folds += 1

    def _is_ahead(self, certainty: NDArray[np.float32]) -> bool:
        if self._rival is None:
            return True
        own, other = (
            float(np.log(np.maximum(each, _LEAST)).mean())
            for each in (certainty, self._rival.certainty[: len(certainty)])
        )
        return own > other

    def _is_worse(self, certainty: NDArray[np.float32]) -> bool:
        if self._rival is None or len(certainty) < _FEWEST_IMAGES:
            return False
        differences = certainty - self._rival.certainty[: len(certainty)]
        return bool(np.any(differences) and wilcoxon(differences, alternative="less").pvalue < _LEVEL)
