"""What a user finds in MLflow's UI with no code: runs, trials side by side, the model behind the champion."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from frostline.config.schema import StoresConfig
from frostline.tracking.runs import Tracker
from frostline.tracking.studies import StudyRuns

WAIT = 60


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> tuple[Tracker, dict[str, str]]:
    """A default store with a study of three trials and a champion."""
    folder = tmp_path_factory.mktemp("store")
    stores = StoresConfig(tracking=f"sqlite:///{folder}/mlflow.db", studies="x", cache=folder, cache_gigabytes=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracker = Tracker.open(stores, "cells")
    ids = {"experiment": tracker.experiment_id}
    opened = StudyRuns.open(tracker, "cells-small-vgg16", "f" * 64, {"regime": "small-different"})
    with opened as runs:
        for number, (strategy, depth) in enumerate([("start_of_convnet", 4), ("end_of_convnet", 5), ("fine_tune", 0)]):
            trial = runs.start_trial(number + 1, strategy)
            trial.log_params({"strategy": strategy, "freeze_depth": depth, "keep": 5})
            trial.log_metrics({"score": 0.7 + 0.05 * number, "best_epoch": 1})
            trial.log_history([{"train_loss": 0.5, "validation_loss": 0.6}])
            trial.end()
            ids[strategy] = trial.id
    ids["parent"] = runs.parent.id
    name = "frostline-cells"
    tracker.client.create_registered_model(name)
    for _ in range(2):
        version = tracker.client.create_model_version(name, f"{folder}/model", ids["parent"])
    tracker.client.set_registered_model_alias(name, "previous", "1")
    tracker.client.set_registered_model_alias(name, "champion", version.version)
    return tracker, ids


@pytest.fixture(scope="module")
def ui(store) -> Iterator[str]:
    tracker, _ = store
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        str(Path(sys.executable).parent / "mlflow"),
        "ui",
        "--backend-store-uri",
        tracker.uri,
        "--port",
        f"{port}",
    ]
    server = subprocess.Popen(
        [*command, "--workers", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")},
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 2 * WAIT
    while True:
        try:
            if requests.get(f"{address}/health", timeout=5).ok:
                break
        except requests.ConnectionError:
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
    yield address
    os.killpg(server.pid, 15)
    server.wait()


def shown(browser, address: str, *words: str) -> str:
    """The page's text once it holds all `words`."""
    browser.set_window_size(1500, 1000)
    browser.get(address)
    deadline = time.monotonic() + WAIT
    while True:
        text = browser.execute_script("return document.body.innerText")
        missing = [word for word in words if word not in text]
        if not missing:
            return text
        assert time.monotonic() < deadline, f"{missing} not in {text}"
        time.sleep(0.5)


def test_runs_are_listed_by_study(browser, ui, store):
    _, ids = store
    shown(browser, f"{ui}/#/experiments/{ids['experiment']}/runs", "cells-small-vgg16")


def test_two_trials_can_be_compared(browser, ui, store):
    _, ids = store
    runs = quote(json.dumps([ids["start_of_convnet"], ids["fine_tune"]]))
    experiments = quote(json.dumps([ids["experiment"]]))
    page = f"{ui}/#/compare-runs?runs={runs}&experiments={experiments}"
    text = shown(browser, page, "01 start_of_convnet", "03 fine_tune", "freeze_depth", "Metrics:")
    plotted = text.split("Metrics:")[1].split()[0]
    assert plotted == "score"


def test_a_models_page_tells_champion_from_previous(browser, ui):
    shown(browser, f"{ui}/#/models/frostline-cells", "Version 1", "Version 2", "champion", "previous")
