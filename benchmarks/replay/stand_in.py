"""What stands for training in a replayed study: validations that are looked up in the table of learning curves.

Settings that a study draws stand for the nearest in the table, and a network whose later folds the table lacks is
judged by those that it has.
"""

from collections.abc import Generator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from frostline.config.schema import Config
from frostline.data.packed import PackedImages
from frostline.regimes.guide import classify_size, recommend
from frostline.search.trials import COST, settings_of
from frostline.statistics.temperature import fit_temperature
from frostline.training.cell import Cell
from frostline.training.ensemble import member_settings
from frostline.training.heads import HeadScores
from frostline.training.memo import Epoch
from frostline.training.reports import FoldReport, Report
from frostline.training.ridge import targets_of
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer, Validation

from ..curves.table import balanced
from .world import Known, Ledger, World

DEPTH = 5  # VGG16's blocks
SIMILAR = ("dogs_cats", "animals_things")  # to what VGG16 has learned from: docs/results/similarity.csv


class Replayed(Trainer):
    """Validates settings by what the table holds of the nearest ones."""

    def __init__(self, world: World, config: Config) -> None:
        self.world = world
        self.config = config
        self._train = config.train
        self._memo = None
        self.cell = _cell(world)
        self.backbone = SimpleNamespace(depth=DEPTH)
        self.heads = ReplayedHeads(self)
        self._groups = np.arange(len(self.cell.packed.labels))

    @property
    def labels(self) -> NDArray[np.int64]:
        """Of the validation images [N], each of which is a group of its own."""
        return self.cell.packed.labels

    @property
    def recommended(self) -> Sequence[str]:
        """The guide's strategies for the cell."""
        size = classify_size(self.world.images / 2, self.world.images, self.config.profile)
        return recommend(size, "similar" if self.world.cell.dataset in SIMILAR else "different").strategies

    def cost(self, settings: TrialSettings, fold: int) -> float:
        return self.world.epoch_cost(self.world.nearest(settings), fold)

    def steps(self, settings: TrialSettings, seed: int) -> Generator[Report, bool, Validation]:
        """Up to the last fold that the table has."""
        left = self.cell.folds_of(self.world.nearest(settings).margins.shape[1])
        steps, goes_on = super().steps(settings, seed), None
        while True:
            try:
                report = steps.send(goes_on)
            except StopIteration as end:
                return end.value
            left -= isinstance(report, FoldReport)
            goes_on = (yield report) and left > 0

    def pay(self, trial: FrozenTrial, ledger: Ledger) -> None:
        """Put the cost of a trial on a ledger; an ensemble of heads that were fitted costs nothing."""
        settings = settings_of(trial)
        known = self.world.nearest(settings)
        if settings.thaw:
            ledger.see(known)
            ledger.spent += trial.user_attrs[COST]
        elif not settings.members:
            ledger.fit(known, draws=len(known.curve.arrays["margins"]))

    def test(self, trial: FrozenTrial) -> float:
        """Its test score."""
        settings = settings_of(trial)
        if not settings.members:
            return float(self.world.nearest(settings).tests[max(0, trial.user_attrs["epochs"] - 1)])
        heads = [self.world.nearest(each) for each in member_settings(settings)]
        shares = [member.share for member in settings.members]
        mean = np.average([ridge_scale(known) * known.test_margins for known in heads], axis=0, weights=shares)
        return float(balanced(mean > 0, heads[0].curve.arrays["test_labels"]))

    def logits(self, margins: Any, start: int = 0) -> NDArray[np.float32]:
        """[..., N, 2] of images from `start` on, from the margins [..., N] of their own classes."""
        labels = self.labels[start : start + margins.shape[-1]]
        towards = np.where(labels == 1, 1, -1) * margins.astype(np.float64) / 2
        return np.stack([-towards, towards], axis=-1).astype(np.float32)

    def _fold(self, settings: TrialSettings, number: int, _: int) -> Generator[Epoch]:
        _, rows = self.cell.folds[number]
        for own in self.world.nearest(settings).margins[:, rows]:
            logits = self.logits(own, rows[0])
            yield 0.0, 1 / (1 + np.exp(logits[:, ::-1] - logits))


class ReplayedHeads:
    """Scores of heads by what the table holds of the nearest ones."""

    def __init__(self, trainer: Replayed) -> None:
        self._trainer = trainer
        self.targets = targets_of(trainer.labels, 2)
        self.weights = np.ones(len(trainer.labels), dtype=np.float32)

    def scores(self, settings: TrialSettings) -> HeadScores:
        known = self._trainer.world.nearest(settings)
        margins = ridge_scale(known) * known.curve.arrays["margins"].astype(np.float64)
        return self.calibrated(self._trainer.logits(margins), penalty=1.0)

    def calibrated(self, logits: NDArray[np.float32], penalty: float) -> HeadScores:
        probabilities = 1 / (1 + np.exp(logits[..., ::-1].astype(np.float64) - logits))
        labels = np.tile(self._trainer.labels, len(logits))
        return HeadScores(logits, penalty, fit_temperature(labels, probabilities.reshape(-1, 2)))


def ridge_scale(known: Known) -> float:
    """What a head's margins, which the table holds calibrated, are to be multiplied by to be ridge's again.

    Its logits of the classes are fitted to differ by 4: taken is the factor of least squared error.
    """
    margins = known.margins[0]
    return float(4 * margins.sum() / (margins**2).sum())


def _cell(world: World) -> Cell:
    """Images by place in the table, in its folds."""
    ends = np.cumsum([0, *world.facts["fold_sizes"]])
    head = next(iter(world.heads.values()))
    labels, rows = head.labels.astype(np.int64), np.arange(ends[-1])
    index = pd.DataFrame({"group": rows.astype(str)})
    packed = PackedImages(np.empty((len(rows), 0)), labels, index, ("0", "1"), 0, "stretch", "")
    pairs = tuple((np.setdiff1d(rows, held), held) for held in np.split(rows, ends[1:-1]))
    return Cell(packed, rows, (pairs,) * len(head.curve.arrays["margins"]))
