"""frostline's own way to search, replayed: its schedule, races, sampler, ensemble and selection run as they are.

What they train and fit is looked up. Settings that they draw stand for the nearest in the table, and a network whose
later folds the table lacks is judged by those that it has.
"""

import contextlib
import io
from collections.abc import Generator, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from frostline.compute.local import InProcess
from frostline.config.effort import EFFORTS, Effort
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.data.packed import PackedImages
from frostline.regimes.guide import classify_size, recommend
from frostline.search.flights import run_study
from frostline.search.objective import Objective
from frostline.search.schedule import Schedule
from frostline.search.selection import Selection
from frostline.search.trials import COST, finished_trials, settings_of
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
from .policies import Policy, Rng
from .world import Known, Ledger, World

DEPTH, CUT = 5, 4  # VGG16's blocks, and how many the guide's start_of_convnet keeps of them
SIMILAR = ("dogs_cats", "animals_things")  # to what VGG16 has learned from: docs/results/similarity.csv


def search(effort: Effort, world: World, ledger: Ledger, rng: Rng, _: float) -> None:
    """A study of this `effort`, to its end."""
    config, seed = load_config(), int(rng.integers(2**31))
    views = tuple(dict.fromkeys(known.settings.views for known in world.heads.values()))
    space = config.search.model_copy(update={"effort": effort, "views": views, "pooling": ("both",)})
    trainer, schedule = Replayed(world, config), Schedule(space, DEPTH, CUT)
    study = optuna.create_study(direction="maximize")
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        run_study(study, Objective(trainer, schedule, Unlogged(), seed), schedule, InProcess(trainer), seed)
    finished, strategies = finished_trials(study), recommended(world, config)
    for count, trial in enumerate(finished, start=1):
        trainer.pay(trial, ledger)
        if trial.state == TrialState.COMPLETE:
            chosen = Selection.among(finished[:count], trainer.labels, np.arange(world.images), strategies)
            ledger.use(trainer.test(chosen.winner))
    ledger.use(ledger.steps[-1][1])


def recommended(world: World, config: Config) -> Sequence[str]:
    """The guide's strategies for a cell."""
    size = classify_size(world.images / 2, world.images, config.profile)
    return recommend(size, "similar" if world.cell.dataset in SIMILAR else "different").strategies


class Replayed(Trainer):
    """Validates settings by what the table holds of the nearest ones."""

    def __init__(self, world: World, config: Config) -> None:
        self._world = world
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

    def cost(self, settings: TrialSettings, fold: int) -> float:
        return self._world.epoch_cost(self._world.nearest(settings), fold)

    def steps(self, settings: TrialSettings, seed: int) -> Generator[Report, bool, Validation]:
        """Up to the last fold that the table has."""
        left = self.cell.folds_of(self._world.nearest(settings).margins.shape[1])
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
        known = self._world.nearest(settings)
        if settings.thaw:
            ledger.see(known)
            ledger.spent += trial.user_attrs[COST]
        elif not settings.members:
            ledger.fit(known, draws=len(known.curve.arrays["margins"]))

    def test(self, trial: FrozenTrial) -> float:
        """Its test score."""
        settings = settings_of(trial)
        if not settings.members:
            return float(self._world.nearest(settings).tests[max(0, trial.user_attrs["epochs"] - 1)])
        heads = [self._world.nearest(each) for each in member_settings(settings)]
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
        for own in self._world.nearest(settings).margins[:, rows]:
            logits = self.logits(own, rows[0])
            yield 0.0, 1 / (1 + np.exp(logits[:, ::-1] - logits))


class ReplayedHeads:
    """Scores of heads by what the table holds of the nearest ones."""

    def __init__(self, trainer: Replayed) -> None:
        self._trainer = trainer
        self.targets = targets_of(trainer.labels, 2)
        self.weights = np.ones(len(trainer.labels), dtype=np.float32)

    def scores(self, settings: TrialSettings) -> HeadScores:
        known = self._trainer._world.nearest(settings)
        margins = ridge_scale(known) * known.curve.arrays["margins"].astype(np.float64)
        return self.calibrated(self._trainer.logits(margins), penalty=1.0)

    def calibrated(self, logits: NDArray[np.float32], penalty: float) -> HeadScores:
        probabilities = 1 / (1 + np.exp(logits[..., ::-1].astype(np.float64) - logits))
        labels = np.tile(self._trainer.labels, len(logits))
        return HeadScores(logits, penalty, fit_temperature(labels, probabilities.reshape(-1, 2)))


class Unlogged:
    """Stands for the runs of a study, and for a run: nothing is written."""

    def start_trial(self, *_: Any) -> "Unlogged":
        return self

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


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


FROSTLINE: dict[str, Policy] = {f"frostline, {name}": partial(search, effort) for name, effort in EFFORTS.items()}
