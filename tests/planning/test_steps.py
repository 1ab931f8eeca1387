"""What DVC would run, by its own word, and in the order of its own graph."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from frostline.config.load import load_config
from frostline.planning.steps import STAGES, Step, changed_stages, due_steps, steps_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path):
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    document["datasets"] |= {"photos": {"source": "folder", "path": "images"}}
    document["backbones"] |= {"resnet50": {}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
    return load_config(tmp_path / "params.yaml")


def dvc(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_every_step_of_dvc_yaml_is_known_by_dvcs_name(config, tmp_path: Path) -> None:
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    dvc(tmp_path, "init", "--no-scm", "-q")
    names = set(dvc(tmp_path, "stage", "list", "--name-only").split())
    assert {step.name for step in steps_of(config)} == {name for name in names if name.partition("@")[0] in STAGES}


def test_what_is_read_is_what_dvcs_graph_says(config, tmp_path: Path) -> None:
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    dvc(tmp_path, "init", "--no-scm", "-q")
    graph = dvc(tmp_path, "dag", "--dot").replace(";", "").replace('"', "")
    edges = {tuple(line.strip().split(" -> ")) for line in graph.splitlines() if " -> " in line}
    steps = list(steps_of(config))
    known = {(other.name, step.name) for step in steps for other in steps if step.reads(other)}
    assert known == {edge for edge in edges if all(name.partition("@")[0] in STAGES for name in edge)}


def test_due_is_what_changed_and_what_follows(config) -> None:
    steps = list(steps_of(config))
    due = due_steps(steps, {"profile@photos-resnet50"})
    assert {step.stage for step in due} == {"profile", "train", "evaluate", "labels", "register", "report"}
    assert Step("train", "photos", "small", "resnet50") in due
    assert Step("train", "photos", "small", "vgg16") not in due
    assert Step("labels", "solar_cells") in due  # it reads the folder of all models
    assert due_steps(steps, set()) == []
    assert due_steps(steps, {step.name for step in steps}) == steps


def test_changed_stages_are_those_of_dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert changed_stages() is None
    dvc(tmp_path, "init", "--no-scm", "-q")
    assert changed_stages() is None  # there is no dvc.yaml
    stages = {
        "always": {"cmd": "echo 1 > one", "always_changed": True, "outs": ["one"]},
        "given": {"cmd": "echo 2 > two", "params": ["a"], "outs": ["two"]},
        "read": {"cmd": "cp two three", "deps": ["two"], "outs": ["three"]},
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (tmp_path / "params.yaml").write_text("a: 1\n")
    assert changed_stages() == {"given", "read"}
    dvc(tmp_path, "repro", "-q")
    assert changed_stages() == set()
    (tmp_path / "params.yaml").write_text("a: 2\n")
    assert changed_stages() == {"given"}
    (tmp_path / "params.yaml").write_text("a: 1\n")
    (tmp_path / "three").unlink()
    assert changed_stages() == {"read"}
