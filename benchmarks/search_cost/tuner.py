"""The same trials under KerasTuner: the networks of `plain.py`, built and fitted by a `keras_tuner.HyperModel`.

An oracle hands out the listed trials in order, so that proposing costs nothing. What else a tuner does for its users
stays: it saves the weights of each epoch that is the best so far, and its own state after each trial.
Not among frostline's dependencies: `pip install keras-tuner tensorboard` (it imports the latter without asking for it).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras_tuner

from frostline.search.space import as_point, suggest

from .plain import SCORE, Bench, Clock, Job, Reached, Record, build, fit, scores


def search(bench: Bench, jobs: Sequence[Job], precision: str, folder: Path, record: Record) -> None:
    """A tuner whose trials are `jobs`; what it saves goes into `folder`."""
    Tuner(Network(bench, jobs[0], precision), jobs, record, folder).search(verbose=0)


class Network(keras_tuner.HyperModel):
    """Builds and fits the network that hyperparameters stand for; `begin` says which job they belong to."""

    def __init__(self, bench: Bench, job: Job, precision: str) -> None:
        super().__init__()
        self._bench, self._precision = bench, precision
        self.begin(job)

    def begin(self, job: Job) -> None:
        self.job, self.clock = job, Clock()
        self.reached: Reached = []

    def build(self, hp: keras_tuner.HyperParameters) -> Any:
        settings = suggest(Space(hp), self._bench.config.search, self._bench.trainer.backbone.depth)
        return build(self._bench, settings, self._precision, self.job.epochs, self.job.seed)

    def fit(self, hp: keras_tuner.HyperParameters, model: Any, *, callbacks: Sequence[Any], **_: Any) -> float:
        folds = []
        for number, fold in enumerate(self._bench.folds):
            network = self.build(hp) if number else model
            folds.append(fit(network, self._bench, fold, self.job.epochs, self.clock, callbacks))
        self.reached = list(scores(self._bench, folds))
        return max(score for _, score in self.reached)


class Space:
    """Hyperparameters as Optuna's trial, so that both search the one space of `frostline.search.space`."""

    def __init__(self, hp: keras_tuner.HyperParameters) -> None:
        self._hp = hp

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return self._hp.Int(name, low, high)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._hp.Choice(name, list(choices))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return self._hp.Float(name, low, high, sampling="log" if log else "linear")


class Listed(keras_tuner.Oracle):
    """Proposes the settings of `jobs`, in their order."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        # The first trial that fails ends the search: a missing row would pass for a fast one.
        super().__init__(keras_tuner.Objective(SCORE, "max"), len(jobs), max_consecutive_failed_trials=1)
        self._jobs = jobs

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        return {"status": "RUNNING", "values": as_point(self._jobs[int(trial_id)].settings)}


class Tuner(keras_tuner.Tuner):
    """Tells `record` of each trial once the tuner is done with it."""

    def __init__(self, network: Network, jobs: Sequence[Job], record: Record, folder: Path) -> None:
        self._jobs, self._record = jobs, record
        super().__init__(Listed(jobs), network, directory=folder, project_name="tuner", overwrite=True)

    def on_trial_begin(self, trial: Any) -> None:
        self.hypermodel.begin(self._jobs[int(trial.trial_id)])
        super().on_trial_begin(trial)

    def on_trial_end(self, trial: Any) -> None:
        super().on_trial_end(trial)
        self._record(self.hypermodel.job, self.hypermodel.clock, self.hypermodel.reached)
