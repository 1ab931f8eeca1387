"""The stage `train` killed at every step of its order, and repeated: each trial once, a run each, models whole.

The networks are small (see small_train); Optuna, MLflow, SQLite, signals and files are real.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
import psutil
import pytest
import small_train
from mlflow import MlflowClient
from optuna.trial import FrozenTrial, TrialState
from small_train import LOG, NAME, PROCESS, TRIALS, make_project, set_seed

from frostline.search.trials import NUMBER, REASON, SETTINGS

pytestmark = [
    pytest.mark.usefixtures("heeded_signals"),
    pytest.mark.skipif(
        importlib.util.find_spec("jax") is None, reason="Keras's NumPy backend imports jax: pip install jax"
    ),
]

Train = Callable[..., int]

STORMS = {
    "before the first trial": [
        *(
            "after _create",
            "after _free_numbers",
            "before _begin",
            "after _begin",
            "before fill_cache",
            "after fill_cache",
        ),
        *("after _create_new_trial", "before start_trial"),
    ],
    "in a trial": [
        *("after start_trial", "after log_params", "after set_trial_user_attr 3", "before propose", "after propose"),
        *("before set_trial_state_values", "after set_trial_state_values"),
    ],
    "in a trial that thaws blocks": [
        *("after epoch", "before epoch 2", "after fold", "after fold 3", "after set_trial_user_attr 8"),
        *("before log_history", "after epoch 3", "after fold 4"),
    ],
    "at the end of a trial": [
        *("before log_metrics", "after log_metrics", "after log_history", "after end"),
        *("before tell", "after tell"),
    ],
    "at the winner": [
        *("after run_study", "before log_winner", "after log_winner", "before refit", "after refit", "after refit 2"),
        *("before record", "after record"),
    ],
    "in the folder": [
        *(
            "before write",
            "before write 2",
            "after write",
            "before rename",
            "after rename",
            "before rename 3",
            "after rename 3",
        ),
        *("before _clear 3", "after _clear 3"),
    ],
    "at the end of the study": [
        *("after write 2", "before log_study", "before log_input", "after log_table", "after log_study", "before end"),
        "after end",
    ],
    "after an interrupt": [
        "SIGINT after log_params",
        "after _create_new_trial",
        "SIGTERM after end",
        "after start_trial",
    ],
}
BETWEEN = ("after rename", "before rename 3")
"""The old model is set aside, and the new one is not yet in its place: the next command puts the old one back."""


@contextmanager
def trainer() -> Iterator[Train]:
    """`train(folder, step)` runs the command in a project, killed at a step, and gives its exit code."""
    environment = os.environ | {"KERAS_BACKEND": "numpy"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    with subprocess.Popen(
        [sys.executable, small_train.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:

        def run(folder: Path, step: str = "never") -> int:
            words = step.split()
            number = getattr(signal, words.pop(0)) if words[0].startswith("SIG") else signal.SIGKILL
            times = int(words.pop()) if words[-1].isdigit() else 1
            process.stdin.write(f"{folder} {number} {times} {' '.join(words)}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield run
        process.stdin.close()


@pytest.fixture(scope="module")
def train() -> Iterator[Train]:
    with trainer() as run:
        yield run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, train: Train) -> Path:
    """A project with a model that was trained with another seed."""
    folder = tmp_path_factory.mktemp("trained")
    make_project(folder)
    assert train(folder) == 0, (folder / LOG).read_text()
    set_seed(folder, 1)
    return folder


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, trained: Path, train: Train) -> list[FrozenTrial]:
    """The trials of a study that nobody killed."""
    folder = tmp_path_factory.mktemp("untouched") / "project"
    shutil.copytree(trained, folder)
    assert train(folder) == 0
    return trials_that_count(folder)


@pytest.mark.parametrize("storm", STORMS)
def test_a_study_that_is_killed_again_and_again_ends_as_if_it_never_was(
    tmp_path: Path, trained: Path, untouched: list[FrozenTrial], train: Train, storm: str
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(trained, folder)
    for step in STORMS[storm]:
        code = train(folder, step)
        assert code == {"SIGINT": 130, "SIGTERM": 143}.get(step.split()[0], -signal.SIGKILL), (folder / LOG).read_text()
        assert (model(folder) is None) == (step in BETWEEN), step
    assert train(folder) == 0, (folder / LOG).read_text()

    trials = trials_that_count(folder)
    assert [trial.user_attrs[NUMBER] for trial in trials] == list(range(1, TRIALS + 1))
    assert [(each.params, each.value, each.state, each.user_attrs) for each in trials] == [
        (each.params, each.value, each.state, each.user_attrs) for each in untouched
    ]
    parents, children = runs(folder)
    assert [run.info.status for run in parents] == ["FINISHED"]
    assert sorted(int(run.data.tags["trial"]) for run in children) == list(range(1, TRIALS + 1))
    ended = {TrialState.FAIL: "FAILED"}
    for run in children:
        trial = trials[int(run.data.tags["trial"]) - 1]
        assert run.info.status == ended.get(trial.state, "FINISHED")
        assert run.data.params["blocks"] == ",".join(map(str, trial.user_attrs[SETTINGS]["blocks"]))
    new = model(folder)
    assert [group["trials"] for group in new["groups"]] == [3, 1, 1, 0, 1]
    assert [group["decided"] for group in new["groups"]] == [True, True, True, False, False]
    assert new["run_id"] == parents[0].info.run_id
    assert [path.name for path in (folder / "models").iterdir()] == [NAME]


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("SIGINT after log_params", 130),
        ("SIGTERM after set_trial_user_attr 3", 143),  # when the trial is being told of
        ("SIGHUP after set_trial_user_attr 4", 129),
    ],
)
def test_an_interrupt_is_one_line_that_is_true(
    tmp_path: Path, trained: Path, train: Train, step: str, code: int
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(trained, folder)
    assert train(folder, step) == code
    moved, *lines = said(folder)
    assert moved.startswith("The MLflow store was moved")  # the project is a copy
    assert lines == ["Interrupted; finished trials are kept, and the same command resumes."]
    parents, children = runs(folder)
    assert [run.info.status for run in [*parents, *children]] == ["KILLED", "KILLED"]


@pytest.mark.parametrize("step", ["after start_trial", "before log_study"])
def test_of_two_processes_that_train_one_cell_the_second_says_so_and_leaves_no_trace(
    tmp_path: Path, trained: Path, train: Train, step: str
) -> None:
    """The first is stopped at a step, as a slow one is in the middle of it, and goes on when the second has ended."""
    folder = tmp_path / "project"
    shutil.copytree(trained, folder)
    (folder / PROCESS).unlink()
    with trainer() as first, ThreadPoolExecutor() as threads:
        code = threads.submit(first, folder, f"SIGSTOP {step}")
        process = stopped(folder)
        log = (folder / LOG).read_text()
        before = everything(folder)
        assert train(folder) == 1
        assert everything(folder) == before
        (line,) = (folder / LOG).read_text().splitlines()
        assert re.fullmatch(rf"Error: Study {NAME}-\w+ is being run by another process\..*", line)
        assert log  # the first had begun
        process.send_signal(signal.SIGCONT)
        assert code.result() == 0
    parents, children = runs(folder)
    assert [run.info.status for run in parents] == ["FINISHED"]
    assert sorted(int(run.data.tags["trial"]) for run in children) == list(range(1, TRIALS + 1))


def stopped(folder: Path) -> psutil.Process:
    """The process that trains in `folder`, when it has been stopped."""
    while not (folder / PROCESS).exists() or not (folder / PROCESS).read_text():
        time.sleep(0.02)
    process = psutil.Process(int((folder / PROCESS).read_text()))
    while process.status() != psutil.STATUS_STOPPED:
        time.sleep(0.02)
    return process


def said(folder: Path) -> list[str]:
    """What the command said, but for what it always says."""
    return [line for line in (folder / LOG).read_text().splitlines() if not line.startswith(f"{NAME}: ")]


def everything(folder: Path) -> list[str]:
    """The rows of both databases, and the names of all files."""
    rows = []
    for database in ("mlflow.db", "optuna.db"):
        with closing(sqlite3.connect(folder / "mlruns" / database)) as connection:
            rows += connection.iterdump()
    return rows + sorted(str(path) for path in folder.rglob("*") if "optuna.db-" not in path.name)


def model(folder: Path) -> dict | None:
    """The record of the model in the project, whose files belong together; None between two renames."""
    place = folder / "models" / NAME
    if not place.exists():
        (place,) = (folder / "models").glob(f".frostline-*/old/{NAME}")
        return None
    record = json.loads((place / "train.json").read_text())
    assert (place / "model.keras").read_text() == record["fingerprints"]["model"]
    assert {"study.json", "trials.png", "training_images.txt"} <= {path.name for path in place.iterdir()}
    return record


def trials_that_count(folder: Path) -> list[FrozenTrial]:
    storage = f"sqlite:///{folder}/mlruns/optuna.db"
    study = optuna.load_study(study_name=optuna.get_all_study_names(storage)[-1], storage=storage)
    done = [trial for trial in study.trials if trial.state != TrialState.FAIL or REASON in trial.user_attrs]
    assert all(trial.state.is_finished() for trial in done)
    return sorted(done, key=lambda trial: trial.user_attrs[NUMBER])


def runs(folder: Path) -> tuple[list, list]:
    """The parents and the children of the latest study."""
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("frostline-cells")
    found = client.search_runs([experiment.experiment_id])
    assert "RUNNING" not in {run.info.status for run in found}
    parents = [run for run in found if "frostline.study" in run.data.tags]
    latest = parents[0].data.tags["frostline.study"]
    parents = [run for run in parents if run.data.tags["frostline.study"] == latest]
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    return parents, children
