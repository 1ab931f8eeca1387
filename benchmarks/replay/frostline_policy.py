"""frostline's own way to search, replayed: its schedule, races and sampler run as they are, on a trainer that looks up.

Settings that they draw stand for the nearest in the table. Networks of a cell whose later folds the table lacks are
validated on those that it has.
"""

import contextlib
import io
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from frostline.config.effort import EFFORTS, Effort
from frostline.config.load import load_config
from frostline.data.packed import PackedImages
from frostline.search.objective import Objective
from frostline.search.schedule import Schedule
from frostline.search.study import run_study
from frostline.search.trials import COST, finished_trials, settings_of
from frostline.training.cell import Cell
from frostline.training.heads import HeadScores
from frostline.training.memo import Epoch
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer, Validation, Watcher

from .policies import Policy, Rng
from .world import Ledger, World

DEPTH, CUT = 5, 4  # VGG16's blocks, and how many the guide's start_of_convnet keeps of them


def search(effort: Effort, world: World, ledger: Ledger, rng: Rng, _: float) -> None:
    """A study of this `effort`, to its end."""
    views = tuple(dict.fromkeys(known.settings.views for known in world.heads.values()))
    config = load_config().search.model_copy(update={"effort": effort, "views": views, "pooling": ("both",)})
    trainer, schedule = Replayed(world), Apart(config, DEPTH, CUT)
    study, seed = optuna.create_study(direction="maximize"), int(rng.integers(2**31))
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        run_study(study, Objective(trainer, schedule, Unlogged(), seed), schedule, seed)
    best: FrozenTrial | None = None
    for trial in finished_trials(study):
        known = world.nearest(settings_of(trial))
        if known.is_head:
            ledger.fit(known, draws=len(known.curve.arrays["margins"]))
        else:
            ledger.see(known)
            ledger.spent += trial.user_attrs[COST]
        if trial.state == TrialState.COMPLETE and (best is None or trial.value > best.value):
            best = trial
            ledger.use(known.tests[max(0, trial.user_attrs["epochs"] - 1)])
    ledger.use(ledger.steps[-1][1])


class Apart(Schedule):
    """frostline's order of trials without an ensemble, which is none of the table's settings."""

    def is_ensemble(self, _: int) -> bool:
        return False

    @property
    def _ensemble(self) -> int:
        return self.config.effort.heads


class Replayed(Trainer):
    """Validates settings by what the table holds of the nearest ones."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._train = load_config().train
        self._memo = None
        self.cell = _cell(world)
        self.backbone = SimpleNamespace(depth=DEPTH)
        self.heads = SimpleNamespace(scores=self._scores)
        self._groups = np.arange(len(self.cell.packed.labels))

    def cost(self, settings: TrialSettings, fold: int) -> float:
        return self._world.epoch_cost(self._world.nearest(settings), fold)

    def validate(self, settings: TrialSettings, seed: int, watcher: Watcher) -> Validation:
        found = super().validate(settings, seed, watcher)
        return found if settings.thaw else replace(found, score=self._world.nearest(settings).score_of_all)

    def _scores(self, settings: TrialSettings) -> HeadScores:
        margins = self._world.nearest(settings).curve.arrays["margins"][:, : len(self.cell.packed.labels)]
        return HeadScores(self._logits(margins, 0), penalty=1.0, temperature=1.0)

    def _fold(self, settings: TrialSettings, number: int, _: int) -> Generator[Epoch]:
        _, rows = self.cell.folds[number]
        for own in self._world.nearest(settings).margins[:, rows]:
            logits = self._logits(own, rows[0])
            yield 0.0, (1 / (1 + np.exp(logits[:, ::-1] - logits))).astype(np.float32)

    def _logits(self, margins: Any, start: int) -> Any:
        """[..., N, 2] of images from `start` on, from the margins [..., N] of their own classes."""
        labels = self.cell.packed.labels[start : start + margins.shape[-1]]
        towards = np.where(labels == 1, 1, -1) * margins.astype(np.float64) / 2
        return np.stack([-towards, towards], axis=-1)


class Unlogged:
    """Stands for the runs of a study, and for a run: nothing is written."""

    def start_trial(self, *_: Any) -> "Unlogged":
        return self

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


def _cell(world: World) -> Cell:
    """Images by place in the table, in the folds that all its networks were trained in."""
    sizes = world.facts["fold_sizes"]
    ends = np.cumsum([0, *sizes])
    trained = min((known.margins.shape[1] for known in world.thawed.values()), default=ends[-1])
    folds = [(start, end) for start, end in pairwise(ends.tolist()) if end <= trained]
    labels = next(iter(world.all.values())).labels[: folds[-1][1]].astype(np.int64)
    rows = np.arange(len(labels))
    index = pd.DataFrame({"group": rows.astype(str)})
    packed = PackedImages(np.empty((len(rows), 0)), labels, index, ("0", "1"), 0, "stretch", "")
    pairs = tuple((np.setdiff1d(rows, rows[start:end]), rows[start:end]) for start, end in folds)
    return Cell(packed, rows, (pairs,) * len(next(iter(world.heads.values())).curve.arrays["margins"]))


FROSTLINE: dict[str, Policy] = {f"frostline, {name}": partial(search, effort) for name, effort in EFFORTS.items()}
