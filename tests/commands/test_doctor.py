"""`frostline doctor` says what is wrong with anything, and changes nothing."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from frostline.commands import doctor
from frostline.commands.examination.cluster import cluster_rows
from frostline.commands.examination.machine import machine_rows, room_rows
from frostline.commands.examination.network import _rows as network_rows
from frostline.commands.examination.project import project_rows
from frostline.commands.examination.row import Row
from frostline.config.datasets import HuggingFaceConfig, TfdsConfig
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig, Config, CsvConfig, FolderConfig, KerasConfig

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The committed project in a folder of its own, which is no git repository."""
    shutil.copytree(ROOT / ".dvc", tmp_path / ".dvc", ignore=lambda *_: ["cache", "tmp", "config.local"])
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("KERAS_BACKEND", "MLFLOW_TRACKING_URI", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def changed(section: str, **values: Any) -> Config:
    config = load_config()
    return config.model_copy(update={section: getattr(config, section).model_copy(update=values)})


def found(rows: Iterable[Row]) -> dict[str, tuple[str, str]]:
    return {row.name: (row.state, row.words) for row in rows}


def test_a_sound_project_is_left_as_it_is(project: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], check=True)
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*") if ".git" not in path.parts}
    answer = subprocess.run(
        [sys.executable, "-m", "frostline", "doctor"],
        env=os.environ | {"PYTHONWARNINGS": "error", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "missing" not in answer.stdout
    for words in (
        "in a git repository",
        "2624 files of 2 classes",
        "will be made by the first",
        "cpu:0",
        "VGG16 at 128",
    ):
        assert words in answer.stdout
    after = {path: path.stat().st_mtime_ns for path in project.rglob("*") if ".git" not in path.parts}
    assert after == before


def test_a_flag_that_ends_the_backends_process_does_not_end_doctor(project: Path) -> None:
    pytest.importorskip("jax")
    (project / "params.yaml").unlink()
    answer = subprocess.run(
        [sys.executable, "-m", "frostline", "doctor"],
        env=os.environ | {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--nonsense", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "the backend ended its process" in answer.stdout
    assert "params.yaml does not exist in" in answer.stdout
    assert "Traceback" not in answer.stderr
    assert "Unknown flag in XLA_FLAGS: --nonsense" in answer.stderr


def test_a_backend_that_is_none_leaves_the_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "tensorflw")
    rows = found(doctor._rows())
    state, words = rows["backend"]
    assert state == "missing"
    assert "Did you mean 'tensorflow'?" in words
    assert rows["params.yaml"] == ("ok", "can be read")
    assert "devices" not in rows
    assert "tensorflw" not in rows


def test_packages_are_compared_with_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["keras>=99", "nonesuch>=1", "tensorflow>=2", "numpy>=1", 'onnx>=99; extra == "demo"']
    monkeypatch.setattr("frostline.commands.examination.machine.requires", lambda _: needed)
    rows = found(machine_rows("jax"))
    assert rows["keras"][0] == "missing"
    assert "but keras>=99 is needed: pip install --upgrade 'keras>=99'" in rows["keras"][1]
    assert rows["nonesuch"] == ("missing", "not installed: pip install 'nonesuch>=1'")
    assert {"tensorflow", "onnx", "numpy"}.isdisjoint(rows)

    def unknown(_: str) -> None:
        raise PackageNotFoundError

    monkeypatch.setattr("frostline.commands.examination.machine.requires", unknown)
    assert found(machine_rows(None))["packages"][0] == "note"


def test_without_git_dvc_must_be_told_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = found(machine_rows(None))
    assert rows["git"][0] == "note"
    assert rows["DVC"][0] == "missing"
    assert "dvc config --local core.no_scm true" in rows["DVC"][1]
    (project / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n")
    assert found(machine_rows(None))["DVC"] == ("ok", "told to do without git (core.no_scm)")
    shutil.rmtree(project / ".dvc")
    monkeypatch.setenv("PATH", str(project))
    rows = found(machine_rows(None))
    assert rows["git"] == ("note", "not installed: runs carry no commit, and DVC has no experiments")
    assert "has no .dvc: change to" in rows["DVC"][1]
    Path("dvc.yaml").unlink()
    assert "has no .dvc and no dvc.yaml: change to" in found(machine_rows(None))["DVC"][1]


def test_places_and_room(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {state for state, _ in found(room_rows(load_config())).values()} <= {"ok", "note"}
    greedy = load_config().model_copy(
        update={
            "stores": load_config().stores.model_copy(update={"cache_gigabytes": 1e9}),
            "train": load_config().train.model_copy(update={"resident_gigabytes": 1e9}),
        }
    )
    rows = found(room_rows(greedy))
    assert rows["disk"][0] == rows["memory"][0] == "note"
    assert "lower stores.cache_gigabytes" in rows["disk"][1]
    assert "lower train.resident_gigabytes" in rows["memory"][1]
    (project / "models").touch()
    state, words = found(room_rows(load_config()))["outputs"]
    assert (state, words) == ("missing", "models is a file, where a folder is needed: move it away")
    (project / "models").unlink()
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    assert "the system refuses it" in found(room_rows(load_config()))["outputs"][1]


def test_a_temporary_folder_that_is_none_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/dev/null/absent")
    monkeypatch.setattr("tempfile.tempdir", None)
    state, words = found(machine_rows(None))["temporary files"]
    assert state == "note"
    assert words.startswith("TMPDIR=/dev/null/absent cannot be written to, so ")


@pytest.mark.parametrize(
    ("source", "state", "message"),
    [
        (FolderConfig(source="folder", path=Path("absent")), "missing", "does not exist"),
        (FolderConfig(source="folder", path=Path("~nobody_at_all")), "missing", "does not exist"),
        (CsvConfig(source="csv", path=Path("absent.csv")), "missing", "does not exist"),
        (KerasConfig(source="keras", name="cifar10"), "note", "Keras will download it into"),
        (FolderConfig(source="folder", path=Path("absent.zip")), "missing", "The archive absent.zip does not exist"),
        (FolderConfig(source="folder", path=Path("images.zip")), "note", "images.zip will be unpacked into"),
        (CsvConfig(source="csv", path=Path("web.csv"), download=True), "note", "1 picture will be downloaded into"),
        (HuggingFaceConfig(source="huggingface", name="beans"), "note", "of Hugging Face will be loaded into"),
        (TfdsConfig(source="tfds", name="beans"), "note", "of TensorFlow Datasets will be loaded into"),
    ],
)
def test_data_that_is_not_there(project: Path, source: Any, state: str, message: str) -> None:
    (project / "images.zip").write_bytes(b"PK")
    (project / "web.csv").write_text("image,label\nhttp://127.0.0.1:1/a.jpg,cat\n")
    rows = found(project_rows(load_config().model_copy(update={"datasets": {"mine": source}})))
    assert rows["data: mine"][0] == state
    assert message in rows["data: mine"][1]
    assert not (project / "data").exists()


@pytest.mark.parametrize(
    ("address", "state", "message"),
    [
        ("sqlite:///new/folder/store.db", "note", "will be made"),
        ("sqlite:///params.yaml", "missing", "file is not a database"),
        ("sqlite://", "missing", "must name a file"),
        ("postgresql://ada:secret@localhost:1/runs", "missing", "cannot be opened"),
        ("nonsense", "missing", "cannot be opened"),
    ],
)
def test_stores(project: Path, address: str, state: str, message: str) -> None:
    rows = found(project_rows(changed("stores", tracking=address, studies=address)))
    for name in ("MLflow store", "Optuna store"):
        assert rows[name][0] == state, rows[name]
        assert message in rows[name][1]
        assert "secret" not in rows[name][1]
    assert not (project / "new").exists()


@pytest.mark.usefixtures("project")
def test_a_server_is_asked_in_haste_for_that_long_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    before = dict(os.environ)
    assert found(project_rows(load_config()))["MLflow store"][0] == "missing"
    assert dict(os.environ) == before


def test_a_store_of_studies_is_counted_and_none_is_made(project: Path) -> None:
    import optuna

    (project / "mlruns").mkdir()
    optuna.create_study(storage="sqlite:///mlruns/optuna.db", study_name="one")
    rows = found(project_rows(load_config()))
    assert rows["Optuna store"][1].endswith("mlruns/optuna.db: 1 study")
    assert not (project / "mlruns" / "mlflow.db").exists()
    with sqlite3.connect(project / "mlruns" / "mlflow.db") as other:
        other.execute("CREATE TABLE alembic_version (version_num TEXT)")
        other.execute("INSERT INTO alembic_version VALUES ('ancient')")
    state, words = found(project_rows(load_config()))["MLflow store"]
    assert state == "missing"
    assert "cannot be opened: " in words


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_backbones_and_their_weights(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.setenv("KERAS_HOME", str(project / "keras"))
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(project / "other.weights.h5")
    backbones = {
        "vgg16": BackboneConfig(weights=None),
        "vgg61": BackboneConfig(),
        "small": BackboneConfig(application="VGG16", image_size=8),
        "absent": BackboneConfig(application="VGG16", weights="absent.h5"),
        "other": BackboneConfig(application="VGG16", weights="other.weights.h5", image_size=32),
        "resnet50": BackboneConfig(),
        "resnet50v2": BackboneConfig(),
    }
    rows = found(network_rows(load_config().model_copy(update={"backbones": backbones})))
    expected = {
        "vgg16": ("ok", "VGG16 at 224 pixels, weights: random"),
        "vgg61": ("missing", "No Keras application is called 'vgg61'"),
        "small": ("missing", "backbones.small.image_size in params.yaml must be native (224) or at least 32"),
        "absent": ("missing", "absent.h5 of VGG16 does not exist"),
        "other": ("missing", "does not hold weights of VGG16"),
        "resnet50": ("note", "ResNet50 at 224 pixels, weights: not on this machine"),
        "resnet50v2": ("note", "ResNet50V2 at 224 pixels, weights: not on this machine"),
    }
    for name, (state, words) in expected.items():
        assert rows[f"backbone: {name}"][0] == state
        assert words in rows[f"backbone: {name}"][1]
    assert not (project / "keras" / "models").exists()


def test_a_cluster_is_looked_at_only_if_it_is_asked_for() -> None:
    assert not found(cluster_rows(load_config()))
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'frostline[ray]')")
    state, words = found(cluster_rows(changed("compute", engine="ray", cpus=1, workers=2)))["cluster"]
    assert state == "ok"
    assert re.search(r"^1 node with room for \d+ workers?, of which 2 are asked for\n.*: \d+ CPUs", words)
    assert words.endswith("code and packages are as here")
    state, words = found(cluster_rows(changed("compute", engine="ray", cpus=10_000)))["cluster"]
    assert state == "missing"
    assert "has room for a worker with 10000 CPUs" in words
    state, words = found(cluster_rows(changed("compute", engine="ray", address="127.0.0.1:9")))["cluster"]
    assert (state, "cannot be reached" in words) == ("missing", True)
