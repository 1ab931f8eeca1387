"""Stores that are moved and copied, with real MLflow."""

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from frostline.config.schema import StoresConfig
from frostline.errors import StoreError
from frostline.stores import sqlite
from frostline.tracking.home import bring_home
from frostline.tracking.runs import Tracker

STORES = StoresConfig(tracking="sqlite:///mlruns/mlflow.db", studies="unused", cache=Path("c"), cache_gigabytes=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, str, str]:
    """A project with a run and a registered version, the run's id, and the folder that it was made in."""
    folder = tmp_path_factory.mktemp("made") / "first 100%"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracker = Tracker.open(STORES, "cells")
        with tracker.stage_run("one", {}) as run:
            run.client.log_text(run.id, "one", "note.txt")
        model = tracker.client.create_logged_model(tracker.experiment_id, "m", run.id)
        tracker.client.create_registered_model("frostline-cells")
        tracker.client.create_model_version("frostline-cells", model.artifact_location, run.id, model_id=model.model_id)
        tracker.client.create_experiment("mine", artifact_location="file:///srv/mine")
    return folder, run.id, model.model_id


@pytest.fixture
def elsewhere(made, tmp_path, monkeypatch) -> Path:
    """A copy of the project, as working folder."""
    shutil.copytree(made[0], tmp_path / "copy?")
    monkeypatch.chdir(tmp_path / "copy?")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "copy?"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copy_reads_and_writes_its_own_files(made, elsewhere, capfd):
    original, run_id, model_id = made
    before = contents(original)
    client = Tracker.open(STORES, "cells").client
    (line,) = capfd.readouterr().err.splitlines()
    assert line == (
        f"The MLflow store was moved: 6 addresses led to {original}/mlruns/artifacts, "
        f"and now to {elsewhere}/mlruns/artifacts."
    )
    here = (elsewhere / "mlruns/artifacts").as_uri()
    version = client.get_model_version("frostline-cells", "1")
    assert version.source.startswith(f"{here}/")
    assert client.get_model_version_download_uri("frostline-cells", "1").startswith(f"{here}/")
    assert client.get_logged_model(model_id).artifact_location.startswith(f"{here}/")
    assert client.get_experiment_by_name("Default").artifact_location.startswith(f"{here}/")
    assert client.get_experiment_by_name("mine").artifact_location == "file:///srv/mine"

    with Tracker.open(STORES, "cells").stage_run("two", {}) as run:
        run.client.log_text(run.id, "two", "note.txt")
    assert contents(original) == before
    assert client.get_run(run_id).info.artifact_uri == f"{here}/frostline-cells/{run_id}/artifacts"
    assert capfd.readouterr().err == ""


def test_a_store_that_comes_without_its_files_says_so(elsewhere, made, capfd):
    shutil.rmtree(elsewhere / "mlruns/artifacts")
    Tracker.open(STORES, "cells")
    assert f"Its files did not come with it: move {made[0]}/mlruns/artifacts there as well." in capfd.readouterr().err


def test_another_way_to_the_same_folder_is_no_move(made, tmp_path, monkeypatch, capfd):
    (tmp_path / "link").symlink_to(made[0])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Tracker.open(STORES.model_copy(update={"tracking": f"sqlite:///{tmp_path}/link/mlruns/mlflow.db"}), "cells")
    monkeypatch.setattr("frostline.stores.addresses.project_folder", lambda: tmp_path / "link")
    Tracker.open(STORES, "cells")
    assert capfd.readouterr().err == ""


def test_of_two_at_once_one_does_it(elsewhere, capfd):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(bring_home, [elsewhere / "mlruns/mlflow.db"] * 4))
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_a_store_that_somebody_writes_to_is_one_clear_error_and_left_as_it_is(elsewhere, monkeypatch, capfd):
    file = elsewhere / "mlruns/mlflow.db"
    before = file.read_bytes()
    monkeypatch.setattr(sqlite, "_SILENT_SECONDS", 0.01)
    monkeypatch.setattr(sqlite, "_PATIENT_SECONDS", 0.1)
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"mlflow\.db cannot be used: another program has kept it locked"):
            bring_home(file)
    assert capfd.readouterr().err == f"Waiting for {file}: another program has it locked.\n"
    assert file.read_bytes() == before
