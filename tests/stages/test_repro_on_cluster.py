"""The whole pipeline with real DVC, its trials on a Ray cluster of three nodes on this machine."""

import json
import shutil
from pathlib import Path

import numpy as np
import optuna
import pytest
from mlflow import MlflowClient
from optuna.trial import FrozenTrial, TrialState
from small_project import NAME, change, frostline, make_project, run

from frostline.search.trials import CERTAINTY, NUMBER, SETTINGS, by_image

pytest.importorskip("ray", reason="Ray is not installed (pip install 'frostline[ray]')")

EFFORT = {"heads": 2, "thawed": 4, "images": 1e6}
EVERY = list(range(1, EFFORT["heads"] + 1 + EFFORT["thawed"] + 1))  # with the ensemble
STORES = ("mlruns", ".cache", "models")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, solar_cells: list[Path]) -> Path:
    """A repository with 32 real cells, brought up to date by `dvc repro` on a cluster with two slots."""
    from ray.cluster_utils import Cluster

    folder = tmp_path_factory.mktemp("project")
    make_project(
        folder,
        solar_cells[:32],
        backbones={"vgg16": {"weights": "imagenet", "image_size": 32}},
        profile={"folds": 2},
        train={"epochs": 2, "patience": 1, "folds_up_to": 0},
        search={"effort": EFFORT},
    )
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        nodes.add_node(num_cpus=1)
    change(folder, compute={"engine": "ray", "address": nodes.address, "cpus": 1})
    made = run(folder, "dvc", "repro")
    nodes.shutdown()
    assert made.returncode == 0, made.stderr
    assert "Waiting for up to 2 workers on the Ray cluster" in made.stderr
    return folder


def finished(project: Path) -> list[FrozenTrial]:
    storage = f"sqlite:///{project}/mlruns/optuna.db"
    (name,) = optuna.get_all_study_names(storage)
    return sorted(optuna.load_study(study_name=name, storage=storage).trials, key=lambda each: each.user_attrs[NUMBER])


def test_each_position_and_each_strategy_of_the_guide_is_trained_once(project: Path) -> None:
    trials = finished(project)
    assert [trial.user_attrs[NUMBER] for trial in trials] == EVERY
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    strategies = [trial.user_attrs["strategy"] for trial in trials]
    guide = ("end_of_convnet", "start_of_convnet", "fine_tune", "retrain")
    assert [strategies.count(strategy) for strategy in guide] == [1, 1, 1, 1]
    client = MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("frostline-cells").experiment_id])
    assert sorted(int(run.data.tags["trial"]) for run in runs if "trial" in run.data.tags) == EVERY
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_later_stages_find_what_they_need(project: Path) -> None:
    registered = json.loads((project / "results/registered/cells.json").read_text())
    assert registered["challenger"] == NAME
    assert NAME in (project / "reports/index.html").read_text()


def test_another_engine_redoes_no_stage_and_finds_the_same(project: Path, tmp_path: Path) -> None:
    change(project, compute={"engine": "local", "address": None, "cpus": 2})
    changed = json.loads(run(project, "dvc", "status", "--json").stdout)
    assert {stage.partition("@")[0] for stage in changed} == {"scan", "weigh", "plan", "register"}  # which always run
    other = tmp_path / "other"
    shutil.copytree(project, other, ignore=shutil.ignore_patterns(*STORES))
    local = frostline(other, "train", "cells", "small", "vgg16")
    assert local.returncode == 0, local.stderr
    here, there = finished(other), finished(project)
    assert [trial.user_attrs[NUMBER] for trial in here] == EVERY
    compared = 0
    for one, same in zip(here, there, strict=True):
        if {one.state, same.state} == {TrialState.COMPLETE} and one.user_attrs[SETTINGS] == same.user_attrs[SETTINGS]:
            np.testing.assert_allclose(by_image(one, CERTAINTY), by_image(same, CERTAINTY), atol=0.02)
            compared += 1
    assert compared >= 5
