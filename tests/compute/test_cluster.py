"""A Ray cluster of three nodes on this machine: the same trials as in this process, whoever is killed."""

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
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
from frostline.search.trials import CERTAINTY, NUMBER, SETTINGS, by_image, finished_trials
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
    """Three nodes, of which the first has no CPU to train with, and the others one each."""
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0})
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


def search(trainer: Trainer, workers, stores: StoresConfig, name: str):
    tracker = Tracker.open(stores, "cells")
    workers.fill(SEARCH.views, (2,))
    with open_study(stores.studies, name) as study, StudyRuns.open(tracker, name, name, {}) as runs:
        run_study(study, Objective(trainer, SCHEDULE, runs, 20), SCHEDULE, workers, 20)
        parent = runs.parent.id
    children = tracker.client.search_runs([tracker.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")
    return finished_trials(study), children


def test_three_nodes_find_what_this_process_finds(cluster, trainer, tmp_path, stores_in) -> None:
    own, stores = trainer("local"), stores_in(tmp_path)
    here, _ = search(own, InProcess(own), stores, "here")
    driver = trainer("cluster")
    with open_cluster(options(cluster), driver) as workers:
        there, runs = search(driver, workers, stores, "there")
    assert [trial.user_attrs[NUMBER] for trial in there] == EVERY
    assert len(runs) == len(EVERY)
    assert {run.info.status for run in runs} == {"FINISHED"}
    complete = {str(trial.user_attrs[SETTINGS]): trial for trial in here if trial.state == TrialState.COMPLETE}
    compared = 0
    for trial in there:
        one = complete.get(str(trial.user_attrs[SETTINGS]))
        if one and trial.state == TrialState.COMPLETE:
            np.testing.assert_allclose(by_image(trial, CERTAINTY), by_image(one, CERTAINTY), atol=0.02)
            compared += 1
    assert compared >= 3


def raylet(node) -> int:
    """The process that starts a node's actors."""
    return node.all_processes["raylet"][0].process.pid


def training(cluster) -> list[psutil.Process]:
    """Processes of the cluster's actors that train: Ray names them after what they are called for."""
    found = []
    for node in cluster.list_all_nodes():
        for process in psutil.Process(raylet(node)).children():
            with suppress(psutil.NoSuchProcess):
                name = (process.cmdline() or [""])[0]
                found += [process] if name.startswith(("ray::Worker.begin", "ray::Worker.step")) else []
    return found


class Saboteur(threading.Thread):
    """Kills a worker that trains, and, when one trains again, takes a node away on which there is one."""

    def __init__(self, cluster) -> None:
        super().__init__(daemon=True)
        self._cluster = cluster
        self.over = threading.Event()
        self.done: list[str] = []

    def run(self) -> None:
        for act in (self._kill, self._take_away):
            while not (working := training(self._cluster)):
                if self.over.wait(0.2):
                    return
            act(working[0])
            self.over.wait(3)

    def _kill(self, worker: psutil.Process) -> None:
        worker.kill()
        self.done.append("killed")

    def _take_away(self, worker: psutil.Process) -> None:
        (node,) = [each for each in self._cluster.worker_nodes if raylet(each) == worker.ppid()]
        self._cluster.remove_node(node, allow_graceful=False)
        self.done.append("taken away")


def test_a_killed_worker_and_a_lost_node_cost_no_trial_and_count_none_twice(
    cluster, trainer, tmp_path, stores_in, capsys
) -> None:
    driver, saboteur = trainer("killed"), Saboteur(cluster)
    with open_cluster(options(cluster), driver) as workers:
        saboteur.start()
        trials, runs = search(driver, workers, stores_in(tmp_path), "killed")
        saboteur.over.set()
    saboteur.join()
    assert saboteur.done == ["killed", "taken away"]
    assert "has lost its worker" in capsys.readouterr().err
    assert [trial.user_attrs[NUMBER] for trial in trials] == EVERY
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert sorted(int(run.data.tags["trial"]) for run in runs) == EVERY
    assert {run.info.status for run in runs} == {"FINISHED"}


ALONE = """
from frostline.compute.connection import connected, nodes
from frostline.config.compute import ComputeConfig
with connected(ComputeConfig(engine="ray")):
    print(len(nodes()))
"""


@pytest.mark.usefixtures("cluster")
def test_without_an_address_a_cluster_is_started_though_another_runs_here() -> None:
    # In a process of its own: Ray ends the actors of one that comes back to a cluster after it was on another.
    made = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    assert made.stdout == "1\n"
