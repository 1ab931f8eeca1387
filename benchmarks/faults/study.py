"""A study that is trained by `frostline train` on a cluster, and what its project holds afterwards."""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import optuna
from mlflow import MlflowClient
from optuna.trial import FrozenTrial, TrialState

from frostline.config.effort import Effort
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.records.train_record import TrainRecord
from frostline.search.trials import CERTAINTY, NUMBER, REASON

from ..project import DATASET, SIZE, profile_few, write_params
from ..training import BACKBONE, changed, least, stored_in

NAME = f"{DATASET}-{SIZE}-{BACKBONE}"
COMMAND = [str(Path(sys.executable).parent / "frostline"), "train", DATASET, SIZE, BACKBONE]

Finished = dict[int, list[FrozenTrial]]
"""Trials that count, by number: one each, or something is wrong."""


def few_trials(*, smallest: bool) -> Config:
    """What studies are asked for, from params.yaml in the working folder."""
    config = least(load_config())
    if not smallest:
        config = changed(config, "train", epochs=3, folds=2, folds_up_to=1000)
        config = changed(config, "search", effort=Effort(heads=6, thawed=4, images=1e6), views=("identity", "mirror"))
    return config.model_copy(update={"sizes": {SIZE: 8 if smallest else 16}})


def make_project(config: Config, address: str, minutes: float) -> Config:
    """Make the working folder a project whose studies are trained at `address`, and give what it asks for."""
    config = changed(config, "compute", engine="ray", address=address, workers=2, cpus=1, minutes=minutes)
    return profile_few(stored_in(config, Path("stores")))


@dataclass(frozen=True)
class Study:
    """The study that `config` asks for under a seed of its own, with stores and a cache of its own."""

    seed: int
    config: Config

    @property
    def folder(self) -> Path:
        return Path(f"stores-{self.seed}")

    @property
    def trials(self) -> int:
        """How many are asked for: heads, an ensemble of them, and those that thaw blocks."""
        effort = self.config.search.effort
        return effort.heads + 1 + effort.thawed

    def begin(self) -> None:
        """Have the project ask for it."""
        self.folder.mkdir()
        write_params(stored_in(self.config.model_copy(update={"seed": self.seed}), self.folder))

    def finished(self) -> Finished:
        """Trials that count now. The study must have begun: who opens a storage without tables makes them."""
        storage = f"sqlite:///{self.folder}/studies.db"
        (name,) = optuna.get_all_study_names(storage)
        found: Finished = {}
        for trial in optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False):
            if trial.state.is_finished() and (trial.state != TrialState.FAIL or REASON in trial.user_attrs):
                found.setdefault(trial.user_attrs[NUMBER], []).append(trial)
        return found

    def wrong_runs(self, finished: Finished) -> int:
        """Runs in MLflow that are not as they should be.

        A trial has one, FINISHED, or FAILED as the trial is; so has the study, FINISHED; and none is RUNNING.
        """
        client = MlflowClient(f"sqlite:///{self.folder}/tracking.db")
        experiment = client.get_experiment_by_name(f"frostline-{DATASET}")
        runs = client.search_runs([experiment.experiment_id])
        parents = [run for run in runs if "frostline.study" in run.data.tags]
        states = [(run.data.tags["trial"], run.info.status) for run in runs if "trial" in run.data.tags]
        due = [
            (str(number), "FAILED" if trial.state == TrialState.FAIL else "FINISHED")
            for number, (trial, *_) in finished.items()
        ]
        wrong = (Counter(states) - Counter(due)) + (Counter(due) - Counter(states))
        return sum(wrong.values()) + ([run.info.status for run in parents] != ["FINISHED"])

    def has_asked_number(self, finished: Finished) -> bool:
        """Whether as many trials as were asked for are in the study, and in the record of its model."""
        recorded = sum(TrainRecord.read(Path("models") / NAME).trials.model_dump().values())
        return sorted(finished) == list(range(1, self.trials + 1)) and recorded == self.trials


def twice(finished: Finished) -> int:
    """How many trials count more than once."""
    return sum(len(trials) - 1 for trials in finished.values())


def lost(before: Finished, after: Finished) -> set[int]:
    """The numbers of trials that had finished `before` and are gone, or are others, `after`."""
    return {
        number for number, (trial, *_) in before.items() if _content(trial) not in map(_content, after.get(number, []))
    }


def _content(trial: FrozenTrial) -> tuple[object, ...]:
    attrs = trial.user_attrs
    return trial.number, trial.state, trial.value, attrs.get(CERTAINTY), attrs.get(REASON)
