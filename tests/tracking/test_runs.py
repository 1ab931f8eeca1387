import json
import logging
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from frostline.config.schema import StoresConfig
from frostline.errors import StoreError
from frostline.tracking.runs import Run, Tracker


def stores(tracking: str) -> StoresConfig:
    return StoresConfig(tracking=tracking, studies="sqlite:///unused.db", cache=Path("unused"), cache_gigabytes=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture
def tracker(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Tracker.open(stores(f"sqlite:///{store}/mlflow.db"), "cells")


def stored(tracker: Tracker, run: Run):
    return tracker.client.get_run(run.id)


def test_a_relative_store_is_created_quietly_with_its_artifacts_beside_it(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    tracker = Tracker.open(stores("sqlite:///here/mlflow.db"), "cells")
    monkeypatch.chdir("/")
    with tracker.stage_run("prepare", {}) as run:
        run.log_table(pd.DataFrame({"a": [1]}), "card")
    assert tracker.uri == f"sqlite:///{tmp_path}/here/mlflow.db"
    assert list((tmp_path / "here" / "artifacts" / "frostline-cells").rglob("card.json"))
    assert capfd.readouterr().err == f"Creating the MLflow store {tmp_path}/here/mlflow.db.\n"
    assert (logging.getLogger().handlers, logging.getLogger().level) == (handlers, level)


def test_the_environment_names_the_store(tracker, store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}/mlflow.db")
    other = Tracker.open(stores("sqlite:///elsewhere/mlflow.db"), "cells")
    assert (other.uri, other.experiment_id) == (tracker.uri, tracker.experiment_id)
    assert not Path("elsewhere").exists()


def test_a_run_id_in_the_environment_does_not_leak(tracker, monkeypatch):
    with tracker.stage_run("other", {}) as other:
        pass
    monkeypatch.setenv("MLFLOW_RUN_ID", other.id)
    with tracker.stage_run("mine", {}) as run:
        run.log_metrics({"score": 0.5})
    assert run.id != other.id
    assert stored(tracker, other).data.metrics == {}


def test_a_store_that_cannot_be_opened_is_one_clear_error(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is not a database, whatever its name says" * 100)
    with pytest.raises(StoreError, match=r"The database .*/mlflow\.db cannot be used: it is damaged"):
        Tracker.open(stores(f"sqlite:///{tmp_path}/mlflow.db"), "cells")


def test_a_server_that_does_not_answer_is_one_clear_error(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StoreError, match=r"The MLflow store http://127\.0\.0\.1:9 cannot be opened: "):
        Tracker.open(stores("sqlite:///unused.db"), "cells")


def test_a_deleted_experiment_is_restored(tracker, capfd):
    first = Tracker.open(stores(tracker.uri), "deleted")
    first.client.delete_experiment(first.experiment_id)
    assert Tracker.open(stores(tracker.uri), "deleted").experiment_id == first.experiment_id
    assert "Restoring the deleted MLflow experiment frostline-deleted." in capfd.readouterr().err
    with first.stage_run("works", {}):
        pass


def test_a_stage_run_ends_as_its_block_does(tracker):
    with tracker.stage_run("fine", {"cell": "cells-small"}) as fine:
        assert stored(tracker, fine).info.status == "RUNNING"
    with pytest.raises(KeyboardInterrupt), tracker.stage_run("broken", {}) as broken:
        raise KeyboardInterrupt
    assert stored(tracker, fine).info.status == "FINISHED"
    assert stored(tracker, fine).data.tags["cell"] == "cells-small"
    assert stored(tracker, broken).info.status == "KILLED"
    with pytest.raises(ZeroDivisionError), tracker.stage_run("wrong", {}) as wrong:
        raise ZeroDivisionError
    assert stored(tracker, wrong).info.status == "FAILED"


def test_what_a_killed_process_left_running_is_ended_by_the_next_command_and_a_living_ones_is_not(tracker, store):
    code = f"""
import os
from pathlib import Path
from frostline.config.schema import StoresConfig
from frostline.tracking.runs import Tracker
stores = StoresConfig(tracking="sqlite:///{store}/mlflow.db", studies="", cache=Path(), cache_gigabytes=1)
run = Tracker.open(stores, "cells").stage_run("evaluate", {{}}).__enter__()
print(run.id, flush=True)
os._exit(1)
"""
    with tracker.stage_run("living", {}) as living:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        killed = tracker.find_run(done.stdout.strip())
        with tracker.stage_run("next", {}):
            assert stored(tracker, killed).info.status == "KILLED"
            assert stored(tracker, living).info.status == "RUNNING"


def test_a_run_is_found_by_its_id(tracker):
    with tracker.stage_run("there", {}) as run:
        assert tracker.find_run(run.id) == run
    assert tracker.find_run("0" * 32) is None


def test_history_starts_at_step_1_and_keeps_every_epoch(tracker):
    epochs = 700
    with tracker.stage_run("history", {}) as run:
        run.log_history([{"loss": 1 / step, "score": step / epochs} for step in range(1, epochs + 1)])
    for name, last in (("loss", 1 / epochs), ("score", 1.0)):
        points = tracker.client.get_metric_history(run.id, name)
        assert sorted(point.step for point in points) == list(range(1, epochs + 1))
        assert stored(tracker, run).data.metrics[name] == last


def test_params_become_text(tracker):
    with tracker.stage_run("params", {}) as run:
        run.log_params({"keep": 5, "rate": 0.001, "init": "random"})
    assert stored(tracker, run).data.params == {"keep": "5", "rate": "0.001", "init": "random"}


def test_a_table_that_is_logged_again_replaces_the_first(tracker):
    with tracker.stage_run("table", {}) as run:
        run.log_table(pd.DataFrame({"trial": [1]}), "trials")
        run.log_table(pd.DataFrame({"trial": [1, 2], "score": [0.5, None]}), "trials")
        run.log_table(pd.DataFrame({"class": ["a"]}), "classes")
    file = tracker.client.download_artifacts(run.id, "trials.json")
    assert json.loads(Path(file).read_text()) == {"columns": ["trial", "score"], "data": [[1, 0.5], [2, None]]}
    listed = json.loads(stored(tracker, run).data.tags["mlflow.loggedArtifacts"])
    assert listed == [{"path": f"{name}.json", "type": "table"} for name in ("trials", "classes")]


def test_files_and_figures_are_artifacts(tracker, tmp_path):
    from matplotlib.figure import Figure

    (tmp_path / "card.json").write_text("{}")
    with tracker.stage_run("files", {}) as run:
        run.log_file(tmp_path / "card.json", "data")
        run.log_figure(Figure(), "figure.png")
    assert {file.path for file in tracker.client.list_artifacts(run.id)} == {"data", "figure.png"}
    assert [file.path for file in tracker.client.list_artifacts(run.id, "data")] == ["data/card.json"]


def test_a_data_set_is_an_input(tracker):
    frame = pd.DataFrame({"image": ["a.png", "b.png"], "width": [1, 2]})
    with tracker.stage_run("input", {}) as run:
        run.log_input(frame, "cells", "elpv", "d" * 64, "training")
    (dataset_input,) = stored(tracker, run).inputs.dataset_inputs
    dataset = dataset_input.dataset
    assert (dataset.name, dataset.digest, json.loads(dataset.source)) == ("cells", "d" * 36, {"uri": "elpv"})
    assert json.loads(dataset.profile)["num_rows"] == 2
    assert [column["name"] for column in json.loads(dataset.schema)["mlflow_colspec"]] == ["image", "width"]
    assert {tag.key: tag.value for tag in dataset_input.tags} == {"mlflow.data.context": "training"}


def test_a_user_without_a_name_is_no_obstacle(tracker, monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    with tracker.stage_run("anonymous", {}) as run:
        pass
    assert stored(tracker, run).data.tags["mlflow.user"] == "unknown"


def test_tracking_does_not_import_a_deep_learning_framework():
    code = "import frostline.tracking.runs, frostline.tracking.lineage, sys; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"keras", "tensorflow", "jax", "torch"} & set(modules)


def test_a_table_of_more_columns_than_mlflow_lists_is_an_input_all_the_same(tracker):
    with tracker.stage_run("prepare", {}) as run:
        run.log_input(
            pd.DataFrame({f"{n:05}" + "x" * 200: ["a"] for n in range(5000)}), "cells", "here", "d", "prepared"
        )
    (found,) = stored(tracker, run).inputs.dataset_inputs
    assert found.dataset.name == "cells"
    assert json.loads(found.dataset.profile)["num_rows"] == 1
