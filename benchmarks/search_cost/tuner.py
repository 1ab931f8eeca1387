"""The same trials under KerasTuner: the networks of `plain.py`, built and fitted by a `keras_tuner.HyperModel`.

An oracle hands out the listed trials in order, so that proposing costs nothing. What else a tuner does for its users
stays: it saves the weights of each epoch that is the best so far, and its own state after each trial.
Not among frostline's dependencies: `pip install keras-tuner tensorboard` (it imports the latter without asking for it).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras_tuner

from .plain import SCORE, Bench, Clock, Job, Reached, Record, build, fit, scores


def search(bench: Bench, jobs: Sequence[Job], precision: str, folder: Path, record: Record) -> None:
    """A tuner whose trials are `jobs`; what it saves goes into `folder`."""
    Tuner(Network(bench, jobs[0], precision), jobs, record, folder).search(verbose=0)


class Network(keras_tuner.HyperModel):
    """Builds and fits the network of the job that `begin` names."""

    def __init__(self, bench: Bench, job: Job, precision: str) -> None:
        super().__init__()
        self._bench, self._precision = bench, precision
        self.begin(job)

    def begin(self, job: Job) -> None:
        self.job, self.clock = job, Clock()
        self.reached: Reached = []

    def build(self, _: keras_tuner.HyperParameters) -> Any:
        return build(self._bench, self.job, self._precision)

    def fit(self, hp: keras_tuner.HyperParameters, model: Any, *, callbacks: Sequence[Any], **_: Any) -> float:
        folds = []
        for number, fold in enumerate(self._bench.folds):
            network = self.build(hp) if number else model
            folds.append(fit(network, self._bench, fold, self.job.epochs, self.clock, callbacks))
        self.reached = list(scores(self._bench, folds))
        return max(score for _, score in self.reached)


class Listed(keras_tuner.Oracle):
    """Proposes so many jobs, by number."""

    def __init__(self, jobs: int) -> None:
        # The first trial that fails ends the search: a missing row would pass for a fast one.
        super().__init__(keras_tuner.Objective(SCORE, "max"), jobs, max_consecutive_failed_trials=1)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        return {"status": "RUNNING", "values": {"job": int(trial_id)}}


class Tuner(keras_tuner.Tuner):
    """Tells `record` of each trial once the tuner is done with it."""

    def __init__(self, network: Network, jobs: Sequence[Job], record: Record, folder: Path) -> None:
        self._jobs, self._record = jobs, record
        super().__init__(Listed(len(jobs)), network, directory=folder, project_name="tuner", overwrite=True)

    def on_trial_begin(self, trial: Any) -> None:
        self.hypermodel.begin(self._jobs[int(trial.trial_id)])
        super().on_trial_begin(trial)

    def on_trial_end(self, trial: Any) -> None:
        super().on_trial_end(trial)
        self._record(self.hypermodel.job, self.hypermodel.clock, self.hypermodel.reached)
