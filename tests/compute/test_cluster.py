"""A Ray cluster of three nodes on this machine: the same trials as in this process, whoever is killed."""

import signal
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from optuna.trial import TrialState

from frostline.cache.prefix import PrefixCache
from frostline.compute.cluster import open_cluster
from frostline.compute.local import InProcess
from frostline.config.compute import ComputeConfig
from frostline.config.effort import Effort
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig, StoresConfig
from frostline.search.flights import run_study
from frostline.search.objective import Objective
from frostline.search.schedule import Schedule
from frostline.search.study import open_study
from frostline.search.trials import NUMBER, finished_trials
from frostline.tracking.runs import Tracker
from frostline.tracking.studies import StudyRuns
from frostline.training.cell import make_cell
from frostline.training.memo import Memo
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'frostline[ray]')")

CONFIG = load_config(Path(__file__).parents[2] / "params.yaml")
TRAIN = CONFIG.train.model_copy(update={"epochs": 2, "patience": 1, "folds": 2, "repeats": 1})
SEARCH = CONFIG.search.model_copy(
    update={"effort": Effort(heads=4, thawed=3, images=1e6), "views": ("identity", "mirror"), "startup_trials": 2}
)
IMAGES = 24
SCHEDULE = Schedule(SEARCH, 5, None)
EVERY = list(range(1, SCHEDULE.trials + 1))


@pytest.fixture(scope="module")
def cluster():
    """Three nodes of one CPU each; what is started on them is ended with them."""
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1})
    for _ in range(2):
        nodes.add_node(num_cpus=1)
    yield nodes
    nodes.shutdown()


@pytest.fixture
def trainer(packed_cells, tmp_path):
    """`trainer(name)`: of 24 cells at 32 pixels and VGG16, with a cache of its own."""

    def make(name: str) -> Trainer:
        cell = make_cell(packed_cells(32, IMAGES), IMAGES // 2, TRAIN, seed=20)
        cache = PrefixCache(tmp_path / name, 10**9)
        setup = Setup(cell, "vgg16", BackboneConfig(image_size=32), TRAIN, cache, seed=20)
        return Trainer(setup, Memo(setup, cache.folder, cache.limit_bytes))

    return make


def options(cluster, **others) -> ComputeConfig:
    return ComputeConfig(engine="ray", address=cluster.address, workers=2, cpus=1, minutes=2, **others)


def search(trainer: Trainer, workers, folder: Path, name: str):
    stores = StoresConfig(
        tracking=f"sqlite:///{folder}/mlflow.db",
        studies=f"sqlite:///{folder}/optuna.db",
        cache=folder,
        cache_gigabytes=1,
    )
    tracker = Tracker.open(stores, "cells")
    workers.fill(SEARCH.views, (2,))
    with open_study(stores.studies, name) as study, StudyRuns.open(tracker, name, name, {}) as runs:
        run_study(study, Objective(trainer, SCHEDULE, runs, 20), SCHEDULE, workers, 20)
        parent = runs.parent.id
    children = tracker.client.search_runs([tracker.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")
    return finished_trials(study), children


def test_three_nodes_find_what_this_process_finds(cluster, trainer, tmp_path) -> None:
    own = trainer("local")
    here, _ = search(own, InProcess(own), tmp_path, "here")
    driver = trainer("cluster")
    with open_cluster(options(cluster), driver) as workers:
        there, runs = search(driver, workers, tmp_path, "there")
    assert [trial.user_attrs[NUMBER] for trial in there] == EVERY
    assert len(runs) == len(EVERY)
    assert {run.info.status for run in runs} == {"FINISHED"}
    by_settings = {str(trial.user_attrs["settings"]): trial for trial in here}
    same = [(by_settings[key], trial) for trial in there if (key := str(trial.user_attrs["settings"])) in by_settings]
    assert len(same) >= 3
    for one, other in same:
        if one.state == other.state == TrialState.COMPLETE:
            assert one.value == pytest.approx(other.value, abs=0.02)


def of_workers(method: str) -> list[psutil.Process]:
    """Processes of actors, which Ray names after what they are called for."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or [""]
        if words[0].startswith(f"ray::Worker{method}"):
            found.append(process)
    return found


class Saboteur(threading.Thread):
    """Sends a signal to a worker that trains, so many times, and then removes a node if it is given one."""

    def __init__(self, number: int, times: int, remove=None) -> None:
        super().__init__(daemon=True)
        self._signal = number
        self._remove = remove
        self._left = times
        self.done = 0
        self.over = threading.Event()

    def run(self) -> None:
        while self._left and not self.over.wait(0.2):
            if working := of_workers(".step") or of_workers(".begin"):
                with suppress(psutil.NoSuchProcess):
                    working[0].send_signal(self._signal)
                    self._left -= 1
                    self.done += 1
                self.over.wait(10)
        if self._remove and not self.over.is_set():
            self._remove()
            self.done += 1


def test_killed_workers_and_a_lost_node_cost_no_trial_and_count_none_twice(cluster, trainer, tmp_path, capsys) -> None:
    driver = trainer("killed")
    node = cluster.add_node(num_cpus=1)
    saboteur = Saboteur(signal.SIGKILL, 2, lambda: cluster.remove_node(node, allow_graceful=False))
    with open_cluster(options(cluster), driver) as workers:
        saboteur.start()
        trials, runs = search(driver, workers, tmp_path, "killed")
        saboteur.over.set()
    assert saboteur.done >= 2
    assert "has lost its worker" in capsys.readouterr().err
    assert [trial.user_attrs[NUMBER] for trial in trials] == EVERY
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert sorted(int(run.data.tags["trial"]) for run in runs) == EVERY
    assert {run.info.status for run in runs} == {"FINISHED"}
