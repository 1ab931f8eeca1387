"""Two people with a repository each, who share what git does not carry, on real servers.

Studies are in PostgreSQL, runs and models on MLflow's server with PostgreSQL behind it, files in a remote of DVC.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from small_project import NAME, PROBABILITIES, ROOT, frostline, make_project, predicted_as_evaluated, run

from frostline.config.schema import StoresConfig
from frostline.errors import StoreError
from frostline.search.study import list_studies
from frostline.tracking.runs import Tracker
from servers import TrackingServer, served

EFFORT = {"heads": 2, "thawed": 0, "images": 0}
MODEL = "frostline-cells"
ALWAYS = ["scan@cells", "weigh@vgg16", "plan", "register@cells"]
"""What DVC is told to run each time."""


@pytest.fixture(scope="module")
def stores(
    new_database: Callable[[], str], tracking_server: TrackingServer, tmp_path_factory: pytest.TempPathFactory
) -> StoresConfig:
    places = {"tracking": tracking_server.address, "studies": new_database()}
    return StoresConfig(**places, cache=tmp_path_factory.mktemp("cache"), cache_gigabytes=1)


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory, solar_cells: list[Path], stores: StoresConfig) -> Path:
    """The repository of the first, who ran the pipeline and pushed what it made."""
    folder, remote = tmp_path_factory.mktemp("ada"), tmp_path_factory.mktemp("remote")
    addresses = {"tracking": stores.tracking, "studies": stores.studies}
    floors = {"floors": {"accuracy": 0.0}}
    make_project(folder, solar_cells[:48], stores=addresses, search={"effort": EFFORT}, promotion=floors)
    shutil.copy(ROOT / ".gitignore", folder)
    done(folder, "dvc", "add", "images")
    done(folder, "dvc", "remote", "add", "--default", "team", str(remote))
    done(folder, "dvc", "repro")
    done(folder, "dvc", "push")
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "The first study"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def bob(tmp_path_factory: pytest.TempPathFactory, ada: Path) -> Path:
    """The repository of the second: a clone, with what DVC pulls into it."""
    folder = tmp_path_factory.mktemp("bob") / "clone"
    subprocess.run(["git", "clone", "-q", str(ada), str(folder)], check=True)
    done(folder, "dvc", "pull")
    return folder


@pytest.fixture(scope="module")
def client(stores: StoresConfig) -> MlflowClient:
    return MlflowClient(stores.tracking)


def done(project: Path, *arguments: str) -> str:
    """What a command that must succeed printed."""
    ran = run(project, *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_runs_and_trials_are_on_the_servers_and_nothing_is_here(
    ada: Path, stores: StoresConfig, client: MlflowClient
) -> None:
    experiment = client.get_experiment_by_name("frostline-cells")
    runs = {each.info.run_name: each for each in client.search_runs([experiment.experiment_id])}
    stages = {"prepare cells", "preprocess cells-vgg16", "profile cells-vgg16", NAME, f"evaluate {NAME}", "register"}
    assert stages | {"report"} < set(runs)
    assert {each.info.status for each in runs.values()} == {"FINISHED"}
    parent = runs[NAME].info.run_id
    trials = [each for each in runs.values() if each.data.tags.get("mlflow.parentRunId") == parent]
    assert sorted(each.data.tags["trial"] for each in trials) == ["1", "2", "3"]  # two heads and their ensemble
    assert len(list_studies(stores.studies)) == 1
    assert {path.name for path in (ada / "mlruns").iterdir()} == {f"{MODEL}.lock"}
    assert not (ada / "mlartifacts").exists()


def test_artifacts_come_back_through_the_server(
    ada: Path, tracking_server: TrackingServer, client: MlflowClient, tmp_path: Path
) -> None:
    experiment = client.get_experiment_by_name("frostline-cells")
    (run,) = client.search_runs([experiment.experiment_id], f"attributes.run_name = 'evaluate {NAME}'")
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    sent = ada / "results/evaluation" / NAME / "predictions.csv"
    assert Path(client.download_artifacts(run.info.run_id, sent.name, str(tmp_path))).read_bytes() == sent.read_bytes()
    kept = list(tracking_server.artifacts.rglob(sent.name))
    assert len(kept) == 2  # of the run, and of the version
    assert {each.read_bytes() for each in kept} == {sent.read_bytes()}


def test_a_run_that_fails_has_failed_on_the_server(stores: StoresConfig, client: MlflowClient) -> None:
    with pytest.raises(ZeroDivisionError), Tracker.open(stores, "failing").stage_run("divide", {}) as log:
        1 / 0  # noqa: B018
    assert client.get_run(log.id).info.status == "FAILED"


def test_a_second_clone_redoes_nothing_and_registers_nothing(bob: Path, client: MlflowClient) -> None:
    lock = (bob / "dvc.lock").read_bytes()
    said = done(bob, "dvc", "repro")
    assert [line.split("'")[1] for line in said.splitlines() if line.startswith("Running stage")] == ALWAYS
    assert said.count("didn't change, skipping") == 7
    assert (bob / "dvc.lock").read_bytes() == lock
    assert json.loads(done(bob, "dvc", "status", "--cloud", "--json")) == {}
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 1


def test_what_one_promotes_the_other_labels_with_and_serves(
    ada: Path, bob: Path, stores: StoresConfig, client: MlflowClient
) -> None:
    assert frostline(ada, "promote", "cells", "--why", "the first").returncode == 0
    assert client.get_registered_model(MODEL).aliases == {"challenger": "1", "champion": "1"}
    assert "the first" in frostline(bob, "history", "cells").stdout

    files, said = predicted_as_evaluated(ada, NAME, asked=bob)
    answers = served(stores, "cells", [bob / file for file in files])
    np.testing.assert_allclose(answers[PROBABILITIES], said[PROBABILITIES], atol=1e-6)


def test_a_wrong_address_is_one_clear_error(stores: StoresConfig) -> None:
    wrong = stores.model_copy(update={"tracking": f"{stores.tracking}/nowhere"})
    with pytest.raises(StoreError, match=r"/nowhere cannot be opened: API request .* failed with error code 404"):
        Tracker.open(wrong, "cells")


def test_a_server_that_goes_down_is_one_clear_error(
    stores: StoresConfig, tracking_server: TrackingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with (
        pytest.raises(StoreError, match=r"refused: .*Connection refused.* what was finished is kept"),
        Tracker.open(stores, "cells").stage_run("interrupted", {}),
    ):
        tracking_server.stop()
