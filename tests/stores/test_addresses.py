import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from frostline.config.schema import StoresConfig
from frostline.errors import ConfigError
from frostline.search.study import list_studies
from frostline.stores.addresses import address_of, cache_folder, lock_folder, tracking_address

ODD = ("a?b%20c#d", "ü 'q' \"d\" :x+y", "{x}@$;&=*[y]\\n\n")


def stores(tracking: str = "sqlite:///mlruns/mlflow.db") -> StoresConfig:
    return StoresConfig(tracking=tracking, studies="sqlite:///mlruns/optuna.db", cache=Path("cache"), cache_gigabytes=1)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_a_project_may_lie_in_folders_of_any_name(tmp_path, monkeypatch):
    from frostline.tracking.runs import Tracker

    project = tmp_path.joinpath(*ODD)
    project.mkdir(parents=True)
    monkeypatch.chdir(project)
    tracker = Tracker.open(stores(), "cells")
    with tracker.stage_run("one", {}) as run:
        run.client.log_text(run.id, "text", "note.txt")
    assert Path(tracker.client.download_artifacts(run.id, "note.txt")).read_text() == "text"
    assert list_studies(stores().studies) == []
    assert [path.name for path in sorted(tmp_path.rglob("*"))[:4]] == [*ODD, "mlruns"]  # and nothing beside them
    assert {path.name for path in (project / "mlruns").iterdir()} == {"artifacts", "mlflow.db", "optuna.db"}


@settings(deadline=None, max_examples=30)
@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_an_address_names_the_file_that_was_meant(tmp_path_factory, name):
    if name in (".", "..") or len(name.encode()) > 200:
        return
    folder = tmp_path_factory.mktemp("odd") / name
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        address = address_of("sqlite:///it.db", "stores.studies")
    with create_engine(address.url).connect() as connection:
        connection.exec_driver_sql("CREATE TABLE it (x)")
    assert address.file == folder.resolve() / "it.db"
    assert [path.name for path in folder.iterdir()] == ["it.db"]


def test_paths_start_from_the_project_and_the_environment_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tracking_address(stores()).file == tmp_path / "mlruns/mlflow.db"
    assert tracking_address(stores()).url == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert cache_folder(stores()) == tmp_path / "cache"
    assert lock_folder(stores()) == tmp_path / "mlruns"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////srv/other.db")
    assert tracking_address(stores()).file == Path("/srv/other.db")


def test_locks_lie_beside_the_database_or_with_the_project_but_never_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lock_folder(stores("sqlite:////srv/mlflow.db")) == Path("/srv")
    for cache in ("cache", "/srv/shared/cache"):
        served = stores("https://mlflow.org").model_copy(update={"cache": Path(cache)})
        assert lock_folder(served) == lock_folder(stores()) == tmp_path / "mlruns"


def test_an_experiments_copy_meets_its_project_at_the_same_locks(tmp_path, monkeypatch):
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "one"
    for repository in (tmp_path, copy):
        (repository / ".git").mkdir(parents=True)
    monkeypatch.chdir(copy)
    assert lock_folder(stores("https://mlflow.org")) == tmp_path / "mlruns"


def test_git_takes_no_notice_of_locks(tmp_path):
    shutil.copy(Path(__file__).parents[2] / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "check-ignore", "--quiet", "mlruns/frostline-cells.lock"], cwd=tmp_path, check=True)


def test_options_of_an_sqlite_address_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert address_of("sqlite:///a.db?timeout=5", "stores.studies").url == f"sqlite:///{tmp_path}/a.db?timeout=5"


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:", "sqlite://a.db", "sqlite:a.db"])
def test_sqlite_without_a_file_is_refused(address):
    with pytest.raises(ConfigError, match=r"stores.studies must name a file, such as sqlite:///mlruns.*but got"):
        address_of(address, "stores.studies")
