"""Heads on frozen blocks: fitted in closed form, and scored by images that they were not fitted to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from frostline.data.arrays import Rows
from frostline.data.views import views_of
from frostline.statistics.temperature import fit_temperature
from frostline.training.ensemble import join, member_settings
from frostline.training.features import ReadOut
from frostline.training.ridge import PENALTIES, LinearHead, fit_ridge, moments, targets_of
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
        self._labels = setup.cell.packed.labels[setup.cell.validation_rows]
        self._scored: dict[TrialSettings, HeadScores] = {}

    def scores(self, settings: TrialSettings) -> HeadScores:
        """Out-of-fold scores of the head of `settings`, on blocks that are all frozen.

        Of all penalties the one is taken whose logits have the least squared error, classes weighed alike: it varies
        less by chance than a count of right answers.
        """
        head = settings.head
        if head not in self._scored:
            self._scored[head] = self._mean(head) if head.members else self._score(head)
        return self._scored[head]

    def keep(self, settings: TrialSettings, scores: HeadScores) -> None:
        """Let `scores`, which another process has computed, be those of the head of `settings`."""
        self._scored[settings.head] = scores

    def calibrated(self, logits: NDArray[np.float32], penalty: float) -> HeadScores:
        """`logits` [R, N, K] with the temperature that makes probabilities of them."""
        probabilities = softmax(logits.reshape(-1, logits.shape[2]).astype(np.float64), axis=1)
        return HeadScores(logits, penalty, fit_temperature(np.tile(self._labels, len(logits)), probabilities))

    @property
    def targets(self) -> NDArray[np.float64]:
        """The logits [N, K] that a head is fitted to, of the validation images."""
        return targets_of(self._labels, len(self._setup.cell.packed.classes))

    @property
    def weights(self) -> NDArray[np.float32]:
        """What each validation image weighs [N], by its class."""
        weights: NDArray[np.float32] = self._setup.class_weights()[self._labels]
        return weights

    def fit(self, settings: TrialSettings, rows: Rows) -> LinearHead:
        """The head of `settings` fitted to `rows`, at the penalty and temperature that its scores have chosen."""
        return self.fitted(settings, rows).softened(self.scores(settings).temperature)

    def fitted(self, settings: TrialSettings, rows: Rows) -> LinearHead:
        """The same before its logits are divided by a temperature."""
        if settings.members:
            heads = [self.fitted(member, rows) for member in member_settings(settings)]
            channels = {block: self._setup.backbone.width(block, "average") for block in settings.blocks}
            return join(heads, settings, channels, moments(self._features(settings), rows))
        (head,) = self._fit(settings, rows, (self.scores(settings).penalty,))
        return head

    def _score(self, settings: TrialSettings) -> HeadScores:
        cell, classes = self._setup.cell, len(self._setup.cell.packed.classes)
        features = self._features(settings)
        logits = np.empty((len(PENALTIES), len(cell.repeats), len(self._labels), classes), dtype=np.float32)
        for number, draw in enumerate(cell.repeats):
            for (training, validation), places in zip(draw, cell.places(number), strict=True):
                values = features[validation]
                for penalty, head in enumerate(self._fit(settings, training, PENALTIES)):
                    logits[penalty, number, places] = head.logits(values)
        errors = ((logits - self.targets) ** 2).sum(axis=3) @ self.weights
        best = int(errors.sum(axis=1).argmin())
        return self.calibrated(logits[best], PENALTIES[best])

    def _mean(self, settings: TrialSettings) -> HeadScores:
        """Of the members' logits, each at a penalty of its own."""
        scores = [self.scores(member) for member in member_settings(settings)]
        shares = np.array([member.share for member in settings.members], dtype=np.float32)
        logits = np.tensordot(shares, np.stack([each.logits for each in scores]), 1)
        return self.calibrated(logits, float(shares @ [each.penalty for each in scores]))

    def _fit(self, settings: TrialSettings, rows: Rows, penalties: tuple[float, ...]) -> list[LinearHead]:
        setup = self._setup
        labels, weights = setup.cell.packed.labels, setup.class_weights()
        widths = [setup.backbone.width(block, settings.pooling) for block in settings.blocks]
        return fit_ridge(self._features(settings), rows, labels, weights, widths, penalties)

    def _features(self, settings: TrialSettings) -> ReadOut:
        return ReadOut(self._setup.vectors, settings.blocks, settings.pooling, views_of(settings.test_views))
