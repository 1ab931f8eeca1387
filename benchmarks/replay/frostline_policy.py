"""frostline's own way to search, replayed: its schedule, races, sampler, ensemble and selection run as they are.

What they train and fit is looked up: see stand_in.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from frostline.compute.local import InProcess
from frostline.compute.workers import Workers
from frostline.config.effort import EFFORTS, Effort
from frostline.config.load import load_config
from frostline.search.flights import run_study
from frostline.search.objective import Objective
from frostline.search.schedule import Schedule
from frostline.search.selection import Selection
from frostline.search.trials import finished_trials

from .policies import Policy, Rng
from .stand_in import DEPTH, Replayed
from .world import Ledger, World

CUT = 4
"""How many blocks the guide's start_of_convnet keeps of VGG16's."""


def search(effort: Effort, world: World, ledger: Ledger, rng: Rng, _: float) -> None:
    """A study of this `effort`, to its end."""
    trainer = Replayed(world, load_config())
    study = searched(effort, trainer, InProcess(trainer), int(rng.integers(2**31)))
    for count, trial in enumerate(study.finished, start=1):
        trainer.pay(trial, ledger)
        if trial.state == TrialState.COMPLETE:
            ledger.use(study.test(count))
    ledger.use(ledger.steps[-1][1])


@dataclass(frozen=True)
class Searched:
    """The trials of a study that has ended, by number, and what trained them."""

    trainer: Replayed
    finished: Sequence[FrozenTrial]

    def test(self, count: int) -> float:
        """The test score of what would be used after so many trials, of which one at least is complete."""
        trainer = self.trainer
        images = np.arange(trainer.world.images)
        chosen = Selection.among(self.finished[:count], trainer.labels, images, trainer.recommended)
        return trainer.test(chosen.winner)


def searched(effort: Effort, trainer: Replayed, workers: Workers, seed: int) -> Searched:
    """A study of this `effort`, which `workers` train by `trainer`."""
    views = tuple(dict.fromkeys(known.settings.views for known in trainer.world.heads.values()))
    space = trainer.config.search.model_copy(update={"effort": effort, "views": views, "pooling": ("both",)})
    schedule, study = Schedule(space, DEPTH, CUT), optuna.create_study(direction="maximize")
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        run_study(study, Objective(trainer, schedule, Unlogged(), seed), schedule, workers, seed)
    return Searched(trainer, finished_trials(study))


class Unlogged:
    """Stands for the runs of a study, and for a run: nothing is written."""

    def start_trial(self, *_: Any) -> "Unlogged":
        return self

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


FROSTLINE: dict[str, Policy] = {f"frostline, {name}": partial(search, effort) for name, effort in EFFORTS.items()}
