"""A trainer that trains nothing, and the Ray actor around it: what it says, it says at once."""

import platform
import zlib
from collections.abc import Collection, Generator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.compute.worker import Worker
from frostline.training.cell import Cell
from frostline.training.heads import Heads, HeadScores
from frostline.training.metrics import BRIER, LOSS, SCORE, STANDARD_ERROR, Metrics
from frostline.training.reports import EpochReport, FoldReport, Report
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer, Validation

DEPTH, CLASSES = 5, 2
EPOCHS = 3
"""Until a trial that thaws blocks has settled."""

AHEAD = 12.0
"""So far are the logits of its images' own classes ahead, and those of heads by 1."""


class AtOnce(Trainer):
    """Reports as a trainer does: after each epoch, after each fold, and at the end; a head at the end alone.

    Heads differ by chance. All that thaws blocks is as good, and better than they, so that none is dropped on the way.
    """

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.setup = Untrained(cell)
        self.backbone = SimpleNamespace(depth=DEPTH)
        self.heads = Guessed(self.setup)
        self._flops = [1.0] * DEPTH
        self._groups = np.arange(len(cell.packed.labels))
        self._thawed = self.judged(HeadScores(guesses(cell, 0, ahead=AHEAD), penalty=1.0, temperature=1.0))

    def steps(self, settings: TrialSettings, _: int) -> Generator[Report, bool, Validation]:
        if settings.thaw == 0:
            return self.judged(self.heads.scores(settings))
        certainty, history = self._thawed.certainty, (self.metrics(self._thawed),) * EPOCHS
        seen = np.cumsum([len(validation) for _, validation in self.cell.folds])
        for epoch in range(1, EPOCHS + 1):
            yield EpochReport(history[:epoch], certainty[: seen[0]], settled=epoch == EPOCHS)
        for judged in seen[:-1]:
            yield FoldReport(history, certainty[:judged])
        return Validation(
            self._thawed.score, self._thawed.standard_error, 1, 1.0, self._thawed.correct, certainty, history
        )

    @staticmethod
    def metrics(validation: Validation) -> Metrics:
        """Those of an epoch that ended as `validation` did."""
        (judged,) = validation.history
        return {"train_loss": 1.0} | {
            name: judged[name] for name in (LOSS, SCORE, BRIER, STANDARD_ERROR, "temperature")
        }


class Guessed(Heads):
    """Heads whose scores are drawn, not fitted."""

    def _score(self, settings: TrialSettings) -> HeadScores:
        seed = zlib.crc32(settings.model_dump_json().encode())
        return HeadScores(guesses(self._setup.cell, seed), penalty=1.0, temperature=1.0)


class Untrained:
    """Stands for what a real trainer is set up with."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    def start_from(self, cuts: Collection[int]) -> None:
        pass

    def class_weights(self) -> NDArray[np.float32]:
        return np.ones(CLASSES, dtype=np.float32)


class Idle(Worker):
    """The real actor, but for what it trains with: Keras is imported, and does nothing."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._trial = None

    def machine(self) -> tuple[str, Mapping[str, Any]]:
        return platform.node(), {}


def guesses(cell: Cell, seed: int, ahead: float = 1.0) -> NDArray[np.float32]:
    """Logits [1, N, 2] of its validation images, better than chance."""
    labels = cell.packed.labels[cell.validation_rows]
    logits = np.random.default_rng(seed).normal(size=(1, len(labels), CLASSES))
    logits[0, np.arange(len(labels)), labels] += ahead
    return logits.astype(np.float32)
