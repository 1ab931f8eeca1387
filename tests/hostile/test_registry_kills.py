"""Every write to the registry inside register, promote and rollback: the process is killed there, and the command run
again. What is there then is what an undisturbed command leaves.

The registry is real and so is the gate; versions answer from a table, so that no network is needed.
"""

import hashlib
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from frostline.config.schema import PrepareConfig, PromotionConfig, StoresConfig
from frostline.data.test_set import TestSet
from frostline.errors import RegistryError
from frostline.records.train_record import TrainRecord, write_training_images
from frostline.registry import promotion
from frostline.registry.history import Author, read
from frostline.registry.models import LoadedVersion, find_challenger, register_challenger
from frostline.registry.moves import finish_move
from frostline.registry.package import Candidate
from frostline.registry.promotion import RegisteredModel, promote, rollback
from frostline.registry.versions import fetch
from frostline.tracking.runs import Tracker

STORES = StoresConfig(tracking="sqlite:///mlruns/mlflow.db", studies="unused", cache=Path("c"), cache_gigabytes=1)
CONFIG = PromotionConfig(metric="accuracy", level=0.05, calibration_error=1, latency=1000, floors={"accuracy": 0.4})
WRITES = ("append", "create", "delete", "finalize", "log", "rename", "restore", "set", "transition", "update")
NAME = "frostline-cells"
IMAGES = 40
Command = Callable[[Tracker], Any]


class Fatal:
    """MLflow's client, which kills its process at the `at`-th write (never, at 0) and counts writes."""

    def __init__(self, client: Any, at: int = 0) -> None:
        self.client, self.at, self.writes = client, at, 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if not name.startswith(WRITES):
            return method

        def write(*arguments: Any, **options: Any) -> Any:
            self.writes += 1
            if self.writes == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments, **options)

        return write


class Table:
    """A model of the classes dark and light that is wrong about the first `wrong` images."""

    def __init__(self, contents: list[bytes], wrong: int) -> None:
        self.light = {content: (row % 2 == 1) != (row < wrong) for row, content in enumerate(contents)}

    def predict(self, asked: pd.DataFrame) -> pd.DataFrame:
        light = np.array([self.light[content] for content in asked["image"]], dtype=float)
        return pd.DataFrame({"error": "", "probability_dark": 1 - light, "probability_light": light})


@pytest.fixture(scope="module")
def test_set(tmp_path_factory: pytest.TempPathFactory) -> TestSet:
    folder = tmp_path_factory.mktemp("images")
    paths = tuple(folder / f"{row}.png" for row in range(IMAGES))
    for row, path in enumerate(paths):
        file = BytesIO()
        Image.new("L", (16, 16), 6 * row).save(file, "PNG")
        path.write_bytes(file.getvalue())
    digests = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    return TestSet(paths, np.arange(IMAGES) % 2, np.arange(IMAGES).astype(str), digests, ("dark", "light"))


@pytest.fixture(autouse=True)
def _answers_from_tables(test_set, monkeypatch):
    """The first version knows half of the images, and each later one knows ten more."""
    contents = [path.read_bytes() for path in test_set.paths]

    def load(tracker: Tracker, name: str, number: str) -> LoadedVersion:
        folder = fetch(tracker.client, tracker.client.get_model_version(name, number))
        return LoadedVersion(name, number, Table(contents, wrong=30 - 10 * int(number)), folder)

    monkeypatch.setattr(promotion, "load_version", load)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def register(record_fields) -> Callable[[str], Command]:
    """`register(model)`: the command that registers the model of that fingerprint from the working folder."""

    def command(model: str) -> Command:
        def run(tracker: Tracker) -> None:
            folder = Path(model)
            folder.mkdir(exist_ok=True)
            (folder / "model.keras").write_text(model)
            write_training_images(folder, [])
            (study,) = tracker.client.search_runs([tracker.experiment_id])
            prints = record_fields["fingerprints"] | {"model": model}
            mine = {"dataset": "cells", "run_id": study.info.run_id, "fingerprints": prints}
            record = TrainRecord.model_validate(record_fields | mine)
            made = register_challenger(tracker, Candidate(record, folder, PrepareConfig()))
            found = find_challenger(tracker, Candidate(record, folder, PrepareConfig()))
            assert found == replace(made, created=False)

        return run

    return command


@pytest.fixture(scope="module")
def nothing(tmp_path_factory) -> Path:
    """A project with a study and nothing registered."""
    folder = tmp_path_factory.mktemp("nothing")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        Tracker.open(STORES, "cells").start("study", {}).end()
    return folder


def model(tracker: Tracker) -> RegisteredModel:
    return RegisteredModel(tracker, "cells", Path("locks"))


@pytest.fixture
def promote_it(test_set) -> Command:
    return lambda tracker: promote(model(tracker), test_set, CONFIG, Author(who="ada"), seed=1)


def roll_back(tracker: Tracker) -> Any:
    return rollback(model(tracker), Author(who="ada"))


def there(project: Path, *commands: Command, at: int = 0) -> Fatal:
    """Run `commands` in `project`."""
    os.chdir(project)
    opened = Tracker.open(STORES, "cells")
    client = Fatal(opened.client, at)
    for command in commands:
        command(Tracker(client, opened.experiment_id, opened.uri))
    return client


def state(project: Path) -> dict[str, Any]:
    """All that the registry tells, but for times and ids."""
    client = there(project).client
    model = client.get_registered_model(NAME)
    (experiment,) = client.search_experiments(filter_string="name = 'frostline-cells'")
    logged = client.search_logged_models([experiment.experiment_id])
    (study,) = client.search_runs([experiment.experiment_id])
    versions = client.search_model_versions(f"name = '{NAME}'")
    outputs = study.outputs.model_outputs if study.outputs else []
    return {
        "aliases": {alias: str(version) for alias, version in model.aliases.items()},
        "description": re.sub(r"\d+ ms", "some ms", model.description),  # a busy machine takes longer
        "tags": Counter(tag.split(".")[1] for tag in model.tags),
        "history": [(record.action, record.version, record.before) for record in read(client, NAME)],
        "versions": sorted((str(each.version), each.tags["model_fingerprint"]) for each in versions),
        "logged": sorted((each.status, each.tags["mlflow.modelVersions"]) for each in logged),
        "outputs": sorted(each.model_id for each in outputs) == sorted(each.model_id for each in logged),
        "folders": len(list((project / "mlruns/artifacts/frostline-cells/models").glob("*/artifacts"))),
    }


def tells_what_happened(client: Any) -> bool:
    """Whether the champion is what the history says last, or what a move that is not in the history yet says."""
    models = [model for model in client.search_registered_models() if read(client, model.name)]
    moved = [model for model in models if "frostline.move" in model.tags]
    return moved == models or all(
        str(model.aliases["champion"]) == read(client, model.name)[-1].version for model in models
    )


def survive(tmp_path: Path, project: Path, command: Command) -> int:
    """Kill `command` at each of its writes, and run it again. The number of kills."""
    shutil.copytree(project, tmp_path / "whole")
    writes = there(tmp_path / "whole", command).writes
    expected = state(tmp_path / "whole")
    for at in range(1, writes + 1):
        killed = tmp_path / f"killed-{at}"
        shutil.copytree(project, killed)
        child = os.fork()
        if child == 0:
            try:
                there(killed, command, at=at)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), f"write {at} of {writes} was not reached"
        assert tells_what_happened(there(killed).client), f"killed at write {at} of {writes}"
        there(killed, command)
        assert state(killed) == expected, f"killed at write {at} of {writes}"
        shutil.rmtree(killed)
    return writes


def test_register_can_be_killed_anywhere(nothing, register, tmp_path):
    assert survive(tmp_path, nothing, register("one")) >= 8


@pytest.fixture(scope="module")
def champion(nothing, register, tmp_path_factory) -> Path:
    """A project whose first version was registered."""
    project = tmp_path_factory.mktemp("champion") / "project"
    shutil.copytree(nothing, project)
    there(project, register("one"))
    return project


@pytest.fixture
def three(champion, register, promote_it, tmp_path) -> Path:
    """A project with three champions, one after another."""
    project = tmp_path / "three"
    shutil.copytree(champion, project)
    there(project, promote_it, register("two"), promote_it, register("three"), promote_it)
    return project


def test_promote_can_be_killed_anywhere(champion, register, promote_it, tmp_path):
    assert survive(tmp_path / "first", champion, promote_it) >= 5
    shutil.copytree(champion, tmp_path / "project")
    there(tmp_path / "project", promote_it, register("two"))
    assert survive(tmp_path / "second", tmp_path / "project", promote_it) >= 6


def test_rollback_can_be_killed_anywhere_and_goes_back_one_step(three, promote_it, tmp_path):
    assert survive(tmp_path / "first", three, roll_back) >= 6
    there(three, roll_back)
    assert survive(tmp_path / "second", three, roll_back) >= 6
    there(three, roll_back)
    assert state(three)["aliases"] == {"challenger": "3", "champion": "1"}
    with pytest.raises(RegistryError, match="has no champion before this one to go back to"):
        there(three, roll_back)
    there(three, promote_it, roll_back)
    assert [each[:2] for each in state(three)["history"]][3:] == [
        ("rolled back", "2"),
        ("rolled back", "1"),
        ("promoted", "3"),
        ("rolled back", "1"),
    ]


def test_a_rollback_passes_over_versions_whose_files_are_gone(three, capfd):
    client = there(three).client
    shutil.rmtree(fetch(client, client.get_model_version(NAME, "2")))
    there(three, roll_back)
    assert "Version 2 is passed over: its folder" in capfd.readouterr().err
    assert state(three)["aliases"] == {"challenger": "3", "champion": "1"}


def test_an_interrupted_move_is_dropped_where_somebody_chose_another_champion(three, capfd):
    child = os.fork()
    if child == 0:
        try:
            there(three, roll_back, at=2)
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    client = there(three).client
    client.set_registered_model_alias(NAME, "champion", "1")
    assert finish_move(client, NAME) is None
    assert "was interrupted, and is dropped: champion is 1 now" in capfd.readouterr().err
    assert len(read(client, NAME)) == 3
    assert "frostline.move" not in client.get_registered_model(NAME).tags
