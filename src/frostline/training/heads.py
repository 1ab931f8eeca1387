"""Heads on frozen blocks: fitted in closed form, and scored by images that they were not fitted to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from frostline.data.arrays import Rows
from frostline.data.views import views_of
from frostline.statistics.temperature import fit_temperature
from frostline.training.features import ReadOut
from frostline.training.ridge import PENALTIES, LinearHead, fit_ridge
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup

__all__ = ["HeadScores", "Heads"]


@dataclass(frozen=True, eq=False)
class HeadScores:
    """Logits [R, N, K] for the cell's N validation images in each of R draws of folds, at the best `penalty`.

    `temperature` is what makes probabilities of them.
    """

    logits: NDArray[np.float32]
    penalty: float
    temperature: float


class Heads:
    """Heads on what the blocks of one cell's images give. What was scored once is kept."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._scored: dict[TrialSettings, HeadScores] = {}

    def scores(self, settings: TrialSettings) -> HeadScores:
        """Out-of-fold scores of the head of `settings`, on blocks that are all frozen.

        Of all penalties the one is taken whose logits have the least squared error, classes weighed alike: it varies
        less by chance than a count of right answers.
        """
        head = settings.head
        if head not in self._scored:
            self._scored[head] = self._score(head)
        return self._scored[head]

    def fit(self, settings: TrialSettings, rows: Rows) -> LinearHead:
        """The head of `settings` fitted to `rows`, at the penalty and temperature that its scores have chosen."""
        scores = self.scores(settings)
        (head,) = self._fit(settings, rows, (scores.penalty,))
        return head.softened(scores.temperature)

    def _score(self, settings: TrialSettings) -> HeadScores:
        cell, classes = self._setup.cell, len(self._setup.cell.packed.classes)
        labels = cell.packed.labels[cell.validation_rows]
        features = self._features(settings)
        logits = np.empty((len(PENALTIES), len(cell.repeats), len(labels), classes), dtype=np.float32)
        for number, draw in enumerate(cell.repeats):
            for (training, validation), places in zip(draw, cell.places(number), strict=True):
                values = features[validation]
                for penalty, head in enumerate(self._fit(settings, training, PENALTIES)):
                    logits[penalty, number, places] = head.logits(values)
        targets = np.where(np.eye(classes, dtype=bool)[labels], 2.0, -2.0)
        errors = ((logits - targets) ** 2).sum(axis=3) @ self._setup.class_weights()[labels]
        best = int(errors.sum(axis=1).argmin())
        probabilities = softmax(logits[best].reshape(-1, classes).astype(np.float64), axis=1)
        temperature = fit_temperature(np.tile(labels, len(cell.repeats)), probabilities)
        return HeadScores(logits[best], PENALTIES[best], temperature)

    def _fit(self, settings: TrialSettings, rows: Rows, penalties: tuple[float, ...]) -> list[LinearHead]:
        setup = self._setup
        labels, weights = setup.cell.packed.labels, setup.class_weights()
        widths = [setup.backbone.width(block, settings.pooling) for block in settings.blocks]
        return fit_ridge(self._features(settings), rows, labels, weights, widths, penalties)

    def _features(self, settings: TrialSettings) -> ReadOut:
        return ReadOut(self._setup.vectors, settings.blocks, settings.pooling, views_of(settings.test_views))
